--- mp.parent_process(): the process that made this one.

local core = require "mp.core"
local family = require "mp.family"

local parent = {}

local Parent = { __name = "mp.Process" }
Parent.__index = Parent

function Parent:is_alive()
  local _, alive = core.parent()
  return alive and self.pid ~= 0
end

--- Waits for the parent's end.
function Parent.join(_, timeout)
  return core.join_parent(timeout)
end

function Parent:__tostring()
  return ("mp.Process: %s (pid %d, unknown)"):format(self.name, self.pid)
end

local made -- what was given, and to whom

--- Its name, pid, is_alive() and join(); nil in the first process.
function parent.parent_process()
  if not family.parent_name then
    return nil
  end
  if not made or made.of ~= family.here then
    made = {
      of = family.here,
      object = setmetatable({ name = family.parent_name, pid = core.parent() }, Parent),
    }
  end
  return made.object
end

return parent
