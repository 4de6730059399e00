--- What is true of this process as a whole: who it is, and whom it started. A
-- forked child starts anew.
--
-- All of it lies in one table of fixed fields. A child just forked shares all
-- pages with its parent and copies each that it writes to: here that is one.

local core = require "mp.core"

local family = {
  -- What this process is to its own Process object: see mp.process_fields.
  here = { name = "MainProcess", path = "", daemon = false, pid = core.getpid() },
  parent_name = false, -- of the first process
  has_globals = true, -- those of the script: a child that was not forked has not
  method = false, -- the default start method, from its first use on
  counter = 0, -- of default names
  log = false, -- mp.log, once anybody asked for a logger
  has_server = false, -- this process, or one before it, started a fork server
  children = {}, -- the states of those started and not known to be over, by pid
  at_exit = {},
  at_start = {}, -- of every child
}

--- From now on this process is the child that s describes.
function family.enter(s, parent_name)
  family.here, family.parent_name, family.counter = s, parent_name, 0
  if next(family.children) then
    family.children = {}
  end
  if family.at_exit[1] then
    family.at_exit = {}
  end
end

--- Takes out those that are over; returns how many.
function family.reap()
  local n = 0
  for pid, s in pairs(family.children) do
    if not s.handle:alive() then
      family.children[pid] = nil
      n = n + 1
    end
  end
  return n
end

local function catch(value)
  return require("mp.error").catch(value)
end

function family.report(err)
  core.report(("Process %s:\n%s"):format(family.here.name, tostring(err)))
end

--- Whether all handlers ended well.
function family.run_at_exit()
  local ok = true
  while family.at_exit[1] do
    local good, err = xpcall(table.remove(family.at_exit), catch)
    if not good then
      ok = false
      core.report(tostring(err))
    end
  end
  return ok
end

--- Daemons end, other children are waited for: for so many seconds, if given.
function family.end_children(seconds)
  local deadline = seconds and core.time() + seconds
  local function left(most)
    local rest = deadline and math.max(0, deadline - core.time())
    return rest and most and math.min(rest, most) or rest or most
  end
  local rest = {}
  for _, s in pairs(family.children) do
    rest[#rest + 1] = s
  end
  for _, s in ipairs(rest) do
    if s.daemon then
      s.handle:signal(core.SIGTERM)
    end
  end
  for _, s in ipairs(rest) do
    if s.daemon and not s.handle:join(left(1)) then
      s.handle:signal(core.SIGKILL)
    end
  end
  for _, s in ipairs(rest) do
    s.handle:join(left())
  end
  family.children = {}
end

--- This process needs no fork server any more, if it had one.
function family.end_server()
  if family.has_server then
    package.loaded["mp.start"].finish()
  end
end

--- The end of the main program, and of a host's state.
function family.finish()
  family.run_at_exit()
  family.end_children(core.shutdown())
  family.end_server()
end

return family
