-- Document 004, example 8 (8_adv_manager.py): workers write into a shared dict
-- and a shared list.
--
-- Expected output:
--   worker_0: Hello from worker 0
--   worker_1: Hello from worker 1
--   worker_2: Hello from worker 2
--   worker_3: Hello from worker 3
--   4 items, the last by name: Item from worker 3
local mp = require "mp"

local function worker_with_manager(shared_dict, shared_list, worker_id)
  shared_dict["worker_" .. worker_id] = "Hello from worker " .. worker_id
  shared_list:append("Item from worker " .. worker_id)
  mp.sleep(0.1)
end

local manager <close> = mp.Manager()
local shared_dict = manager:dict()
local shared_list = manager:list()
local processes = {}
for i = 0, 3 do
  processes[#processes + 1] = mp.Process {
    target = worker_with_manager,
    args = { shared_dict, shared_list, i },
  }
  processes[#processes]:start()
end
for _, p in ipairs(processes) do
  p:join()
end
for i = 0, 3 do
  print(("worker_%d: %s"):format(i, shared_dict["worker_" .. i]))
end
local items = {}
for i, item in ipairs(shared_list) do
  items[i] = item
end
table.sort(items)
print(("%d items, the last by name: %s"):format(#items, items[#items]))
