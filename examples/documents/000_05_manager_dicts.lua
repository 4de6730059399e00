-- Document 000, "Manager": processes write into dicts that lie in a shared dict.
--
-- Expected output:
--   dict1 key1=12 key2=13
--   dict2 key1=22 key2=23
local mp = require "mp"

local function f(d, key1, key2, value)
  d[key1][key2] = value + 1
end

local manager <close> = mp.Manager()
local d = manager:dict()
d.dict1 = manager:dict()
d.dict2 = manager:dict()

local processes = {}
for i, args in ipairs {
  { "dict1", "key1", 11 },
  { "dict1", "key2", 12 },
  { "dict2", "key1", 21 },
  { "dict2", "key2", 22 },
} do
  processes[i] = mp.Process(f, d, table.unpack(args))
end
for _, p in ipairs(processes) do
  p:start()
end
for _, p in ipairs(processes) do
  p:join()
end
for _, name in ipairs { "dict1", "dict2" } do
  print(("%s key1=%d key2=%d"):format(name, d[name].key1, d[name].key2))
end
