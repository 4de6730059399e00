-- Document 001, "Manager": one process fills a shared list, the next doubles
-- what is in it.
--
-- Expected output:
--   Adder: Added numbers 0-4 to the list.
--   Modifier: Doubled the numbers in the list.
--   Final list: [0, 2, 4, 6, 8]
local mp = require "mp"

local function adder(shared_list)
  for i = 0, 4 do
    shared_list:append(i)
  end
  print("Adder: Added numbers 0-4 to the list.")
end

local function modifier(shared_list)
  for i = 1, #shared_list do
    shared_list[i] = shared_list[i] * 2
  end
  print("Modifier: Doubled the numbers in the list.")
end

local manager <close> = mp.Manager()
local shared_list = manager:list()

local p1 = mp.Process(adder, shared_list)
local p2 = mp.Process(modifier, shared_list)
p1:start()
p1:join()
p2:start()
p2:join()
local numbers = {}
for i, n in ipairs(shared_list) do
  numbers[i] = n
end
print(("Final list: [%s]"):format(table.concat(numbers, ", ")))
