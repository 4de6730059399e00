-- Document 001, example 5: a pipe between parent and child.
--
-- Expected output:
--   Hello from the child process!
local mp = require "mp"

local function worker(connection)
  connection:send "Hello from the child process!"
  connection:close()
end

local function run()
  local parent_connection, child_connection = mp.Pipe()
  local p = mp.Process { target = worker, args = { child_connection } }
  p:start()
  print((parent_connection:recv())) -- the message from the child process
  p:join()
end

run()
