--- The calls that a manager's process has begun. Each runs in a coroutine; one
-- that waits (mp/yielding.lua) lets the others run.

local core = require "mp.core"

local calls = {}

local pid -- of the process whose calls these are
local ours = setmetatable({}, { __mode = "k" }) -- the coroutines
local idle = {} -- those that have no call to run
local waiting = {} -- what others wait for: { objects, deadline }

local DONE <const> = {}

--- This process runs calls from now on.
function calls.begin_here()
  pid = core.getpid()
end

--- Whether the caller is in a call, and may pause it. Code that runs in another
-- coroutine, below a C function, or in a forked child may not.
function calls.inside()
  return coroutine.isyieldable() and ours[coroutine.running()] and core.getpid() == pid
end

--- Lets others run until one of the objects is ready, or until the deadline of
-- core.time (nil: none). May return early.
function calls.pause(objects, deadline)
  coroutine.yield(objects, deadline)
end

local function work(f, ...)
  f(...)
  return work(coroutine.yield(DONE))
end

-- Whether the call came to its end.
local function resume(co, ...)
  waiting[co] = nil
  local ok, objects, deadline = coroutine.resume(co, ...)
  if not ok then
    error(debug.traceback(co, tostring(objects)), 0)
  elseif objects == DONE then
    idle[#idle + 1] = co
    return true
  end
  waiting[co] = { objects = objects, deadline = deadline }
  return false
end

--- Calls f(...), which raises nothing: whether it has come to its end, or waits.
function calls.begin(f, ...)
  local co = table.remove(idle)
  if not co then
    co = coroutine.create(work)
    ours[co] = true
  end
  return resume(co, f, ...)
end

--- Whether some call waits.
function calls.any()
  return next(waiting) ~= nil
end

--- Appends what they wait for to the list; returns the first deadline, or nil.
function calls.gather(list)
  local first
  for _, w in pairs(waiting) do
    table.move(w.objects, 1, #w.objects, #list + 1, list)
    if w.deadline and (not first or w.deadline < first) then
      first = w.deadline
    end
  end
  return first
end

local function is_due(w, ready, now)
  if not ready or w.deadline and w.deadline <= now then
    return true
  end
  for _, object in ipairs(w.objects) do
    if ready[object] then
      return true
    end
  end
  return false
end

--- Goes on with the calls that wait for what is in the list, and with those whose
-- time has come; with all of them when there is no list.
function calls.wake(list)
  local ready = list and {}
  for _, object in ipairs(list or {}) do
    ready[object] = true
  end
  local due, now = {}, core.time()
  for co, w in pairs(waiting) do
    if is_due(w, ready, now) then
      due[#due + 1] = co
    end
  end
  for _, co in ipairs(due) do
    resume(co)
  end
end

return calls
