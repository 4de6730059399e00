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

local measures <const> = {
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
