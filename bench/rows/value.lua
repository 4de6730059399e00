local measure = require "bench.lib.measure"
local mp = require "mp"

-- Loops are shorter than a time slice, so that on a busy machine the best of
-- many was not interrupted.
local count <const>, loops <const> = 20000, 30
local doubles <const> = 1000000

local function rate(loop)
  return count / measure.best(loops, measure.timed, loop)
end

local function locked_increment()
  local value <const> = mp.Value("q", 0)
  local lock <const> = value:get_lock()
  local result <const> = rate(function()
    for _ = 1, count do
      local _ <close> = lock:hold()
      value.value = value.value + 1
    end
  end)
  assert(value.value == loops * count)
  return result
end

local function atomic_add()
  local value <const> = mp.Value("q", 0)
  local result <const> = rate(function()
    for _ = 1, count do
      value:add(1)
    end
  end)
  assert(value.value == loops * count)
  return result
end

local function read(make)
  return function()
    local value <const> = mp[make]("q", 7)
    local last
    local result <const> = rate(function()
      for _ = 1, count do
        last = value.value
      end
    end)
    assert(last == 7)
    return result
  end
end

local function write(make)
  return function()
    local value <const> = mp[make]("q", 0)
    local result <const> = rate(function()
      for i = 1, count do
        value.value = i
      end
    end)
    assert(value.value == count)
    return result
  end
end

local function element_read(make)
  return function()
    local array <const> = mp[make]("q", count)
    for i = 1, count do
      array[i] = i
    end
    local last
    local result <const> = rate(function()
      for i = 1, count do
        last = array[i]
      end
    end)
    assert(last == count)
    return result
  end
end

local function element_write(make)
  return function()
    local array <const> = mp[make]("q", count)
    local result <const> = rate(function()
      for i = 1, count do
        array[i] = i
      end
    end)
    assert(array[count] == count)
    return result
  end
end

local function filled()
  local array <const> = mp.RawArray("d", doubles)
  for i = 1, doubles do
    array[i] = i + 0.5
  end
  return array
end

local function bytes_per_second(rounds, f)
  f()
  return 8 * doubles / measure.best(rounds, measure.timed, f)
end

local function array_to_list()
  local array <const> = filled()
  local list
  local result <const> = bytes_per_second(3, function()
    list = array:totable()
  end)
  assert(#list == doubles and list[doubles] == doubles + 0.5)
  return result
end

local function array_from_list()
  local list = {}
  for i = 1, doubles do
    list[i] = i + 0.5
  end
  local array <const> = mp.RawArray("d", doubles)
  local result <const> = bytes_per_second(3, function()
    array:set(1, list)
  end)
  assert(array[1] == 1.5 and array[doubles] == doubles + 0.5)
  return result
end

local function array_to_string()
  local array <const> = filled()
  local s
  local result <const> = bytes_per_second(10, function()
    s = array:tostring()
  end)
  assert(#s == 8 * doubles and string.unpack("d", s, -8) == doubles + 0.5)
  return result
end

local function row(id, text, unit, target, speed, needs, f)
  local floor <const> = speed.floor ~= nil
  return {
    id = "value." .. id, text = text, unit = unit, target = target, speed = speed,
    needs = { needs }, floor = floor, python = id ~= "atomic_add", mp = f,
    lua = id == "read" or id == "write",
  }
end

return {
  row("locked_increment", "Value: increment under its lock", "M/s", 5,
    { cpython = 2.4, floor = 83, lua = 6.8 }, "Value", locked_increment),
  row("atomic_add", "Value: atomic add", "M/s", 12,
    { floor = 125, lua = 13.9 }, "Value", atomic_add),
  row("read", "Value: read", "M/s", 40, { cpython = 9.9, lua = 50 }, "Value", read("Value")),
  row("write", "Value: write", "M/s", 40, { cpython = 9.9, lua = 53 }, "Value", write("Value")),
  row("raw_read", "RawValue: read", "M/s", 40,
    { cpython = 55, lua = 50 }, "RawValue", read("RawValue")),
  row("raw_write", "RawValue: write", "M/s", 40,
    { cpython = 42, lua = 53 }, "RawValue", write("RawValue")),
  row("array_read", "Array: read an element, with its default lock", "M/s", 35,
    { cpython = 3.2, lua = 42 }, "Array", element_read("Array")),
  row("array_write", "Array: write an element, with its default lock", "M/s", 38,
    { cpython = 3.4, lua = 48 }, "Array", element_write("Array")),
  row("raw_array_read", "RawArray: read an element", "M/s", 35,
    { cpython = 36, lua = 42 }, "RawArray", element_read("RawArray")),
  row("raw_array_write", "RawArray: write an element", "M/s", 38,
    { cpython = 38, lua = 48 }, "RawArray", element_write("RawArray")),
  row("array_to_list", "Array of 1 M doubles to a table", "GB/s", 0.5,
    { cpython = 0.31, lua = 0.56 }, "RawArray", array_to_list),
  row("array_from_list", "Array of 1 M doubles from a table", "GB/s", 0.9,
    { cpython = 0.59, lua = 1.03 }, "RawArray", array_from_list),
  row("array_to_string", "Array of 1 M doubles to a string", "GB/s", 20,
    { cpython = 47, floor = 18, lua = 22 }, "RawArray", array_to_string),
}
