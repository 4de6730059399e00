-- Document 004, example 7 (7_adv_prod_consumer.py): one producer, three
-- consumers, and nil for "no more", which each consumer puts back for the next.
-- The document's tenths of seconds are milliseconds here.
--
-- Expected output, in any order:
--   Consumer … processing: item_0
--   Consumer … processing: item_1
--   Consumer … processing: item_2
--   Consumer … processing: item_3
--   Consumer … processing: item_4
--   Consumer … processing: item_5
--   Consumer … processing: item_6
--   Consumer … processing: item_7
--   Consumer … processing: item_8
--   Consumer … processing: item_9
local mp = require "mp"

local function producer(queue, num_items)
  for i = 0, num_items - 1 do
    queue:put("item_" .. i)
    mp.sleep(0.001)
  end
  queue:put(nil)
end

local function consumer(queue, consumer_id)
  while true do
    local item = queue:get()
    if item == nil then
      queue:put(nil)
      break
    end
    print(("Consumer %d processing: %s"):format(consumer_id, item))
    mp.sleep(0.002)
  end
end

local queue = mp.Queue()
local producer_proc = mp.Process { target = producer, args = { queue, 10 } }
local consumer_procs = {}
for i = 1, 3 do
  consumer_procs[i] = mp.Process { target = consumer, args = { queue, i - 1 } }
end
producer_proc:start()
for _, p in ipairs(consumer_procs) do
  p:start()
end
producer_proc:join()
for _, p in ipairs(consumer_procs) do
  p:join()
end
