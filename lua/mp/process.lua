--- Processes: `mp.Process`, `mp.spawn`, and who is who in the family.

local blame = require "mp.blame"
local childhood = require "mp.childhood"
local core = require "mp.core"
local Error = require "mp.error"
local family = require "mp.family"
local fields = require "mp.process_fields"
local poll = require "mp.poll"
local pollable = require "mp.pollable"
local start = require "mp.start"

local process = {}

local Process = { __name = "mp.Process" }

local STATE <const> = fields.STATE

local function argument_error(n, name, message)
  blame.raise("bad argument #%d to '%s' (%s)", n, name, message)
end

local function callable(f)
  if type(f) == "function" then
    return true
  end
  local mt = getmetatable(f)
  return type(mt) == "table" and type(mt.__call) == "function"
end

local function state(self, name)
  local s = type(self) == "table" and rawget(self, STATE)
  if not s then
    argument_error(1, name, "mp.Process expected, got " .. core.typename(self))
  end
  return s
end

local function check_open(s)
  if s.closed then
    blame.raise("attempt to use a closed process")
  end
end

local function check_mine(s, message)
  if s.creator ~= family.here or s.remote then
    blame.raise(message)
  end
end

-- Making one.

local function new(class, target, args, name, daemon)
  local here = family.here
  family.counter = family.counter + 1
  if daemon == nil then
    daemon = here.daemon
  end
  local path = here.path .. (here.path == "" and "-" or ":") .. family.counter
  return fields.wrap({
    name = name or "Process" .. path,
    path = path,
    daemon = daemon,
    target = target,
    args = args,
    method = class.start_method,
    creator = here,
    handle = false,
    exitcode = false,
  }, class)
end

local OPTIONS = { target = true, args = true, name = true, daemon = true, group = true }

local function check_options(class, options)
  for k in pairs(options) do
    if not OPTIONS[k] and not class.MEMBERS then
      blame.raise("invalid option '%s'", tostring(k))
    end
  end
  if options.group ~= nil then
    blame.raise("group must be nil")
  end
  if options.target ~= nil and not callable(options.target) then
    blame.raise("target must be a function")
  end
  if options.name ~= nil and type(options.name) ~= "string" then
    blame.raise("name must be a string")
  elseif options.name and options.name:find("\0", 1, true) then
    blame.raise "name must not contain '\\0'"
  end
  if options.daemon ~= nil and type(options.daemon) ~= "boolean" then
    blame.raise("daemon must be a boolean")
  end
  if options.args ~= nil and type(options.args) ~= "table" then
    blame.raise("args must be a table")
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
    argument_error(1, "Process", "function or table expected, got " .. core.typename(first))
  end
  return new(class, first, select("#", ...) > 0 and table.pack(...) or nil)
end

-- Leaving a scope waits for the process; leaving it by an error ends it first.
local function close_scope(self, err)
  local s = rawget(self, STATE)
  if s.closed then
    return
  end
  if s.handle and s.creator == family.here then
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

local function prepare(class)
  class.__index = class
  class.__metatable_of_objects = {
    class = class,
    __name = "mp.Process",
    __index = fields.index_of(class),
    __newindex = fields.newindex,
    __tostring = fields.describe,
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
      return fields.wrap(
        { handle = packed[1], name = packed[2], daemon = packed[3], remote = true },
        Process
      )
    end,
  }
end

-- A class that the script made travels as what it was made of.

local CLASS <const> = "mp.Process class"

--- The members of a class and of those that it extends; nil: none was added.
function process.members_of(class)
  local all
  local members = class.MEMBERS
  while members do
    all = all or {}
    for k, v in pairs(members) do
      if all[k] == nil then
        all[k] = v
      end
    end
    members = getmetatable(members).__index
  end
  return all
end

local function pack_class(class)
  return { class.start_method, process.members_of(class) }
end

local function unpack_class(packed)
  local method <const>, members <const> = packed[1], packed[2]
  local class <const> = method and Process:with_start_method(method) or Process
  return members and class:extend(members) or class
end

-- Makes a class of the table; its objects arrive elsewhere as those of Process.
local function derive(base, class)
  local meta <const> =
    { __index = base, __call = construct, __name = CLASS, __mp_pack = pack_class }
  prepare(class)
  core.travel_as(class.__metatable_of_objects, "mp.Process")
  core.travel_as(meta, CLASS)
  return setmetatable(class, meta)
