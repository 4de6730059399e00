-- Document 000, example 1: a function applied to each element by a pool.
--
-- Expected output:
--   1 4 9 16
local mp = require "mp"

local function f(arg)
  return arg ^ 2 // 1 | 0
end

-- Create a pool with 4 worker processes; leaving the scope waits for it.
do
  local p <close> = mp.Pool(4)
  local results = p:map(f, { 1, 2, 3, 4 })
  print(table.concat(results, " "))
end
