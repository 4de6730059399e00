-- Document 001, example 9: one process prints at a time.
--
-- Expected output, in any order:
--   tango
--   foxtrot
--   alpha
local mp = require "mp"

local function printer(item, lock)
  local _ <close> = lock:hold()
  print(item)
end

local function run()
  local lock = mp.Lock()
  for _, item in ipairs { "tango", "foxtrot", "alpha" } do
    local p = mp.Process { target = printer, args = { item, lock } }
    p:start()
  end
end

run()
