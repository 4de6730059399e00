-- Document 001, example 15: setting the start method.
--
-- Expected output:
--   started by spawn
local mp = require "mp"

local function worker()
  print("started by " .. mp.get_start_method())
end

local function run()
  mp.set_start_method("spawn", true) -- or "fork", or "forkserver"
  local p = mp.Process { target = worker }
  p:start()
  p:join()
end

run()
