local measure = require "bench.lib.measure"
local mp = require "mp"

local Counter = {}
Counter.__index = Counter

function Counter.new()
  return setmetatable({ n = 0 }, Counter)
end

function Counter:add(k)
  self.n = self.n + k
  return self.n
end

local function calls(counter, count)
  for _ = 1, count do
    counter:add(1)
  end
end

local COUNT <const> = 20000

local function proxy_call()
  local manager <close> = mp.Manager()
  manager:register("Counter", Counter)
  local counter <close> = manager:Counter()
  calls(counter, 1000)
  local seconds <const> = measure.best(3, measure.timed, calls, counter, COUNT)
  assert(counter:add(0) == 1000 + 3 * COUNT)
  return seconds / COUNT
end

return {
  {
    id = "manager.proxy",
    text = "call of a manager's object by a proxy, back to back",
    unit = "µs",
    target = 25,
    speed = { cpython = 63 },
    floor = false,
    needs = { "Manager" },
    mp = proxy_call,
  },
}
