-- Document 001, example 2: ending a process by force.
--
-- Expected output:
--   Running...
--   Running...
--   Running...
--   ended by signal 15
local mp = require "mp"

local seen, told = mp.Pipe(false)

local function endless_task()
  for i = 1, math.huge do
    if i <= 3 then -- it runs on, without another word
      print "Running..."
      io.stdout:flush()
      told:send(true)
    end
    mp.sleep(0.001)
  end
end

local function run()
  local p = mp.Process { target = endless_task }
  p:start()
  for _ = 1, 3 do
    seen:recv()
  end
  p:terminate()
  p:join()
  print(("ended by signal %d"):format(-p.exitcode))
end

run()
