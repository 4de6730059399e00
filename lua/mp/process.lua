--- Processes: `mp.Process`, `mp.spawn`, and who is who in the family.

local core = require "mp.core"
local Error = require "mp.error"
local poll = require "mp.poll"
local start = require "mp.start"

local process = {}

local Process = { __name = "mp.Process" }

-- What is true of this process as a whole. A forked child starts anew.
local current -- its own Process object
local children = {} -- started and not known to be over, by pid
local counter = 0 -- of default names
local at_exit = {}
local at_start = {} -- of every child

local function argument_error(n, name, message, level)
  error(("bad argument #%d to '%s' (%s)"):format(n, name, message), (level or 1) + 1)
end

local function callable(f)
  if type(f) == "function" then
    return true
  end
  local mt = getmetatable(f)
  return type(mt) == "table" and type(mt.__call) == "function"
end

-- Fields of the object itself lie behind this key, out of the way of those
-- that a subclass or a user adds.
local STATE = {}

local function state(self, name)
  local s = type(self) == "table" and rawget(self, STATE)
  if not s then
    argument_error(1, name, "mp.Process expected, got " .. core.typename(self), 3)
  end
  return s
end

local function check_open(s)
  if s.closed then
    error("attempt to use a closed process", 3)
  end
end

local function check_mine(s, message)
  if s.creator ~= current or s.remote then
    error(message, 3)
  end
end

-- Properties: read and written like fields.

local readable = {}

function readable.name(s)
  return s.name
end

function readable.daemon(s)
  return s.daemon
end

function readable.pid(s)
  if s.closed then
    error("attempt to use a closed process", 3)
  end
  return s.pid or s.handle and s.handle:pid() or nil
end

readable.ident = readable.pid

function readable.exitcode(s)
  if s.closed then
    error("attempt to use a closed process", 3)
  end
  if not s.exitcode and s.handle then
    s.exitcode = s.handle:exitcode()
    if s.exitcode then
      children[s.handle:pid()] = nil
    end
  end
  return s.exitcode
end

function readable.sentinel(s)
  if s.closed then
    error("attempt to use a closed process", 3)
  end
  if not s.handle then
    error("process not started", 3)
  end
  local fd, message = s.handle:sentinel()
  if not fd then
    error(message, 3)
  end
  return fd
end

local writable = {}

function writable.name(s, value)
  if type(value) ~= "string" then
    error("name must be a string", 3)
  end
  s.name = value
end

function writable.daemon(s, value)
  if s.handle or s.remote then
    error("process has already started", 3)
  end
  if type(value) ~= "boolean" then
    error("daemon must be a boolean", 3)
  end
  s.daemon = value
end

for _, name in ipairs { "pid", "ident", "exitcode", "sentinel" } do
  writable[name] = function()
    error(("field '%s' cannot be assigned"):format(name), 3)
  end
end

local function index_of(class)
  return function(self, key)
    local read = readable[key]
    if read then
      return read(rawget(self, STATE))
    end
    return class[key]
  end
end

local function newindex(self, key, value)
  local write = writable[key]
  if write then
    write(rawget(self, STATE), value)
  else
    rawset(self, key, value)
  end
end

-- Making one.

local function new(class, target, args, name, daemon)
  counter = counter + 1
  local path = current == process.main and "-" .. counter
    or rawget(current, STATE).path .. ":" .. counter
  if daemon == nil then
    daemon = current.daemon
  end
  return setmetatable({
    [STATE] = {
      name = name or "Process" .. path,
      path = path,
      daemon = daemon,
      target = target,
      args = args,
      creator = current,
      method = class.start_method,
    },
  }, class.__metatable_of_objects)
end

local OPTIONS = { target = true, args = true, name = true, daemon = true, group = true }

local function check_options(class, options)
  for k in pairs(options) do
    if not OPTIONS[k] and not class.MEMBERS then
      error(("invalid option '%s'"):format(tostring(k)), 3)
    end
  end
  if options.group ~= nil then
    error("group must be nil", 3)
  end
  if options.target ~= nil and not callable(options.target) then
    error("target must be a function", 3)
  end
  if options.name ~= nil and type(options.name) ~= "string" then
    error("name must be a string", 3)
  end
  if options.daemon ~= nil and type(options.daemon) ~= "boolean" then
    error("daemon must be a boolean", 3)
  end
  if options.args ~= nil and type(options.args) ~= "table" then
    error("args must be a table", 3)
  end
end

local function construct(class, first, ...)
  if type(first) == "table" and not callable(first) then
    check_options(class, first)
    local self = new(class, first.target, first.args, first.name, first.daemon)
    for k, v in pairs(first) do
      if not OPTIONS[k] then
        self[k] = v -- a subclass's own fields
      end
    end
    return self
  end
  if first ~= nil and not callable(first) then
    argument_error(1, "Process", "function or table expected, got " .. core.typename(first), 2)
  end
  return new(class, first, select("#", ...) > 0 and table.pack(...) or nil)
