-- Document 000, "Pipe": each process counts in a shared dict, adds a key of its
-- own, and sends the dict back; all that arrive are the one dict.
--
-- In the document `d[1] += 1` is two operations, of which another process's may
-- fall between; `incr` is one.
--
-- Expected output:
--   4 dicts came, all the same one: true
--   d[1] is 5
--   key-1 to key-4 are there: true
local mp = require "mp"

local function f(conn, data, i)
  mp.dict.incr(data, 1)
  data["key-" .. i] = math.random(1000)
  conn:send(data)
  conn:close()
end

local manager <close> = mp.Manager()
local d = manager:dict { 1 }

local conns, processes = {}, {}
for i = 1, 4 do
  local parent_conn, child_conn = mp.Pipe()
  conns[i] = parent_conn
  processes[i] = mp.Process(f, child_conn, d, i)
end
for _, p in ipairs(processes) do
  p:start()
end
for _, p in ipairs(processes) do
  p:join()
end
local count, same, all = 0, true, true
for _, conn in ipairs(conns) do
  local received = conn:recv()
  count = count + 1
  same = same and received == d
end
for i = 1, 4 do
  all = all and d["key-" .. i] ~= nil
end
print(("%d dicts came, all the same one: %s"):format(count, same))
print("d[1] is " .. d[1])
print("key-1 to key-4 are there: " .. tostring(all))
