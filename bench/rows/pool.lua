local measure = require "bench.lib.measure"
local mp = require "mp"

local tasks <const> = 100000

local function same(x)
  return x
end

-- The documents' f.
local function document()
  local sum = 0
  for x = 0, 999 do
    sum = sum + x * x
  end
  return sum
end

local function check(results, count)
  assert(#results == count)
  for i = 1, count do
    assert(results[i] == i)
  end
end

local function integers(count)
  local list = {}
  for i = 1, count do
    list[i] = i
  end
  return list
end

-- Tasks per second of a map over what make(count) returns.
local function map(make, count, chunksize)
  return function()
    local pool <close> = mp.Pool(2)
    pool:map(same, make(100))
    local results
    local seconds <const> = measure.best(3, measure.timed, function()
      results = pool:map(same, make(count), chunksize)
    end)
    check(results, count)
    return count / seconds
  end
end

local function range(count)
  return mp.range(1, count)
end

local function imap_unordered()
  local pool <close> = mp.Pool(2)
  pool:map(same, range(100))
  local total = 0
  local seconds <const> = measure.timed(function()
    for _, value in pool:imap_unordered(same, range(tasks)) do
      total = total + value
    end
  end)
  assert(total == tasks * (tasks + 1) // 2)
  return tasks / seconds
end

local function check_documents(results, count)
  assert(#results == count)
  for i = 1, count do
    assert(results[i] == 332833500)
  end
end

local function documents()
  local pool <close> = mp.Pool(2)
  local results
  local seconds <const> = measure.timed(function()
    results = pool:map(document, range(tasks))
  end)
  check_documents(results, tasks)
  return seconds
end

local function speedup()
  local expected = {}
  local sequential <const> = measure.timed(function()
    for i = 1, tasks do
      expected[i] = document()
    end
  end)
  check_documents(expected, tasks)
  return sequential / documents()
end

local function apply()
  local count <const> = 5000
  local pool <close> = mp.Pool(2)
  pool:apply(same, { 0 })
  return measure.timed(function()
    for i = 1, count do
      assert(pool:apply(same, { i }) == i)
    end
  end) / count
end

local function life(workers)
  return function()
    return measure.best(5, measure.timed, function()
      local pool <const> = mp.Pool(workers)
      pool:close()
      assert(pool:join())
    end)
  end
end

local function memory()
  local pool <close> = mp.Pool(4)
  pool:map(same, range(1000))
  local workers <const> = measure.children_of(measure.pid())
  assert(#workers == 4)
  local total = 0
  for _, pid in ipairs(workers) do
    total = total + measure.proportional_memory(pid)
  end
  return total / 4
end

return {
  {
    id = "pool.map",
    text = "Pool.map, 100 000 trivial tasks, no chunk size given",
    unit = "M/s",
    target = 8.5,
    speed = { cpython = 7.9, lua = 10 },
    floor = false,
    needs = { "Pool", "range" },
    mp = map(range, tasks),
  },
  {
    id = "pool.map_list",
    text = "Pool.map over a list of 100 000 integers, no chunk size given",
    unit = "M/s",
    speed = { cpython = 7.9 },
    floor = false,
    needs = { "Pool" },
    mp = map(integers, tasks),
  },
  {
    id = "pool.message",
    text = "Pool.map, one task per message",
    unit = "M/s",
    target = 1,
    speed = { cpython = 0.066, lua = 1.7 },
    needs = { "Pool", "range" },
    mp = map(range, tasks, 1),
  },
  {
    id = "pool.imap_unordered",
    text = "imap_unordered, 100 000 trivial tasks",
    unit = "M/s",
    target = 1,
    speed = { cpython = 0.075 },
    floor = false,
    needs = { "Pool", "range" },
    mp = imap_unordered,
  },
  {
    id = "pool.documents",
    text = "the documents' f over range(100000), pool of 2",
    unit = "s",
    target = 0.29,
    speed = { cpython = 1.45, lua = 0.28 },
    floor = false,
    rounds = 2,
    cpus = 2,
    needs = { "Pool", "range" },
    mp = documents,
  },
  {
    id = "pool.speedup",
    text = "the documents' f over range(100000), pool of 2 against sequential Lua",
    unit = "× faster",
    target = 1.85,
    against = { "target" },
    speed = { cpython = 1.8, lua = 1.93 },
    floor = false,
    rounds = 3,
    cpus = 2,
    needs = { "Pool", "range" },
    mp = speedup,
  },
  {
    id = "pool.apply",
    text = "apply, one in flight, back to back",
    unit = "µs",
    target = 8,
    speed = { cpython = 153, floor = 58, lua = 46 },
    cpus = 2,
    needs = { "Pool" },
    mp = apply,
  },
  {
    id = "pool.life_2",
    text = "pool of 2: make + close + join",
    unit = "ms",
    target = 1.2,
    speed = { cpython = 5.2, lua = 0.74 },
    needs = { "Pool" },
    mp = life(2),
  },
  {
    id = "pool.life_8",
    text = "pool of 8: make + close + join",
    unit = "ms",
    target = 4,
    speed = { cpython = 16.5, lua = 2.5 },
    needs = { "Pool" },
    mp = life(8),
  },
  {
    id = "pool.memory",
    text = "proportional memory of an idle pool worker",
    unit = "KB",
    target = 300,
    against = { "target" },
    speed = { cpython = 3600, lua = 163 },
    needs = { "Pool", "range" },
    mp = memory,
  },
}
