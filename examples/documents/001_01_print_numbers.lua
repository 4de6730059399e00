-- Document 001, example 1: creating a process.
--
-- Expected output:
--   1
--   2
--   3
--   4
--   5
--   Process finished execution.
local mp = require "mp"

local function print_numbers()
  for i = 1, 5 do
    print(i)
  end
end

-- Create the process, start it, wait for it to complete.
local process = mp.Process { target = print_numbers }
process:start()
process:join()

print "Process finished execution."
