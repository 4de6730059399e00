-- Document 001, example 7: four processes count in shared memory.
--
-- 'add' is atomic; 'v.value = v.value + 1' would be two steps, as in Python.
--
-- Expected output:
--   Shared Value: 4
--   Shared Array: 4 5 6 7 8
local mp = require "mp"

local function update_shared_value(shared_value, shared_array)
  shared_value:add(1)
  for i = 1, #shared_array do
    shared_array:add(i, 1)
  end
end

local function run()
  local shared_value = mp.Value("i", 0)
  local shared_array = mp.Array("i", { 0, 1, 2, 3, 4 })

  local processes = {}
  for i = 1, 4 do
    processes[i] =
      mp.Process { target = update_shared_value, args = { shared_value, shared_array } }
    processes[i]:start()
  end
  for _, p in ipairs(processes) do
    p:join()
  end

  print("Shared Value: " .. shared_value.value)
  print("Shared Array: " .. table.concat(shared_array:totable(), " "))
end

run()
