--- Running what is ready, for those who own their time: game loops.

local blame = require "mp.blame"
local core = require "mp.core"

local poll = {}

local pumps = {} -- weak: a pump lives as long as what it serves
setmetatable(pumps, { __mode = "k" })

--- pump(deadline) runs what is ready, one thing at a time, until the deadline on
-- mp.time's clock has passed, and returns how many it ran. owner: the object
-- that it serves.
function poll.register(owner, pump)
  pumps[owner] = pump
end

--- mp.poll([seconds]): runs callbacks and waits for ended children, as far as
-- they are ready, for at most so long (without an argument: all of them once);
-- returns how many it ran. Never sleeps.
function poll.poll(seconds)
  if seconds ~= nil and (type(seconds) ~= "number" or seconds ~= seconds) then
    blame.raise("bad argument #1 to 'poll' (%s)", seconds ~= seconds and "seconds must not be NaN"
          or "number expected, got " .. core.typename(seconds))
  end
  local deadline <const> = seconds and core.time() + seconds or math.huge
  local n = 0
  -- Each has its turn, even without time: one that has nothing to do takes none.
  local late <const> = deadline + 100e-6
  for _, pump in pairs(pumps) do
    n = n + pump(deadline)
    if core.time() >= late then
      break
    end
  end
  return n
end

return poll
