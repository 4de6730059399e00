-- Document 002, example 1: two tasks at once.
--
-- Expected output, in any order:
--   square	4
--   square	9
--   square	64
--   square	81
--   cube	8
--   cube	27
--   cube	512
--   cube	729
--   Done!
local mp = require "mp"

local function calc_square(numbers)
  for _, n in ipairs(numbers) do
    mp.sleep(0.002)
    print("square", n * n)
  end
end

local function calc_cube(numbers)
  for _, n in ipairs(numbers) do
    mp.sleep(0.002)
    print("cube", n * n * n)
  end
end

local arr = { 2, 3, 8, 9 }

-- Create new processes, binding them to tasks.
local p1 = mp.Process { target = calc_square, args = { arr } }
local p2 = mp.Process { target = calc_cube, args = { arr } }

p1:start()
p2:start()

-- Wait for both to finish.
p1:join()
p2:join()

print "Done!"
