-- One measurement of a Lua floor: lua5.4 bench/lib/lua_side.lua ROW
local floor <const> = require "floor_lua_process"

local function start_join(count)
  local start <const> = floor.now()
  for _ = 1, count do
    floor.start_join(function() end)
  end
  return (floor.now() - start) / count
end

local function best(times, count)
  local least = start_join(count)
  for _ = 2, times do
    least = math.min(least, start_join(count))
  end
  return least
end

-- The loops of bench/rows/value.lua.
local function rate(loop)
  local count <const>, least = 20000, math.huge
  for _ = 1, 30 do
    local start <const> = floor.now()
    loop(count)
    least = math.min(least, floor.now() - start)
  end
  return count / least
end

local function read()
  local value <const> = require("floor_lua_value").new(7)
  local last
  local result <const> = rate(function(count)
    for _ = 1, count do
      last = value.value
    end
  end)
  assert(last == 7)
  return result
end

local function write()
  local value <const> = require("floor_lua_value").new()
  local result <const> = rate(function(count)
    for i = 1, count do
      value.value = i
    end
  end)
  assert(value.value == 20000)
  return result
end

local measures <const> = {
  ["value.read"] = read,
  ["value.write"] = write,
  ["process.fork"] = function()
    return best(3, 50)
  end,
  ["process.fork_heap"] = function()
    local held <const> = require("bench.lib.heap")()
    assert(#held == 200000)
    return best(3, 5)
  end,
}

print(("value %.9g"):format(measures[arg[1]]()))
