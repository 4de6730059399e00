-- Document 002, example 3: results by way of shared memory.
--
-- Expected output:
--   Inside process: result 4 9 25
--   Outside process: result 4 9 25
--   Outside process: value 5.67
--   Done!
local mp = require "mp"

local function calc_square(numbers, result, v)
  v.value = 5.67
  for i, n in ipairs(numbers) do
    result[i] = n * n
  end
  print("Inside process: result " .. table.concat(result:totable(), " "))
end

local numbers = { 2, 3, 5 }
local result = mp.Array("i", 3) -- an array of 3 integers
local v = mp.Value("d", 0.0)

local p1 = mp.Process { target = calc_square, args = { numbers, result, v } }
p1:start()
p1:join()

print("Outside process: result " .. table.concat(result:totable(), " "))
print("Outside process: value " .. v.value)
print "Done!"
