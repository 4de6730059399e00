-- Document 001, example 10: one process waits until another sets the event.
--
-- Expected output, in any order:
--   Waiting for event to be set...
--   Triggering event
--   Event has been set, continuing with the process.
local mp = require "mp"

local function wait_for_event(e)
  print "Waiting for event to be set..."
  e:wait()
  print "Event has been set, continuing with the process."
end

local function trigger_event(e)
  mp.sleep(0.03)
  print "Triggering event"
  e:set()
end

local function run()
  local e = mp.Event()

  local p1 = mp.Process { target = wait_for_event, args = { e } }
  local p2 = mp.Process { target = trigger_event, args = { e } }

  p1:start()
  p2:start()

  p1:join()
  p2:join()
end

run()
