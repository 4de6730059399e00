-- Document 003, example 1: two processes, then both are waited for.
--
-- Expected output, in any order:
--   Simulate some work for cube
--   Simulate some work for square
--   Cube: 2197
--   Square: 100
--   Done
local mp = require "mp"

local function print_cube(num)
  print "Simulate some work for cube"
  mp.sleep(0.01)
  print(("Cube: %d"):format(num * num * num))
end

local function print_square(num)
  print "Simulate some work for square"
  mp.sleep(0.015)
  print(("Square: %d"):format(num * num))
end

-- Creating processes.
local p1 = mp.Process { target = print_square, args = { 10 } }
local p2 = mp.Process { target = print_cube, args = { 13 } }

p1:start()
p2:start()

p1:join()
p2:join()

print "Done"
