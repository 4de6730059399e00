-- Document 002, example 6: the bank with a lock is right every time.
--
-- Expected output:
--   200
local mp = require "mp"

local function deposit(balance, lock)
  for _ = 1, 100 do
    lock:acquire()
    balance.value = balance.value + 1
    lock:release()
  end
end

local function withdraw(balance, lock)
  for _ = 1, 100 do
    lock:acquire()
    balance.value = balance.value - 1
    lock:release()
  end
end

local balance = mp.Value("i", 200)
local lock = mp.Lock()

local p1 = mp.Process { target = deposit, args = { balance, lock } }
local p2 = mp.Process { target = withdraw, args = { balance, lock } }

p1:start()
p2:start()

p1:join()
p2:join()

print(balance.value)
