-- Document 001, example 4: a message from a child, through a queue.
--
-- Expected output:
--   Hello from the child process!
local mp = require "mp"

local function worker(q)
  q:put "Hello from the child process!"
end

local function run()
  local q = mp.Queue()
  local p = mp.Process { target = worker, args = { q } }
  p:start()
  print(q:get()) -- Prints the message from the child process
  p:join()
end

run()
