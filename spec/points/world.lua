-- The objects that the deeds of spec/points/deeds.lua are done with, and the
-- proof that they work on after whoever used them was killed anywhere.
local mp = require "mp"

local world = {}

function world.make()
  local w <const> = {
    lock = mp.Lock(),
    rlock = mp.RLock(),
    semaphore = mp.Semaphore(4),
    bounded = mp.BoundedSemaphore(4),
    event = mp.Event(),
    barrier = mp.Barrier(2),
    queue = mp.JoinableQueue(),
    cells = mp.Array("q", 2),
    dict = mp.dict(),
    shareable = mp.ShareableList { 1, "abc" },
  }
  w.condition = mp.Condition(w.lock)
  return w
end

local function take(lock)
  assert(lock:acquire(5))
  lock:release()
end

-- Raises when something waits in vain or is no longer whole.
function world.use(w)
  take(w.lock)
  take(w.rlock)
  take(w.semaphore)
  take(w.bounded)
  w.condition:with(function()
    w.condition:notify_all()
    w.condition:wait(0)
  end)
  w.event:set()
  assert(w.event:wait(5))
  w.barrier:reset()
  while w.queue:get(0) do end
  assert(w.queue:put({ "whole" }, 5))
  assert(w.queue:get(5)[1] == "whole")
  w.dict.after = { 1 }
  assert(w.dict.after[1] == 1)
  local first <const>, second <const> = w.shareable[1], w.shareable[2]
  assert(first == 1 or first == 5 or first == 6)
  assert(second == "abc" or second == "xyz")
end

function world.close(w)
  for name, object in pairs(w) do
    if name == "dict" then
      mp.dict.clear(object)
    elseif object.close then
      object:close()
    end
  end
  w.shareable = nil
end

return world
