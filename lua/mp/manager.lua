--- mp.Manager: a scope that makes shared objects, and keeps objects of Lua
-- classes in a process of their own.
--
--     local manager <close> = mp.Manager()
--     manager:register("Counter", Counter)     -- a class with new and methods
--     local counter = manager:Counter(10)      -- a proxy, for any process
--     counter:add(1)
--
-- Tables, queues, locks and the like are mp's own: they live in shared memory
-- and need no server. The server is started when a registered class is first
-- used.

local blame = require "mp.blame"
local core = require "mp.core"
local makers = require "mp.makers"
local namespace = require "mp.namespace"
local process = require "mp.process"
local proxy = require "mp.proxy"
require "mp.reference" -- its classes may come in a message

local manager = {}

local STATE <const> = {}

local SHUTDOWN <const> = 1 -- seconds of patience for each step of an end

local counter = 0 -- of default names

local Manager = {} -- methods
local property = {} -- fields that are asked for

local function state(self, name)
  local s = type(self) == "table" and rawget(self, STATE)
  if not s then
    blame.raise("bad argument #1 to '%s' (mp.Manager expected, got %s)", name, core.typename(self))
  end
  return s
end

local function check_open(s)
  if s.closed then
    blame.raise("manager has shut down")
  end
end

-- What is made in shared memory ------------------------------------------------------

for _, name in ipairs(makers) do
  Manager[name] = function(self, ...)
    local s = state(self, name)
    check_open(s)
    return blame.call(name, s.makers[name], ...)
  end
end

--- A namespace; fields: what it holds at first.
function Manager:Namespace(fields)
  local s = state(self, "Namespace")
  check_open(s)
  if fields ~= nil and type(fields) ~= "table" then
    blame.raise("bad argument #1 to 'Namespace' (table expected, got %s)", core.typename(fields))
  end
  return namespace.new(self:dict(), fields)
end

-- The server -----------------------------------------------------------------------------

local function start_server(s)
  if s.creator ~= core.getpid() then
    blame.raise("a manager's process must be started by the process that made the manager")
  end
  local reader, door = core.Pipe(false)
  if s.network then
    s.network.door = door
  end
  local child = s.makers.Process {
    target = require("mp.server").main,
    args = { reader, s.classes, s.name, s.network },
    name = s.name,
    daemon = true,
  }
  child:start()
  reader:close()
  s.process = child
  s.hub = proxy.hub(door, process.handle_of(child), s.name)
end

local function hub_of(s)
  if not s.hub then
    start_server(s)
  end
  return s.hub
end

--- The manager's process, which is started by the question.
function property.pid(s)
  if s.closed then
    return nil
  end
  return hub_of(s).handle:pid()
end

--- Where other machines reach it, or nil.
function property.address(s)
  return s.address
end

local function is_class(class)
  if type(class) == "function" then
    return true
  end
  local mt = getmetatable(class)
  return type(class) == "table" and class.new ~= nil
    or type(mt) == "table" and type(mt.__call) == "function"
end

--- What leads to the manager's process, which is started.
function manager.hub(self)
  return hub_of(state(self, "hub"))
end

--- Objects of the class can be made by manager[name](manager, ...): by
-- class.new(...) if there is one, else by class(...), in the manager's process.
function Manager:register(name, class)
  local s = state(self, "register")
  check_open(s)
  if type(name) ~= "string" then
    blame.raise("bad argument #1 to 'register' (string expected, got %s)", core.typename(name))
  elseif Manager[name] or property[name] or name:sub(1, 1) == "_" then
    blame.raise("bad argument #1 to 'register' (name '%s' is taken)", name)
  elseif not is_class(class) then
    blame.raise("bad argument #2 to 'register' (class expected)")
  end
  s.classes[name] = class
  if s.hub then
    proxy.ask(s.hub, "register", name, class)
  end
  s.creators[name] = function(manager_, ...)
    local own = state(manager_, name)
    check_open(own)
    local hub = hub_of(own)
    local id, token = proxy.ask(hub, "create", name, ...)
    return proxy.new(hub, id, name, token)
  end
end

--- Waits for the end of the manager's process, which is started if need be:
-- true, or nil, "timeout". For programs that only serve.
function Manager:join(timeout)
  local s = state(self, "join")
  if s.closed then
    return true
  end
  hub_of(s)
  if s.creator ~= core.getpid() then
    blame.raise("can only join a manager of one's own")
  end
  return s.process:join(timeout)