end

-- Leaving a scope waits for the process; leaving it by an error ends it first.
local function close_scope(self, err)
  local s = rawget(self, STATE)
  if s.closed then
    return
  end
  if s.handle and s.creator == current then
    if err ~= nil then
      s.handle:signal(core.SIGTERM)
      if not s.handle:join(1) then
        s.handle:signal(core.SIGKILL)
      end
    end
    self:join()
  end
  self:close()
end

local function describe(self)
  local s = rawget(self, STATE)
  local what
  if s.closed then
    what = "closed"
  elseif not s.handle and not s.remote then
    what = "initial"
  elseif s.creator ~= current and not s.remote then
    what = "unknown"
  elseif s.handle:alive() then
    what = ("pid %d, started"):format(s.handle:pid())
  else
    local code = readable.exitcode(s)
    what = ("pid %d, stopped, exit code %s"):format(s.handle:pid(), code or "unknown")
  end
  return ("mp.Process: %s (%s%s)"):format(s.name, what, s.daemon and ", daemon" or "")
end

local function prepare(class)
  class.__index = class
  class.__metatable_of_objects = {
    class = class,
    __name = "mp.Process",
    __index = index_of(class),
    __newindex = newindex,
    __tostring = describe,
    __close = close_scope,
    __waitable = function(self)
      return self.sentinel
    end,
    __mp_pack = function(self)
      local s = rawget(self, STATE)
      if s.closed or not (s.handle or s.remote) then
        error("cannot send a process that is not started", 0)
      end
      return { s.handle, s.name, s.daemon }
    end,
    __mp_unpack = function(packed)
      return setmetatable({
        [STATE] = { handle = packed[1], name = packed[2], daemon = packed[3], remote = true },
      }, Process.__metatable_of_objects)
    end,
  }
end

prepare(Process)
core.class("mp.Process", Process.__metatable_of_objects)
setmetatable(Process, { __call = construct, __name = "mp.Process class" })

--- `mp.Process:extend{run = function(self) … end}`: a class whose objects run
-- their `run`. Its constructor takes the options of Process and any further
-- fields, which become the object's.
function Process:extend(members)
  if type(members) ~= "table" then
    argument_error(1, "extend", "table expected, got " .. core.typename(members), 2)
  end
  local class = { MEMBERS = setmetatable({}, { __index = self.MEMBERS }) }
  for k, v in pairs(members) do
    class[k], class.MEMBERS[k] = v, v
  end
  prepare(class)
  class.__metatable_of_objects.__mp_pack = nil
  class.__metatable_of_objects.__mp_unpack = nil
  return setmetatable(class, { __index = self, __call = construct, __name = "mp.Process class" })
end

--- The class whose objects start by the given method.
function Process:with_start_method(method)
  local class = { start_method = method, MEMBERS = self.MEMBERS, base = self }
  prepare(class)
  if not self.MEMBERS then
    class.__metatable_of_objects.class = self
  end
  return setmetatable(class, { __index = self, __call = construct, __name = "mp.Process class" })
end

-- The child's side.

local function reap_children()
  local n = 0
  for pid, child in pairs(children) do
    if not rawget(child, STATE).handle:alive() then
      children[pid] = nil
      n = n + 1
    end
  end
  return n
end

local function run_at_exit()
  local ok = true
  while at_exit[1] do
    local good, err = xpcall(table.remove(at_exit), Error.catch)
    if not good then
      ok = false
      core.report(tostring(err))
    end
  end
  return ok
end

