-- How cost grows: each row gives the cost of one item, or of one call, at
-- several sizes. ./dev bench --full goes to the largest.
local measure = require "bench.lib.measure"
local mp = require "mp"

local full <const> = os.getenv "MP_BENCH_FULL" ~= nil

local function same(x)
  return x
end

-- size → cost per item, where f(size) returns the seconds of `size` items. A
-- small size is measured several times; what is first of its kind is not.
local function costs(sizes, f)
  local result = {}
  for _, size in ipairs(sizes) do
    result[size] = measure.best(math.max(2, 10000 // size), f, size) / size
  end
  return result
end

-- 1000, 10 000, … up to a power of ten, a larger one for --full.
local function thousands(power, full_power)
  local list = {}
  for i = 3, full and full_power or power do
    list[#list + 1] = math.tointeger(10 ^ i)
  end
  return list
end

local function queue_items()
  local queue <const> = mp.Queue()
  return costs(thousands(6, 7), function(size)
    return measure.timed(function()
      for i = 1, size do
        queue:put(i)
      end
      for i = 1, size do
        assert(queue:get() == i)
      end
    end)
  end)
end

local function queues()
  local per_size <const> = 20000
  local result = {}
  for _, size in ipairs { 1, 10, 100, 1000, 10000 } do
    local list = {}
    for i = 1, size do
      list[i] = mp.Queue()
    end
    local function run()
      for i = 1, per_size do
        local queue <const> = list[i % size + 1]
        queue:put(i)
        assert(queue:get() == i)
      end
    end
    run()
    result[size] = measure.best(2, measure.timed, run) / per_size
    for _, queue in ipairs(list) do
      queue:close()
    end
  end
  return result
end

local function map_items()
  local pool <close> = mp.Pool(2)
  pool:map(same, mp.range(1, 100))
  return costs(thousands(6, 7), function(size)
    local results
    local seconds <const> = measure.timed(function()
      results = pool:map(same, mp.range(1, size))
    end)
    assert(results[1] == 1 and results[size] == size)
    return seconds
  end)
end

local function imap_items()
  local pool <close> = mp.Pool(2)
  pool:map(same, mp.range(1, 100))
  return costs(thousands(5, 7), function(size)
    local total = 0
    local seconds <const> = measure.timed(function()
      for _, value in pool:imap_unordered(same, mp.range(1, size)) do
        total = total + value
      end
    end)
    assert(total == size * (size + 1) // 2)
    return seconds
  end)
end

local function map_workers()
  local tasks <const> = 100000
  local result = {}
  for _, workers in ipairs { 1, 2, 4, 8, 16, 32, 64 } do
    local pool <close> = mp.Pool(workers)
    pool:map(same, mp.range(1, 1000))
    result[workers] = measure.best(3, measure.timed, function()
      assert(pool:map(same, mp.range(1, tasks))[tasks] == tasks)
    end) / tasks
  end
  return result
end

local function dict_keys()
  local reads <const> = 100000
  local result = {}
  for _, size in ipairs(thousands(6, 6)) do
    local dict <const> = mp.dict()
    for i = 1, size do
      dict[i] = i
    end
    -- A step that is prime to every size visits the keys out of order.
    result[size] = measure.best(3, measure.timed, function()
      local key = 0
      for _ = 1, reads do
        key = (key + 7919) % size
        assert(dict[key + 1] == key + 1)
      end
    end) / reads
    mp.dict.clear(dict)
  end
  return result
end

local function document()
  local sum = 0
  for x = 0, 999 do
    sum = sum + x * x
  end
  return sum
end

-- The cost for 0 workers is that of a plain loop.
local function document_workers()
  local tasks <const> = 20000
  local list <const> = {}
  local loop <const> = measure.timed(function()
    for i = 1, tasks do
      list[i] = document()
    end
  end)
  assert(list[tasks] == 332833500)
  local result = { [0] = loop / tasks }
  for _, workers in ipairs { 1, 2, 4, 8, 16, 32, 64 } do
    local pool <close> = mp.Pool(workers)
    pool:map(document, mp.range(1, 100))
    result[workers] = measure.timed(function()
      assert(pool:map(document, mp.range(1, tasks))[tasks] == 332833500)
    end) / tasks
  end
  return result
end

-- CPU time of an idle family, in CPUs.
local function idle_family()
  local seconds <const> = 1
  local pool <close> = mp.Pool(64)
  pool:map(same, mp.range(1, 1000))
  mp.sleep(0.3)
  local me <const> = measure.pid()
  local family <const> = measure.children_of(me)
  assert(#family == 64)
  family[65] = me
  local function used()
    local total = 0
    for _, pid in ipairs(family) do
      total = total + measure.cpu_seconds(pid)
    end
    return total
  end
  -- Looking costs CPU time of our own, so the first look does not count.
  local before <const> = used()
  local start <const> = mp.time()
  mp.sleep(seconds)
  local own <const> = measure.cpu_seconds(me)
  local looked <const> = used()
  local looking <const> = measure.cpu_seconds(me) - own
  return math.max(0, looked - before - looking) / (mp.time() - start)
end

local function row(id, text, points, needs, f)
  return {
    id = "scaling." .. id, text = text, unit = "× cost", target = 1.5,
    against = { "target" }, points = points, floor = false, rounds = 1, limit = 300,
    needs = needs, mp = f,
  }
end

return {
  row("queue_items", "put + get of one item, so many in the queue", "ns",
    { "Queue" }, queue_items),
  row("queues", "put + get of one item, through so many queues in turn", "ns",
    { "Queue" }, queues),
  row("map_items", "one item of Pool.map, so many in all", "ns", { "Pool", "range" }, map_items),
  row("imap_items", "one item of imap_unordered, so many in all", "ns",
    { "Pool", "range" }, imap_items),
  row("map_workers", "one item of Pool.map over 100 000, by so many workers", "ns",
    { "Pool", "range" }, map_workers),
  {
    id = "scaling.document_workers",
    text = "one item of the documents' f over 20 000, by so many workers, 0 being a plain loop",
    unit = "× cost",
    points = "µs",
    floor = false,
    rounds = 1,
    limit = 300,
    needs = { "Pool", "range" },
    mp = document_workers,
  },
  row("dict_keys", "get of one key of so many", "ns", { "dict" }, dict_keys),
  {
    id = "scaling.idle",
    text = "CPU time of a pool of 64 that does nothing",
    unit = "% CPU",
    target = 0.5,
    against = { "target" },
    floor = false,
    rounds = 1,
    limit = 300,
    needs = { "Pool", "range", "sleep" },
    mp = idle_family,
  },
}