end

--- Ends the manager's process; its objects are gone. What was made in shared
-- memory lives as long as somebody holds it.
function Manager:shutdown()
  local s = state(self, "shutdown")
  if s.closed or s.creator ~= core.getpid() then
    return
  end
  s.closed = true
  local child = s.process
  if not child then
    return
  end
  s.hub.door:send "shutdown"
  if not child:join(SHUTDOWN) then
    child:terminate()
    if not child:join(SHUTDOWN) then
      child:kill()
      child:join()
    end
  end
  proxy.shut(s.hub)
  child:close()
end

-- The object itself -----------------------------------------------------------------------

local Class = { __name = "mp.Manager" }

function Class:__index(key)
  local method = Manager[key]
  if method then
    return method
  end
  local s = rawget(self, STATE)
  local get = property[key]
  if get then
    return get(s)
  end
  return s.creators[key]
end

function Class.__newindex(_, key)
  blame.raise("field '%s' cannot be assigned", tostring(key))
end

function Class:__close()
  self:shutdown()
end

function Class:__tostring()
  local s = rawget(self, STATE)
  local what = s.closed and "closed"
    or s.hub and ("pid %d"):format(s.hub.handle:pid())
    or "no process"
  return ("mp.Manager: %s (%s)"):format(s.name, what)
end

function Class.__mp_pack()
  error("cannot send a manager (send what it made)", 0)
end

core.class("mp.Manager", Class)

local OPTIONS <const> = {
  name = true,
  address = true,
  authkey = true,
  functions = true,
  max_message = true,
}

local function check_options(options)
  if options ~= nil and type(options) ~= "table" then
    blame.raise("bad argument #1 to 'Manager' (table expected, got %s)", core.typename(options))
  end
  options = options or {}
  for key in pairs(options) do
    if not OPTIONS[key] then
      blame.raise("invalid option '%s'", tostring(key))
    end
  end
  if options.name ~= nil and type(options.name) ~= "string" then
    blame.raise("name must be a string")
  end
  return options
end

-- What the manager's process needs to let other machines in; nil: nothing.
local function network_of(o)
  if o.address == nil then
    for _, key in ipairs { "authkey", "functions", "max_message" } do
      if o[key] ~= nil then
        blame.raise("option '%s' needs an address", key)
      end
    end
    return nil
  end
  if type(o.address) ~= "string" and type(o.address) ~= "table" then
    blame.raise("address must be a path or {host, port}")
  elseif o.authkey ~= nil and (type(o.authkey) ~= "string" or o.authkey == "") then
    blame.raise("authkey must be a non-empty string")
  elseif type(o.address) == "table" and not o.authkey then
    blame.raise("a manager that is reached by TCP needs an authkey")
  elseif o.authkey and not core.has_keys() then
    blame.raise("no keys for sockets: mp was built without libsodium")
  end
  return {
    address = o.address,
    authkey = o.authkey,
    functions = o.functions,
    max_message = o.max_message,
  }
end

-- Starts the process of a manager that others reach: it, or nil, why, errno.
local function open(self)
  local s = rawget(self, STATE)
  local ok, address, why, errno = pcall(function()
    return proxy.ask(hub_of(s), "address")
  end)
  if ok and address then
    s.address = address
    return self
  end
  self:shutdown()
  if ok then
    return nil, why, errno
  end
  error(address, 0)
end

--- The function mp.Manager for a table of everything there is (mp, or a
-- context, whose own Process is what the manager's process is made of).
function manager.of(makers_)
  local function new(_, options)
    options = check_options(options)
    local network = network_of(options)
    counter = counter + 1
    local self = setmetatable({
      [STATE] = {
        name = options.name or "Manager-" .. counter,
        makers = makers_,
        classes = {},
        creators = {},
        creator = core.getpid(),
        network = network,
      },
    }, Class)
    if network then
      return open(self)
    end
    return self
  end
  return setmetatable({
    __name = "mp.Manager class", -- what looks like a class travels by its module's name
    connect = function(...)
      local there, why, errno = require("mp.remote_manager").connect(...)
      if there then
        return there
      end
      return nil, why, errno
    end,
  }, { __call = new, __name = "mp.Manager class" })
end

return manager
