-- Document 004, example 1 (1_basic_multi.py): processes in a list.
--
-- Expected output, in any order:
--   Worker-0 works
--   Worker-1 works
--   Worker-2 works
--   all done
local mp = require "mp"

local function worker_function(name)
  print(name .. " works")
end

local processes = {}
for i = 0, 2 do
  local p = mp.Process { target = worker_function, args = { "Worker-" .. i } }
  table.insert(processes, p)
  p:start()
end
for _, p in ipairs(processes) do
  p:join()
end
print "all done"
