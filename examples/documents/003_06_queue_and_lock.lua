-- Document 003, queue example 2: an aggregator takes the results of three
-- workers; a lock keeps the lines on the console apart. The document's seconds
-- are milliseconds here.
--
-- Expected output, in any order:
--   Worker … sent data to the queue.
--   Worker … sent data to the queue.
--   Worker … sent data to the queue.
--   Aggregator received … from the queue.
--   Aggregator received … from the queue.
--   Aggregator received … from the queue.
--   Final aggregated results from Queue: …, …, …
local mp = require "mp"

-- Sends data to the shared queue.
local function worker_with_queue(queue, lock)
  local result = math.random(1, 100) -- simulate some work
  mp.sleep(math.random(1, 3) / 1000) -- that takes its time
  queue:put(result)

  -- Protect console output with the lock.
  lock:with(print, ("Worker %d sent data to the queue."):format(result))
end

-- Collects the results from the queue.
local function aggregator_with_queue(queue, lock, num_workers)
  local results = {}
  for i = 1, num_workers do
    results[i] = queue:get()
    lock:with(print, ("Aggregator received %d from the queue."):format(results[i]))
  end
  print("Final aggregated results from Queue: " .. table.concat(results, ", "))
end

local queue = mp.Queue() -- safe for processes, no lock needed
local lock = mp.Lock() -- for the console
local num_workers = 3
local processes = {}
for i = 1, num_workers do
  processes[i] = mp.Process { target = worker_with_queue, args = { queue, lock } }
end

for _, p in ipairs(processes) do
  p:start()
end
local aggregator =
  mp.Process { target = aggregator_with_queue, args = { queue, lock, num_workers } }
aggregator:start()

for _, p in ipairs(processes) do
  p:join()
end
aggregator:join()
