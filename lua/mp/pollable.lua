--- What event loops ask of objects of the Lua half: the methods that
-- lua/core/wait.c gives to the others.

local core = require "mp.core"

local pollable = {}

-- A worker that was killed rings no bell: whoever waits for its task's result
-- asks again after so many seconds, which finds it.
local AGAIN <const> = 0.5

-- The names that cqueues (pollfd, events, timeout) and LuaSocket's select
-- (getfd, dirty) ask for.
local function set(class, pollfd, is_ready, again)
  class.pollfd, class.getfd, class.dirty = pollfd, pollfd, is_ready

  --- What pollfd is to be asked for.
  function class:events()
    pollfd(self)
    return "r"
  end

  --- 0 when it is ready; otherwise the descriptor will tell, and the seconds
  -- after which to ask in any case, or nil.
  function class:timeout()
    return is_ready(self) and 0 or again
  end
end

--- Objects that are ready when a descriptor of their own is readable.
function pollable.by_descriptor(class, descriptor)
  set(class, descriptor, function(self)
    return #core.wait({ descriptor(self) }, 0) > 0
  end)
end

--- Results: ready when settled. What happens to their jobs rings the bell of
-- mp.getfd(), once it is armed, which is after a look that found nothing.
function pollable.by_result(class)
  set(class, core.getfd, function(self)
    local job
    repeat
      self.pool:attend(core.time())
      job = self.state == nil and self:watched()
      if job then
        job:look() -- what comes from now on is news
      end
      if self:check() then
        return true
      end
    until not job or not job:dirty()
    return false
  end, AGAIN)
end

return pollable
