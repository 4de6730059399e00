-- Document 000, example 2: argument lists, unpacked.
--
-- Expected output:
--   2 4 6 8
local mp = require "mp"

local function f(arg1, arg2)
  return arg1 + arg2
end

do
  local p <close> = mp.Pool(4)
  local results = p:starmap(f, { { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 } })
  print(table.concat(results, " "))
end
