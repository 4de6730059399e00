-- Document 001, example 12: two of four processes at a time.
--
-- Expected output, in any order:
--   Process 0 is accessing the resource
--   Process 1 is accessing the resource
--   Process 2 is accessing the resource
--   Process 3 is accessing the resource
--   Process 0 released the resource
--   Process 1 released the resource
--   Process 2 released the resource
--   Process 3 released the resource
local mp = require "mp"

local function access_resource(semaphore, process_id)
  do
    local _ <close> = semaphore:hold()
    print(("Process %d is accessing the resource"):format(process_id))
    mp.sleep(0.02) -- simulate resource access
  end
  print(("Process %d released the resource"):format(process_id))
end

local function run()
  local semaphore = mp.Semaphore(2)

  local processes = {}
  for i = 0, 3 do
    processes[#processes + 1] =
      mp.Process { target = access_resource, args = { semaphore, i } }
  end

  for _, p in ipairs(processes) do
    p:start()
  end
  for _, p in ipairs(processes) do
    p:join()
  end
end

run()
