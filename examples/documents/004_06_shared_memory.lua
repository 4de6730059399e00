-- Document 004, example 6 (6_adv_shared_mem.py): a value and an array under a
-- lock.
--
-- Expected output:
--   value: 4
--   array, sorted: 1 2 3 4
local mp = require "mp"

local function worker_with_shared_memory(shared_value, shared_array, lock, worker_id)
  local _ <close> = lock:hold()
  shared_value.value = shared_value.value + 1
  shared_array[worker_id] = shared_value.value
end

local shared_value = mp.Value("i", 0) -- 'i' for integer
local shared_array = mp.Array("i", { 0, 0, 0, 0 }) -- an array of 4 integers
local lock = mp.Lock()
local processes = {}
for i = 1, 4 do
  local p = mp.Process {
    target = worker_with_shared_memory,
    args = { shared_value, shared_array, lock, i },
  }
  processes[i] = p
  p:start()
end
for _, p in ipairs(processes) do
  p:join()
end

local values = shared_array:totable()
table.sort(values)
print("value: " .. shared_value.value)
print("array, sorted: " .. table.concat(values, " "))
