-- Document 004, example 4 (4_basic_pool.py): map, starmap and apply_async.
--
-- Expected output:
--   squares: 1 4 9 16 25 36
--   powers: 8 1024 279936
--   async squares: 1 4 9 16 25
local mp = require "mp"

local function square_number(n)
  return n * n
end

local function power(base, exponent)
  return math.tointeger(base ^ exponent)
end

local numbers = { 1, 2, 3, 4, 5, 6 }

do
  local pool <close> = mp.Pool { processes = 4 }
  local squares = pool:map(square_number, numbers)
  print("squares: " .. table.concat(squares, " "))

  local pairs_of = { { 2, 3 }, { 4, 5 }, { 6, 7 } }
  local powers = pool:starmap(power, pairs_of)
  print("powers: " .. table.concat(powers, " "))

  local async_results = {}
  for i = 1, 5 do
    async_results[i] = pool:apply_async(square_number, { numbers[i] })
  end
  local async_squares = {}
  for i, result in ipairs(async_results) do
    async_squares[i] = result:get()
  end
  print("async squares: " .. table.concat(async_squares, " "))
end
