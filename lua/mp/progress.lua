--- How far a map is: a bar on a terminal, or a call of the user's function, a few
-- times a second and at the end.

local core = require "mp.core"
local Error = require "mp.error"

local Progress = {}
Progress.__index = Progress

local EVERY <const> = 0.1 -- seconds
local WIDTH <const> = 30

--- what: true, or f(done, total, eta, failed). Nothing where there is nobody to
-- look at a bar.
function Progress.new(what)
  if what == true and not core.isatty(2) then
    return nil
  end
  return setmetatable({
    call = what ~= true and what or nil,
    began = core.time(),
    next = 0,
    most = 0,
  }, Progress)
end

function Progress:is_due()
  return core.time() >= self.next
end

local function clock(seconds)
  local s = seconds // 1 | 0
  if s >= 3600 then
    return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60)
  end
  return ("%d:%02d"):format(s // 60, s % 60)
end

function Progress:draw(done, total, eta, failed, over)
  local share = total > 0 and done / total or 1
  local filled = (share * WIDTH) // 1 | 0
  local elapsed = core.time() - self.began
  io.stderr:write(
    ("\r[%s%s] %3d%% %d/%d %.0f/s %s%s\27[K"):format(
      ("="):rep(filled),
      (" "):rep(WIDTH - filled),
      (share * 100) // 1 | 0,
      done,
      total,
      elapsed > 0 and done / elapsed or 0,
      over and "in " .. clock(elapsed) or "ETA " .. (eta and clock(eta) or "?"),
      failed > 0 and (", %d failed"):format(failed) or ""
    ),
    over and "\n" or ""
  )
  io.stderr:flush()
end

--- So many of the total are done.
function Progress:tell(done, total, failed, over)
  local now = core.time()
  self.next = now + EVERY
  -- A task that is tried again is not done any more: never go back for that.
  self.most = math.max(self.most, math.min(done, total))
  done = self.most
  local eta
  if done == total then
    eta = 0
  elseif done > 0 then
    eta = (now - self.began) / done * (total - done)
  end
  if self.call then
    local ok, err = pcall(self.call, done, total, eta, failed)
    if not ok then
      warn("mp: a progress function failed: ", Error.text(err))
      self.call = function() end
    end
  else
    self:draw(done, total, eta, failed, over)
  end
end

return Progress
