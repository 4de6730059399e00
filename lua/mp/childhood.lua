--- The life of a child, from its first step to its last: it never returns. What
-- a program of its own needs for that is here and in mp.family, and no more: to
-- compile the rest would take longer than a short life.

local blame = require "mp.blame"
local core = require "mp.core"
local family = require "mp.family"

local childhood = {}

local function catch(value)
  return require("mp.error").catch(value)
end

local function leave(code)
  if family.at_exit[1] and not family.run_at_exit() and code == 0 then
    code = 1
  end
  if next(family.children) then
    local ok, err = xpcall(family.end_children, catch)
    if not ok then
      family.report(err)
    end
  end
  family.end_server()
  if family.log then
    family.log.event("info", "process ends with exit code %d", code & 0xff)
  end
  pcall(core.close_state)
  core.exit(family.here.handle, code & 0xff)
end

local function give(handle, ...)
  local ok, sent, why = pcall(handle.give, handle, ...)
  if ok and sent then
    return
  end
  pcall(handle.give, handle, false, require("mp.error").new {
    kind = "error",
    message = ok and why or sent,
    process = family.here.name,
    pid = core.getpid(),
  })
end

-- In a child `os.exit` ends the process as its target's return would.
local function exit(code)
  if code == nil or code == true then
    code = 0
  elseif code == false then
    code = 1
  elseif math.type(code) ~= "integer" then
    code = math.tointeger(code)
      or blame.raise("bad argument #1 to 'exit' (number has no integer representation)")
  end
  if code & 0xff == 0 then
    local s = family.here
    local lost = require("mp.error").lost(s.name, core.getpid(), 0)
    give(s.handle, false, lost) -- or it would be a return
  end
  leave(code)
end

-- What the target's end means for the child.
local function finish(s, ok, ...)
  if ok then
    -- Exit code 0 and no message say that nothing was returned.
    if select("#", ...) > 0 then
      give(s.handle, true, ...)
    end
    return leave(0)
  end
  local err = ...
  -- What stood below in the parent, before the fork, is not of this process.
  err.traceback =
    err.traceback:gsub("\n\t%[C%]: in function 'xpcall'\n\t[^\n]*childhood%.lua:.*$", "")
  err.process, err.pid = err.process or s.name, err.pid or core.getpid()
  family.report(err)
  give(s.handle, false, err)
  leave(1)
end

--- Process.run, once there is mp.process.
childhood.run = false

--- What a process does that runs no other: of its state.
function childhood.call_target(s)
  local f, args = s.target, s.args
  if s == family.here then
    -- As a field of mp.family the function would have a name, and travel by it
    -- to children that have no such field.
    s.target, s.args = nil, nil
  end
  if f and args then
    return f(table.unpack(args, 1, args.n or #args))
  elseif f then
    return f()
  end
end

-- Its first steps, then what it is for.
local function live(s, parent_name, ...)
  family.enter(s, parent_name)
  family.method = s.method or family.method -- for children of its own
  os.exit = exit -- luacheck: ignore 122
  math.randomseed(...)
  if family.log then
    family.log.event("info", "process started")
  end
  if family.at_start[1] then
    for _, f in ipairs(family.at_start) do
      f()
    end
  end
  local self = s.object
  local run = self and self.run or childhood.run
  if run == childhood.run then
    return childhood.call_target(s)
  end
  return run(self)
end

--- Lives as what s describes; the rest: the seed of math.random. Just forked, a
-- child makes and changes as little as it can, calls included: each deeper one
-- writes to a page of its own.
--
-- Whatever happens, it does not return into its parent's functions: not even
-- for want of memory to report an error.
function childhood.begin(s, ...)
  pcall(finish, s, xpcall(live, catch, s, ...))
  core.exit(s.handle, 1)
end

--- In such a process: what it is told. One that cannot read it ends, and whoever
-- asks for its result hears why.
function childhood.take_order(handle)
  local ok, order = pcall(handle.take, handle)
  if ok then
    return order
  end
  local err = require("mp.error").new {
    kind = "error",
    message = order,
    process = handle:name(),
    pid = core.getpid(),
  }
  core.report(("Process %s:\n%s"):format(err.process, err))
  give(handle, false, err)
  core.exit(handle, 1)
end

--- The same as begin in a process that has nothing of its creator's memory, with what
-- that told it (mp.job).
function childhood.begin_job(handle, job)
  local s = {
    handle = handle,
    name = job.name,
    path = job.path,
    daemon = job.daemon,
    target = job.target,
    args = job.args,
  }
  family.method, family.at_start = job.method, job.at_start
  core.default_interrupt() -- the stock interpreter has a handler of its own
  family.has_globals = false
  if job.fields then
    require("mp.job").make_object(s, job)
  end
  childhood.begin(s, job.parent, core.entropy())
end

return childhood
