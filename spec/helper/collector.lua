--- collector.set(name, value): sets "pause" or "stepmul" of the collector and
-- returns what it was; in the way of 5.4 or of 5.5.
local collector = {}

function collector.set(name, value)
  if _VERSION == "Lua 5.4" then
    return collectgarbage("set" .. name, value)
  end
  return collectgarbage("param", name, value)
end

return collector
