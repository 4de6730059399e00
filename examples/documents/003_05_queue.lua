-- Document 003, queue example 1: squares through a queue, which needs no lock.
--
-- Expected output:
--   1
--   16
--   25
--   36
--   49
--   16
--   Queue is now empty
--   All Done
local mp = require "mp"

local function square_list(list, queue)
  for _, item in ipairs(list) do
    queue:put(item * item)
  end
end

local function print_queue(queue)
  while not queue:empty() do
    print(queue:get())
  end
  print "Queue is now empty"
end

local queue = mp.Queue()
local list = { 1, 4, 5, 6, 7, 4 }
local p1 = mp.Process { target = square_list, args = { list, queue } }
local p2 = mp.Process { target = print_queue, args = { queue } }

-- Running process p1 to square the list.
p1:start()
p1:join()

-- Running process p2 to get the queue's elements and print them.
p2:start()
p2:join()

print "All Done"