-- Daemons end, other children are waited for: for so many seconds, if given.
local function end_children(seconds)
  local deadline = seconds and core.time() + seconds
  local function left(most)
    local rest = deadline and math.max(0, deadline - core.time())
    return rest and most and math.min(rest, most) or rest or most
  end
  local rest = {}
  for _, child in pairs(children) do
    rest[#rest + 1] = rawget(child, STATE)
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
  children = {}
end

-- For the log, if anybody asked for one.
local function note(...)
  local log = package.loaded["mp.log"]
  if log then
    log.event("info", ...)
  end
end

local function report(name, err)
  core.report(("Process %s:\n%s"):format(name, tostring(err)))
end

local function leave(code)
  if not run_at_exit() and code == 0 then
    code = 1
  end
  if next(children) then
    local ok, err = xpcall(end_children, Error.catch)
    if not ok then
      report(current.name, err)
    end
  end
  start.finish()
  note("process ends with exit code %d", code & 0xff)
  pcall(core.close_state)
  core.exit(rawget(current, STATE).handle, code & 0xff)
end

local function give(handle, ...)
  local ok, sent, why = pcall(handle.give, handle, ...)
  if ok and sent then
    return
  end
  local what = ok and why or sent
  pcall(handle.give, handle, false, Error.new {
    kind = "error",
    message = what,
    process = current.name,
    pid = current.pid,
  })
end

-- In a child `os.exit` ends the process as its target's return would.
local function child_exit(code)
  if code == nil or code == true then
    code = 0
  elseif code == false then
    code = 1
  elseif math.type(code) ~= "integer" then
    code = math.tointeger(code)
      or argument_error(1, "exit", "number has no integer representation", 2)
  end
  if code & 0xff == 0 then
    local s = rawget(current, STATE)
    give(s.handle, false, Error.lost(s.name, s.pid, 0)) -- or it would be a return
  end
  leave(code)
end

-- What the target's end means for the child, which does not return from here.
local function finish_child(s, ok, ...)
  if ok then
    -- Exit code 0 and no message say that nothing was returned.
    if select("#", ...) > 0 then
      give(s.handle, true, ...)
    end
    leave(0)
  end
  local err = ...
  -- What stood below in the parent, before the fork, is not of this process.
  err.traceback =
    err.traceback:gsub("\n\t%[C%]: in function 'xpcall'\n\t[^\n]*process%.lua:.*$", "")
  err.process, err.pid = err.process or s.name, err.pid or s.pid
  report(s.name, err)
  give(s.handle, false, err)
  leave(1)
end

-- The child's life. Just forked, it shares all pages with its parent and copies
-- each that it writes to, so it makes and changes as little as it can.
local function run_hooked(self)
  for _, f in ipairs(at_start) do
    f()
  end
  return self:run()
end

local function live(self, parent_name)
  local s = rawget(self, STATE)
  process.parent_name = parent_name
  current, counter = self, 0
  if next(children) then
    children = {}
  end
  if at_exit[1] then
    at_exit = {}
  end
  s.pid = core.getpid() -- the object says it only once its creator has told it
  s.creator = false
  os.exit = child_exit -- luacheck: ignore 122
  math.randomseed(core.entropy())
  note("process started")
  if at_start[1] then
    finish_child(s, xpcall(run_hooked, Error.catch, self))
  end
  finish_child(s, xpcall(self.run, Error.catch, self))
end

-- Whatever happens, a child does not return into its parent's functions: not
-- even for want of memory to report an error.
local function run_child(self, parent_name)
  pcall(live, self, parent_name)
  core.exit(rawget(self, STATE).handle, 1)
end

-- What a child that has nothing of this process's memory is told.
local function describe_job(self, class)
  local s = rawget(self, STATE)
  local job = {
    name = s.name,
    path = s.path,
    daemon = s.daemon,
    at_start = at_start,
    target = s.target,
    args = s.args,
    parent = { name = current.name, pid = current.pid },
    method = start.get_start_method(),
  }
  if class ~= Process then
    job.members, job.fields = {}, {}
    local members = class.MEMBERS
    while members do
      for k, v in pairs(members) do
        if job.members[k] == nil then
          job.members[k] = v
        end
      end
      members = getmetatable(members).__index
    end
    for k, v in next, self do
      if k ~= STATE then
        job.fields[k] = v
      end
    end
  end
  return job
end

--- In such a child: does the job, and never returns.
function process.run_job(handle, job)
  local class = job.members and Process:extend(job.members) or Process
  start.set_start_method(job.method, true)
  at_start = job.at_start
  local self = setmetatable({
    [STATE] = {
      handle = handle,
      name = job.name,
      path = job.path,
      daemon = job.daemon,
      target = job.target,
      args = job.args,
    },
  }, class.__metatable_of_objects)
  for k, v in pairs(job.fields or {}) do
    rawset(self, k, v)
  end
  run_child(self, job.parent.name)
end

-- Methods.

--- What the process does; the override point of subclasses.
function Process:run()
  local s = state(self, "run")
  if s.target then
    local args = s.args or {}
    return s.target(table.unpack(args, 1, args.n or #args))
  end
end

--- Starts the process and returns it.
function Process:start()
  local s = state(self, "start")
  check_open(s)
  if s.handle or s.remote then
    error("cannot start a process twice", 2)
  end
  check_mine(s, "can only start a process object created by current process")
  reap_children()
  local method = s.method or start.get_start_method()
  local class = getmetatable(self).class
  local job = method ~= "fork" and describe_job(self, class) or nil
  local options = { name = s.name, daemon = s.daemon, worker = s.worker, given = self }
  local handle, second = start[method](options, job)
  if not handle then
    error(("cannot start process '%s': %s"):format(s.name, second), 2)
  end
  s.handle = handle
  if second == true then
    run_child(self, current.name)
  end
  s.target, s.args = nil, nil
  children[handle:pid()] = self
  core.at_end(process.finish)
  return self
end

--- Waits for the end: true, or nil, "timeout".
function Process:join(timeout)
  local s = state(self, "join")
  check_open(s)
  if self == current then
    error("cannot join current process", 2)
  end
  check_mine(s, "can only join a child process")
  if not s.handle then
    error("can only join a started process", 2)
  end
  local ok, why = s.handle:join(timeout)
  if ok then
    children[s.handle:pid()] = nil
  end
  return ok, why
end

function Process:is_alive()
  local s = state(self, "is_alive")
  check_open(s)
  if self == current then
    return true
  end
  if not s.handle then
    return false
  end
  return s.handle:alive()
end

local function signal(self, name, signo)
  local s = state(self, name)
  check_open(s)
  check_mine(s, ("can only %s a child process"):format(name))
  if not s.handle then
    error(("can only %s a started process"):format(name), 3)
  end
  return s.handle:signal(signo)
end

function Process:terminate()
  signal(self, "terminate", core.SIGTERM)
end

function Process:kill()
  signal(self, "kill", core.SIGKILL)
end

function Process:interrupt()
  signal(self, "interrupt", core.SIGINT)
end

--- Frees the object; the process must have ended.
function Process:close()
  local s = state(self, "close")
  if s.closed or self == current then
    return
  end
  if s.handle then
    if s.creator == current and s.handle:alive() then
      error("cannot close a process while it is still running", 2)
    end
    children[s.handle:pid()] = nil
    s.handle:close()
  end
  s.closed, s.results = true, nil
end

--- What the target returned; raises what it raised.
function Process:result(timeout)
  local s = state(self, "result")
  check_open(s)
  check_mine(s, "can only ask a child process for its result")
  if not s.handle then
    error("can only ask a started process for its result", 2)
  end
  if not s.results then
    local ok, why = self:join(timeout)
    if not ok then
      return ok, why
    end
    local results = table.pack(s.handle:take())
    if results.n > 0 then
      s.results = results
    elseif self.exitcode == 0 then
      s.results = { true, n = 1 }
    else
      s.results = { false, Error.lost(s.name, s.handle:pid(), self.exitcode), n = 2 }
    end
  end
  if not s.results[1] then
    error(s.results[2], 0)
  end
  return table.unpack(s.results, 2, s.results.n)
end

--- A pool's worker counts as one.
function process.mark_worker(self)
  rawget(self, STATE).worker = true
end

-- The family.

process.main = setmetatable({
  [STATE] = { name = "MainProcess", path = "", daemon = false, pid = core.getpid() },
}, Process.__metatable_of_objects)
current = process.main

--- Creates and starts a process that calls f(...).
function process.spawn(f, ...)
  if not callable(f) then
    argument_error(1, "spawn", "function expected, got " .. core.typename(f), 2)
  end
  return construct(Process, f, ...):start()
end

function process.current_process()
  return current
end

local parent -- what parent_process() gave

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

--- The process that made this one: its name, pid, is_alive() and join(); nil
-- in the first process.
function process.parent_process()
  if process.parent_name and (not parent or parent.of ~= current) then
    parent = setmetatable({ name = process.parent_name, pid = core.parent(), of = current }, Parent)
  end
  return process.parent_name and parent or nil
end

--- The children that are running, in the order of their pids; those that ended
-- are waited for.
function process.active_children()
  local alive = {}
  reap_children()
  for _, child in pairs(children) do
    alive[#alive + 1] = child
  end
  table.sort(alive, function(a, b)
    return a.pid < b.pid
  end)
  return alive
end

--- f is called in every child of this process before its target, whatever the
-- start method: workers of pools are such children.
function process.at_worker_start(f)
  if not callable(f) then
    argument_error(1, "at_worker_start", "function expected, got " .. core.typename(f), 2)
  end
  at_start[#at_start + 1] = f
  return f
end

--- f is called when this process ends: the last registered first.
function process.at_exit(f)
  if not callable(f) then
    argument_error(1, "at_exit", "function expected, got " .. core.typename(f), 2)
  end
  at_exit[#at_exit + 1] = f
  core.at_end(process.finish)
  return f
end

--- The end of the main program, and of a host's state.
function process.finish()
  run_at_exit()
  end_children(core.shutdown())
  start.finish()
end

--- What stands for a process that was started: it can be sent, and asked
-- whether it lives, by anyone.
function process.handle_of(self)
  return state(self, "handle_of").handle
end

process.Process = Process
poll.register(process, reap_children)

return process
