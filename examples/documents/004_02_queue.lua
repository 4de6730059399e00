-- Document 004, example 2 (2_basic_multi_q.py): results through a queue.
--
-- Expected output, in any order:
--   Process-0: 0
--   Process-1: 10
--   Process-2: 20
local mp = require "mp"

local function worker_with_result(name, number, queue)
  queue:put(("%s: %d"):format(name, number * 10))
end

local result_queue = mp.Queue()

-- Create and start processes.
local processes = {}
for i = 0, 2 do
  local p = mp.Process { target = worker_with_result, args = { "Process-" .. i, i, result_queue } }
  table.insert(processes, p)
  p:start()
end
for _, p in ipairs(processes) do
  p:join()
end

local results = {}
while not result_queue:empty() do
  table.insert(results, result_queue:get())
end
for _, result in ipairs(results) do
  print(result)
end
