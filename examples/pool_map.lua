-- A pool in five minutes: results in order, errors, retries, time limits,
-- results while they come.
-- Usage: ./dev run examples/pool_map.lua
--
-- Expected output:
--   squares: 1 4 9 16 25
--   failed: 3 (it is odd that 3 is odd)
--   third time lucky, in attempt 3
--   given up: the task took longer than 0.1 s
--   first of endless results: 1 4 9
--   sum of squares: 333833500
local mp = require "mp"

-- The pool ends with this scope, by an error too.
local pool <close> = mp.Pool(2)

-- Any function can be sent, with its upvalues.
local power = 2
local squares = pool:map(function(x)
  return math.tointeger(x ^ power)
end, { 1, 2, 3, 4, 5 })
print("squares: " .. table.concat(squares, " "))

-- By default the first error ends a map and is raised; here they are collected.
local results = pool:map(function(x)
  if x == 3 then
    error("it is odd that 3 is odd", 0)
  end
  return x
end, mp.range(5), { on_error = "collect" })
for _, i in ipairs(results.errors) do
  print(("failed: %d (%s)"):format(i, results[i].message))
end

-- What fails now and then is tried again: so is a task whose worker was killed.
local attempts = mp.Value "i"
print(pool:apply(function()
  local n = attempts:add(1)
  if n < 3 then
    error "not yet"
  end
  return ("third time lucky, in attempt %d"):format(n)
end, {}, { retries = 5 }))

-- A task that takes too long is interrupted; one that does not heed it is ended
-- with its worker.
local ok, err = pool:apply_async(function()
  while true do end
end, {}, { timeout = 0.1 }):pget()
print("given up: " .. (ok and "no" or err.message))

-- Results one by one, of items that are made when they are needed.
local function endless()
  local n = 0
  return function()
    n = n + 1
    return n
  end
end
local first = {}
for i, square in pool:imap(function(x) return x * x end, endless()) do
  first[i] = square
  if i == 3 then
    break
  end
end
print("first of endless results: " .. table.concat(first, " "))

-- The same work for the whole, in pieces.
local function add(a, b)
  return a + b
end
local squares_of = pool:map(function(x) return x * x end, mp.range(1000))
print("sum of squares: " .. pool:reduce(add, squares_of))
