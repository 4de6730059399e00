-- Document 000, example 3: a number and an array in shared memory.
--
-- Expected output:
--   3.1415927
--   0 -1 -2 -3 -4 -5 -6 -7 -8 -9
local mp = require "mp"

local function f(n, a)
  n.value = 3.1415927
  for i = 1, #a do
    a[i] = -a[i]
  end
end

local num = mp.Value("d", 0.0)
local arr = mp.Array("i", { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 })

local p = mp.Process { target = f, args = { num, arr } }
p:start()
p:join()

print(num.value)
print(table.concat(arr:totable(), " "))
