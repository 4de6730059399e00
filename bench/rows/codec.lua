local measure = require "bench.lib.measure"
local mp = require "mp"

-- A binary tree of so many nodes, each a list of its children.
local function tree(nodes)
  if nodes == 1 then
    return {}
  end
  local left <const> = nodes // 2
  local right <const> = nodes - 1 - left
  return { tree(left), right > 0 and tree(right) or nil }
end

local function list()
  local t = {}
  for i = 1, 1000 do
    t[i] = i
  end
  return t
end

local function tables()
  local t = {}
  for i = 1, 100 do
    t[i] = { id = i, name = "item " .. i, ok = true }
  end
  return t
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b and math.type(a) == math.type(b)
  end
  for key, value in pairs(a) do
    if not same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

local function encode(make, count)
  return function()
    local value <const>, dumps <const> = make(), mp.dumps
    assert(same(value, mp.loads(dumps(value))))
    return measure.best(5, measure.timed, function()
      for _ = 1, count do
        dumps(value)
      end
    end) / count
  end
end

local function decode(make, count)
  return function()
    local value <const>, loads <const> = make(), mp.loads
    local data <const> = mp.dumps(value)
    assert(same(value, loads(data)))
    return measure.best(5, measure.timed, function()
      for _ = 1, count do
        loads(data)
      end
    end) / count
  end
end

local rows = {}

-- One row a direction; {target, CPython's figure, Lua floor}.
local function both(name, text, unit, make, count, encoding, decoding)
  for _, way in ipairs {
    { "encode", encode, encoding }, { "decode", decode, decoding },
  } do
    local word <const>, measured <const>, figures <const> = table.unpack(way)
    rows[#rows + 1] = {
      id = ("codec.%s_%s"):format(word, name),
      text = ("%s %s"):format(word, text),
      unit = unit,
      target = figures.target,
      against = figures.against,
      speed = { cpython = figures.cpython, lua = figures.lua },
      floor = false,
      needs = { "dumps", "loads" },
      mp = measured(make, count),
    }
  end
end

both("integer", "an integer", "ns", function()
  return 1000000
end, 100000, { target = 45, cpython = 202, lua = 37 }, { target = 22, cpython = 101, lua = 15 })

both("string", "an 11-byte string", "ns", function()
  return "hello world"
end, 100000, { target = 40, cpython = 252, lua = 32 }, { target = 30, cpython = 118, lua = 25 })

both("list", "a list of 1000 integers", "µs", list, 3000,
  { target = 9, cpython = 4.6, lua = 15 }, { target = 8, cpython = 7.1, lua = 9 })

both("tables", "100 small tables", "µs", tables, 1000,
  { against = { "cpython", 1.1 }, cpython = 15, lua = 20 },
  { against = { "cpython", 1.1 }, cpython = 23, lua = 27 })

both("tree", "a 10 000-node tree", "ms", function()
  return tree(10000)
end, 20, { against = { "cpython", 1.1 }, cpython = 0.56, lua = 0.83 },
  { against = { "cpython", 1.1 }, cpython = 1.7, lua = 2.9 })

return rows
