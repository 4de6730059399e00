-- Document 004, example 3 (3_basic_seq_par.py): a task four times in turn, and
-- four times at once.
--
-- Expected output:
--   Sequential execution:
--   Sequential time: … seconds
--   Parallel execution:
--   Parallel time: … seconds
--   the same results
local mp = require "mp"

local function cpu_intensive_task(n)
  local sum = 0
  for i = 1, n do
    sum = sum + i * i
  end
  return sum
end

print "Sequential execution:"
local start = mp.time()
local in_turn = {}
for i = 1, 4 do
  in_turn[i] = cpu_intensive_task(100000)
end
print(("Sequential time: %.4f seconds"):format(mp.time() - start))

print "Parallel execution:"
start = mp.time()
local results
do
  local pool <close> = mp.Pool { processes = 4 }
  results = pool:map(cpu_intensive_task, { 100000, 100000, 100000, 100000 })
end
print(("Parallel time: %.4f seconds"):format(mp.time() - start))

for i = 1, 4 do
  assert(results[i] == in_turn[i])
end
print "the same results"
