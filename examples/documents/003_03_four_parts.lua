-- Document 003, example 3: process, queue, pipe and lock together.
--
-- Expected output:
--   Task executed
--   Consumer received from queue: Done
--   Consumer received from pipe: Data from pipe worker
--   Done
local mp = require "mp"

local function queue_worker(queue, lock)
  local _ <close> = lock:hold()
  print "Task executed"
  queue:put "Done"
end

local function pipe_worker(conn)
  conn:send "Data from pipe worker"
  conn:close()
end

local function consumer(queue, parent_conn, lock)
  local _ <close> = lock:hold()
  print("Consumer received from queue: " .. queue:get())
  print("Consumer received from pipe: " .. parent_conn:recv())
end

-- For exchange of data between processes.
local queue = mp.Queue()

-- For synchronization: only one process at a time.
local lock = mp.Lock()

-- For communication both ways.
local parent_conn, child_conn = mp.Pipe()

local queue_process = mp.Process { target = queue_worker, args = { queue, lock } }
local pipe_process = mp.Process { target = pipe_worker, args = { child_conn } }
local consumer_process = mp.Process { target = consumer, args = { queue, parent_conn, lock } }

queue_process:start()
pipe_process:start()

-- Wait for both processes to finish.
queue_process:join()
pipe_process:join()

-- Start the consumer process after data is available.
consumer_process:start()
consumer_process:join()

print "Done"
