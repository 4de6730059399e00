-- Document 001, example 13: nobody passes before all have come.
--
-- Expected output, in any order:
--   Process 0 is performing its task
--   Process 1 is performing its task
--   Process 2 is performing its task
--   Process 0 passed the barrier
--   Process 1 passed the barrier
--   Process 2 passed the barrier
local mp = require "mp"

local function task(barrier, process_id)
  print(("Process %d is performing its task"):format(process_id))
  mp.sleep(0.02)
  barrier:wait()
  print(("Process %d passed the barrier"):format(process_id))
end

local function run()
  local barrier = mp.Barrier(3)

  local processes = {}
  for i = 0, 2 do
    processes[#processes + 1] = mp.Process { target = task, args = { barrier, i } }
  end

  for _, p in ipairs(processes) do
    p:start()
  end
  for _, p in ipairs(processes) do
    p:join()
  end
end

run()
