--- Waits that let others run. In a manager's process a method that waits for one
-- of mp's objects may not keep everybody else waiting, so there the waiting
-- methods are replaced: inside a call (mp/calls.lua) they try, and pause the call
-- until it is worth to try again. Elsewhere they are what they were.
--
-- What is not here waits for all: Condition:wait and Barrier:wait, whose parties
-- count who waits; a pool's results; a send into a pipe that is full.

local calls = require "mp.calls"
local core = require "mp.core"

local yielding = {}

-- Seconds from one try to the next, where nothing tells: from, and up to.
local POLL <const>, MOST <const> = 0.0005, 0.01

-- Tries f until it says something else than nil, "timeout", at most until the
-- deadline. objects: what tells that it is worth to try again.
local function try(objects, deadline, f, ...)
  local step = #objects > 0 and math.huge or POLL
  while true do
    local results = table.pack(f(...))
    if results[1] ~= nil or results[2] ~= "timeout" then
      return table.unpack(results, 1, results.n)
    end
    local now = core.time()
    if deadline and now >= deadline then
      return nil, "timeout"
    end
    local again = math.min(now + step, deadline or math.huge)
    calls.pause(objects, again < math.huge and again or nil)
    step = step < MOST and 2 * step or step
  end
end

-- A time that the method itself does not refuse.
local function is_time(timeout)
  return timeout == nil or type(timeout) == "number" and timeout == timeout
end

-- The method with its timeout as argument n (self not counted). tells: the object
-- says when it is ready; a function gives what says it.
local function patient(method, n, tells)
  return function(self, ...)
    if not calls.inside() then
      return method(self, ...)
    end
    local args = table.pack(...)
    local timeout = args[n]
    if not is_time(timeout) or timeout and timeout <= 0 then
      return method(self, ...)
    end
    args[n] = 0
    local objects = {}
    if tells then
      objects[1] = tells == true and self or tells(self)
    end
    local deadline = timeout and core.time() + timeout
    return try(objects, deadline, method, self, table.unpack(args, 1, math.max(n, args.n)))
  end
end

local function with(method)
  return function(self, f, ...)
    if not calls.inside() then
      return method(self, f, ...)
    end
    local _ <close> = self:hold()
    return f(...)
  end
end

-- An iterator over what a method gets, until it gets nothing.
local function each(method, get)
  return function(self, ...)
    if not calls.inside() then
      return method(self, ...)
    end
    return function()
      local value, word = get(self)
      if word == nil then
        return value
      end
    end
  end
end

-- The table of a class's methods.
local function methods_of(name)
  local class = debug.getregistry()[name]
  if type(class.__index) == "table" then
    return class.__index
  end
  return select(2, debug.getupvalue(class.__index, 2))
end

-- By class: the place of the timeout of each method, and what tells.
local CLASSES <const> = {
  ["mp.Connection"] = { tells = true, recv = 1, poll = 1, recv_bytes = 2 },
  ["mp.Connection of a socket"] = { tells = true, recv = 1, poll = 1, recv_bytes = 2 },
  ["mp.Queue"] = { tells = true, get = 1, get_many = 2 },
  ["mp.JoinableQueue"] = { tells = true, get = 1, get_many = 2 },
  ["mp.SimpleQueue"] = { tells = true, get = 1 },
  ["mp.Event"] = { tells = true, wait = 1 },
  ["mp.Semaphore"] = { tells = true, acquire = 1, hold = 1 },
  ["mp.BoundedSemaphore"] = { tells = true, acquire = 1, hold = 1 },
  ["mp.Lock"] = { acquire = 1, hold = 1 },
  ["mp.RLock"] = { acquire = 1, hold = 1 },
  ["mp.Condition"] = { acquire = 1, hold = 1 },
  ["mp.core.Process"] = {
    tells = function(handle)
      return handle:sentinel()
    end,
    join = 1,
  },
}

-- Methods of the same classes that nothing tells of.
local POLLED <const> = {
  ["mp.Queue"] = { put = 2, put_many = 2 },
  ["mp.JoinableQueue"] = { put = 2, put_many = 2, join = 1 },
}

local function replace(name, known, tells)
  local methods = methods_of(name)
  for key, n in pairs(known) do
    if key ~= "tells" and methods[key] then
      methods[key] = patient(methods[key], n, tells)
    end
  end
  if known.hold and methods["with"] then
    methods["with"] = with(methods["with"])
  end
  if methods.items then
    methods.items = each(methods.items, methods.get)
  elseif methods.messages then
    methods.messages = each(methods.messages, methods.recv)
  end
end

local function sleep(before)
  return function(seconds)
    if not calls.inside() or type(seconds) ~= "number" or not is_time(seconds) then
      return before(seconds)
    end
    local deadline = core.time() + seconds
    while core.time() < deadline do
      calls.pause({}, deadline)
    end
  end
end

local function wait(before)
  return function(list, timeout)
    if not calls.inside() or not is_time(timeout) or timeout and timeout <= 0 then
      return before(list, timeout)
    end
    local deadline = timeout and core.time() + timeout
    while true do
      local ready = before(list, 0)
      if #ready > 0 or deadline and core.time() >= deadline then
        return ready
      end
      calls.pause(list, deadline)
    end
  end
end

--- Replaces them, in this process.
function yielding.install()
  for name, known in pairs(CLASSES) do
    replace(name, known, known.tells)
  end
  for name, known in pairs(POLLED) do
    replace(name, known)
  end
  core.sleep, core.wait = sleep(core.sleep), wait(core.wait)
  local mp = package.loaded["mp"]
  if mp then
    mp.sleep = core.sleep
  end
end

return yielding
