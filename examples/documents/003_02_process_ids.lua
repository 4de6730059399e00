-- Document 003, example 2: process ids, and whether processes are alive.
--
-- Expected output, in any order:
--   ID of main process: …
--   ID of process p1: …
--   ID of process p2: …
--   Process p1 alive: true
--   Process p2 alive: true
--   Simulate some work for worker01. …
--   Simulate some work for worker02. …
--   Done worker01
--   Done worker02
--   Done
--   Process p1 alive: false
--   Process p2 alive: false
local mp = require "mp"

local gate, key = mp.Pipe(false)

local function worker01()
  print(("Simulate some work for worker01. %d"):format(mp.current_process().pid))
  gate:recv()
  print "Done worker01"
end

local function worker02()
  print(("Simulate some work for worker02. %d"):format(mp.current_process().pid))
  gate:recv()
  print "Done worker02"
end

print(("ID of main process: %d"):format(mp.current_process().pid))

local p1 = mp.Process { target = worker01 }
local p2 = mp.Process { target = worker02 }

p1:start()
p2:start()

print(("ID of process p1: %d"):format(p1.pid))
print(("ID of process p2: %d"):format(p2.pid))

print(("Process p1 alive: %s"):format(p1:is_alive()))
print(("Process p2 alive: %s"):format(p2:is_alive()))

key:send(true)
key:send(true)

p1:join()
p2:join()

print "Done"

print(("Process p1 alive: %s"):format(p1:is_alive()))
print(("Process p2 alive: %s"):format(p2:is_alive()))
