-- Document 002, example 7: the same work by a pool and by a loop.
--
-- Expected output:
--   the same results
--   Pool took: … seconds
--   Sequential processing took: … seconds
local mp = require "mp"

local function f(_)
  local sum = 0
  for x = 0, 999 do
    sum = sum + x * x
  end
  return sum
end

local n <const> = 2000

local t1 = mp.time()
local p = mp.Pool() -- as many processes as there are CPUs to use
local result = p:map(f, mp.range(0, n - 1)) -- the work is divided among them
p:close()
p:join()
local pool_took = mp.time() - t1

local t2 = mp.time()
local sequential = {}
for x = 0, n - 1 do
  sequential[#sequential + 1] = f(x)
end
local loop_took = mp.time() - t2

for i = 1, n do
  assert(result[i] == sequential[i])
end
print "the same results"
print(("Pool took: %.4f seconds"):format(pool_took))
print(("Sequential processing took: %.4f seconds"):format(loop_took))
