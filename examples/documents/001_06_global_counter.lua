-- Document 001, example 6: global variables are not shared.
--
-- The counter is an upvalue, so the example means the same under every start
-- method: each process has a copy of its own.
--
-- Expected output:
--   Counter in child process: 1
--   Counter in main process: 0
local mp = require "mp"

local counter = 0

local function increment()
  counter = counter + 1
  print(("Counter in child process: %d"):format(counter))
end

local function run()
  local p = mp.Process { target = increment }
  p:start()
  p:join()
  print(("Counter in main process: %d"):format(counter))
end

run()
