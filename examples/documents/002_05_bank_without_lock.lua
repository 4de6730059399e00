-- Document 002, example 5: a bank without a lock. Reading and writing are two
-- steps, so the balance need not be 200 in the end.
--
-- Expected output:
--   balance: …
local mp = require "mp"

local function deposit(balance)
  for _ = 1, 100 do
    balance.value = balance.value + 1
  end
end

local function withdraw(balance)
  for _ = 1, 100 do
    balance.value = balance.value - 1
  end
end

local balance = mp.Value("i", 200)
local d = mp.Process { target = deposit, args = { balance } }
local w = mp.Process { target = withdraw, args = { balance } }
d:start()
w:start()
d:join()
w:join()
print("balance: " .. balance.value)
