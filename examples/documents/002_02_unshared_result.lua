-- Document 002, example 2: a list in the child is not the parent's list.
--
-- Expected output:
--   square	4
--   square	9
--   square	64
--   square	81
--   within a process: result {4, 9, 64, 81}
--   result {}
--   Done!
local mp = require "mp"

local square_result = {}

local function calc_square(numbers)
  for _, n in ipairs(numbers) do
    print("square", n * n)
    table.insert(square_result, n * n)
  end
  print("within a process: result {" .. table.concat(square_result, ", ") .. "}")
end

local arr = { 2, 3, 8, 9 }

local p1 = mp.Process { target = calc_square, args = { arr } }
p1:start()
p1:join()

print("result {" .. table.concat(square_result, ", ") .. "}")
print "Done!"
