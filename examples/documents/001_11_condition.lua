-- Document 001, example 11: a consumer waits for a producer's notice.
--
-- The producer starts when the consumer waits: a notice without a waiter is
-- not remembered.
--
-- Expected output, in any order:
--   Consumer is waiting.
--   Producer produced a resource.
--   Consumer consumed the resource.
local mp = require "mp"

local function consumer(cond, ready)
  local _ <close> = cond:hold()
  print "Consumer is waiting."
  ready:set() -- the producer cannot get in before the wait gives the lock up
  cond:wait()
  print "Consumer consumed the resource."
end

local function producer(cond, ready)
  ready:wait()
  local _ <close> = cond:hold()
  print "Producer produced a resource."
  cond:notify()
end

local function run()
  local condition, ready = mp.Condition(), mp.Event()
  local p1 = mp.Process { target = consumer, args = { condition, ready } }
  local p2 = mp.Process { target = producer, args = { condition, ready } }

  p1:start()
  p2:start()

  p1:join()
  p2:join()
end

run()