end

prepare(Process)
core.class("mp.Process", Process.__metatable_of_objects)
setmetatable(
  Process,
  core.class(CLASS, {
    __call = construct,
    __name = CLASS,
    __mp_pack = pack_class,
    __mp_unpack = unpack_class,
  })
)

--- `mp.Process:extend{run = function(self) … end}`: a class whose objects run
-- their `run`. Its constructor takes the options of Process and any further
-- fields, which become the object's.
function Process:extend(members)
  if type(members) ~= "table" then
    argument_error(1, "extend", "table expected, got " .. core.typename(members))
  end
  local class = { MEMBERS = setmetatable({}, { __index = self.MEMBERS }) }
  for k, v in pairs(members) do
    class[k], class.MEMBERS[k] = v, v
  end
  return derive(self, class)
end

--- The class whose objects start by the given method.
function Process:with_start_method(method)
  local class <const> = derive(self, { start_method = method, MEMBERS = self.MEMBERS })
  if not self.MEMBERS then
    class.__metatable_of_objects.class = self
  end
  return class
end

-- Methods.

--- What the process does; the override point of subclasses.
function Process:run()
  return childhood.call_target(state(self, "run"))
end

childhood.run = Process.run

--- Starts the process and returns it.
function Process:start()
  local s = state(self, "start")
  check_open(s)
  if s.handle or s.remote then
    blame.raise("cannot start a process twice")
  end
  check_mine(s, "can only start a process object created by current process")
  family.reap()
  local method = s.method or start.get_start_method()
  local job = method ~= "fork" and require("mp.job").of(self) or nil
  local seed1, seed2
  if not job then
    seed1, seed2 = core.entropy()
  end
  local handle, second = start[method](s, job)
  if not handle then
    blame.raise("cannot start process '%s': %s", s.name, second)
  end
  s.handle = handle
  if second == true then
    return childhood.begin(s, family.here.name, seed1, seed2)
  end
  s.target, s.args = nil, nil
  family.children[handle:pid()] = s
  core.at_end(family.finish)
  return self
end

--- Waits for the end: true, or nil, "timeout".
function Process:join(timeout)
  local s = state(self, "join")
  check_open(s)
  if s == family.here then
    blame.raise("cannot join current process")
  end
  check_mine(s, "can only join a child process")
  if not s.handle then
    blame.raise("can only join a started process")
  end
  local ok, why = blame.call("join", s.handle.join, s.handle, timeout)
  if not ok then
    return nil, why
  end
  family.children[s.handle:pid()] = nil
  return true
end

pollable.by_descriptor(Process, function(self)
  return self.sentinel
end)

function Process:is_alive()
  local s = state(self, "is_alive")
  check_open(s)
  if s == family.here then
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
    blame.raise("can only %s a started process", name)
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
  if s.closed or s == family.here then
    return
  end
  if s.handle then
    if s.creator == family.here and s.handle:alive() then
      blame.raise("cannot close a process while it is still running")
    end
    family.children[s.handle:pid()] = nil
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
    blame.raise("can only ask a started process for its result")
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

--- Creates and starts a process that calls f(...).
function process.spawn(f, ...)
  if not callable(f) then
    argument_error(1, "spawn", "function expected, got " .. core.typename(f))
  end
  return construct(Process, f, ...):start()
end

function process.current_process()
  return family.here.object or fields.wrap(family.here, Process)
end

--- The children that are running, in the order of their pids; those that ended
-- are waited for.
function process.active_children()
  local alive = {}
  family.reap()
  for _, s in pairs(family.children) do
    alive[#alive + 1] = s.object
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
    argument_error(1, "at_worker_start", "function expected, got " .. core.typename(f))
  end
  family.at_start[#family.at_start + 1] = f
  return f
end

--- f is called when this process ends: the last registered first.
function process.at_exit(f)
  if not callable(f) then
    argument_error(1, "at_exit", "function expected, got " .. core.typename(f))
  end
  family.at_exit[#family.at_exit + 1] = f
  core.at_end(family.finish)
  return f
end

--- What stands for a process that was started: it can be sent, and asked
-- whether it lives, by anyone.
function process.handle_of(self)
  return state(self, "handle_of").handle
end

process.Process = Process
poll.register(process, family.reap)

return process
