-- Document 001, example 3: a daemon ends with the main program.
--
-- Expected output:
--   Daemon process running...
--   Main process ends.
local mp = require "mp"

local seen, told = mp.Pipe(false)

local function daemon_process()
  print "Daemon process running..."
  io.stdout:flush()
  told:send(true)
  while true do
    mp.sleep(1)
  end
end

local function run()
  local d = mp.Process { target = daemon_process }
  d.daemon = true
  d:start()
  seen:recv()
  print "Main process ends."
end

run()
