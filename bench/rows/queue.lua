local measure = require "bench.lib.measure"
local mp = require "mp"

local function produce(queue, count)
  for i = 1, count do
    queue:put(i)
  end
end

local function consume(queue, count)
  local total = 0
  for _ = 1, count do
    total = total + queue:get()
  end
  return total
end

local function one_to_one()
  local count <const> = 500000
  local queue <const> = mp.Queue()
  local seconds <const>, results <const> =
    measure.team({ produce, queue, count }, { consume, queue, count })
  assert(results[2] == count * (count + 1) // 2)
  return count / seconds
end

local function four_to_four()
  local count <const> = 100000
  local queue <const> = mp.Queue()
  local calls = {}
  for i = 1, 4 do
    calls[i] = { produce, queue, count }
    calls[i + 4] = { consume, queue, count }
  end
  local seconds <const>, results <const> = measure.team(table.unpack(calls))
  local total = 0
  for i = 5, 8 do
    total = total + results[i]
  end
  assert(total == 4 * (count * (count + 1) // 2))
  return 4 * count / seconds
end

local string_size <const> = 64 << 20

-- Made before the clock runs: for one-letter strings rep takes its time.
local function make_string()
  return ("x"):rep(string_size // 1024):rep(1024)
end

local function put_string(queue, value, count)
  for _ = 1, count do
    queue:put(value)
  end
end

local function get_strings(queue, count)
  for _ = 1, count do
    local value <const> = queue:get()
    assert(#value == string_size and value:byte(-1) == ("x"):byte())
  end
end

-- The first message of a queue.
local function strings()
  local queue <const> = mp.Queue()
  local seconds <const> =
    measure.team({ put_string, queue, make_string(), 1 }, { get_strings, queue, 1 })
  return string_size / seconds
end

-- A message of a queue that has carried others.
local function strings_warm()
  local queue <const> = mp.Queue()
  local process <close> = mp.Process(put_string, queue, make_string(), 6)
  process:start()
  get_strings(queue, 2)
  local seconds <const> = measure.timed(get_strings, queue, 4)
  process:join()
  assert(process.exitcode == 0)
  return 4 * string_size / seconds
end

return {
  {
    id = "queue.one_to_one",
    text = "queue, 1 producer 1 consumer, small integers",
    unit = "M/s",
    target = 4,
    speed = { cpython = 0.33, floor = 19.5, lua = 7.8 },
    needs = { "Queue", "Process", "Pipe" },
    mp = one_to_one,
  },
  {
    id = "queue.four_to_four",
    text = "queue, 4 producers 4 consumers, small integers",
    unit = "M/s",
    target = 2,
    speed = { cpython = 0.25, floor = 60, lua = 1.26 },
    needs = { "Queue", "Process", "Pipe" },
    mp = four_to_four,
  },
  {
    id = "queue.strings",
    text = "a 64 MB string through a new queue",
    unit = "GB/s",
    target = 1.3,
    speed = { cpython = 0.28, floor = 1.35, lua = 1.3 },
    needs = { "Queue", "Process", "Pipe" },
    mp = strings,
  },
  {
    id = "queue.strings_warm",
    text = "64 MB strings through a queue whose pages are warm",
    unit = "GB/s",
    target = 3,
    speed = { cpython = 0.28, floor = 6, lua = 4.2 },
    needs = { "Queue", "Process" },
    mp = strings_warm,
  },
}
