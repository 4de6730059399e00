local measure = require "bench.lib.measure"
local mp = require "mp"

local count <const> = 200000

local keys <const> = {}
for i = 1, 1000 do
  keys[i] = "key " .. i
end

local function filled()
  local dict <const> = mp.dict()
  for i, key in ipairs(keys) do
    dict[key] = i
  end
  return dict
end

local function read_all(dict)
  local total = 0
  for i = 1, count do
    total = total + dict[keys[i % 1000 + 1]]
  end
  assert(total == count // 1000 * 500500)
end

local function write_all(dict)
  for i = 1, count do
    dict[keys[i % 1000 + 1]] = i
  end
end

local function alone(f)
  return function()
    local dict <const> = filled()
    local seconds <const> = measure.best(3, measure.timed, f, dict)
    assert(mp.dict.len(dict) == 1000)
    return count / seconds
  end
end

local function by_2(f)
  return function()
    local dict <const> = filled()
    local seconds <const> = measure.team({ f, dict }, { f, dict })
    assert(mp.dict.len(dict) == 1000)
    return 2 * count / seconds
  end
end

return {
  {
    id = "dict.get",
    text = "shared dict get, 1 process",
    unit = "M/s",
    target = 4,
    speed = { cpython = 0.024, floor = 40 },
    needs = { "dict" },
    mp = alone(read_all),
  },
  {
    id = "dict.set",
    text = "shared dict set, 1 process",
    unit = "M/s",
    target = 3.5,
    speed = { cpython = 0.020, floor = 55 },
    needs = { "dict" },
    mp = alone(write_all),
  },
  {
    id = "dict.get_by_2",
    text = "shared dict get, 2 processes",
    unit = "M/s",
    target = 5,
    speed = { cpython = 0.061, floor = 17 },
    cpus = 2,
    needs = { "dict", "Process", "Pipe" },
    mp = by_2(read_all),
  },
  {
    id = "dict.set_by_2",
    text = "shared dict set, 2 processes",
    unit = "M/s",
    target = 3.5,
    speed = { cpython = 0.053, floor = 12 },
    cpus = 2,
    needs = { "dict", "Process", "Pipe" },
    mp = by_2(write_all),
  },
}
