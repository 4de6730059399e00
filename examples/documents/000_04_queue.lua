-- Document 000, example 4: the results of processes, through a queue.
--
-- Expected output:
--   2 4 6 8
local mp = require "mp"

-- Create a queue to hold the results.
local queue = mp.Queue()

-- The function that will be run in the process.
local function f(arg, q)
  local result = arg[1] + arg[2]
  q:put(result)
end

-- Create a list of processes.
local arg_list = { { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 } }
local processes = {}
for i, arg in ipairs(arg_list) do
  processes[i] = mp.Process { target = f, args = { arg, queue } }
end

-- Start the processes.
for _, p in ipairs(processes) do
  p:start()
end

-- Wait for the processes to complete.
for _, p in ipairs(processes) do
  p:join()
end

-- Get the results from the queue; they come in the order of the processes'
-- ends.
local results = {}
while not queue:empty() do
  table.insert(results, queue:get())
end
table.sort(results)
print(table.concat(results, " "))
