--- Garbage that keeps alive what others have let go of: it is collected soon, but
-- in no more than a twentieth of the time.

local core = require "mp.core"

local Tidy = {}
Tidy.__index = Tidy

local PAUSE <const>, SHARE <const> = 0.02, 20

--- There is some.
function Tidy:note()
  self.due = true
end

--- Collects it if it is time; the seconds until it will be, nil when there is
-- nothing to do.
function Tidy:look()
  if not self.due then
    return nil
  end
  local now = core.time()
  if now < self.at then
    return self.at - now
  end
  self.due = false
  collectgarbage()
  local done = core.time()
  self.at = done + math.max(PAUSE, SHARE * (done - now))
  return nil
end

local function new()
  return setmetatable({ due = false, at = 0 }, Tidy)
end

return { new = new }
