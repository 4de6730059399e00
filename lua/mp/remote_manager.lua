--- mp.Manager.connect: a manager that runs on another machine, or in another
-- family.
--
--     local m <close> = assert(mp.Manager.connect({ "10.0.0.7", 5000 }, key))
--     local jobs = m:dict()              -- made there; used here
--     local account = m:Account(100)     -- of a class that is registered there

local core = require "mp.core"
local makers = require "mp.makers"
local remote = require "mp.remote"
require "mp.remote_object"

local manager = {}

local STATE <const> = {}

local Manager = {} -- methods

local function state(self, name)
  local s = type(self) == "table" and rawget(self, STATE)
  if not s then
    error(
      ("bad argument #1 to '%s' (mp.Manager expected, got %s)"):format(name, core.typename(self)),
      3
    )
  elseif s.closed then
    error("attempt to use a closed manager", 3)
  end
  return s
end

-- Makes something there.
local function creator(name)
  return function(self, ...)
    return remote.call(state(self, name).hub, 0, "create", name, ...)
  end
end

for _, name in ipairs(makers) do
  Manager[name] = creator(name)
end
Manager.Namespace = creator "Namespace"

function Manager.register()
  error("classes are registered where the manager was made", 2)
end

function Manager.shutdown()
  error("a manager is shut down where it was made (close ends the connection)", 2)
end

--- Ends the connection, unless another connected manager shares it; what only
-- this process held is gone then.
function Manager:close()
  local s = rawget(self, STATE)
  if not s.closed then
    s.closed = true
    remote.close(s.hub, s)
  end
end

local Class = { __name = "mp.Manager", __close = Manager.close }

function Class:__index(key)
  local s = rawget(self, STATE)
  if Manager[key] then
    return Manager[key]
  elseif key == "address" then
    return s.hub.address
  elseif key == "pid" then
    return s.hub.server
  elseif type(key) ~= "string" then
    return nil
  end
  if not s.creators[key] and remote.call(state(self, key).hub, 0, "registered", key) then
    s.creators[key] = creator(key)
  end
  return s.creators[key]
end

function Class.__newindex(_, key)
  error(("field '%s' cannot be assigned"):format(tostring(key)), 2)
end

function Class:__tostring()
  local s = rawget(self, STATE)
  local what = s.closed and "closed" or "connected to " .. remote.place(s.hub.address)
  return ("mp.Manager: %s (%s)"):format(s.hub.name, what)
end

function Class.__mp_pack()
  error("cannot send a manager (send what it made)", 0)
end

core.class("mp.RemoteManager", Class)

local OPTIONS <const> = {
  address = true,
  authkey = true,
  timeout = true,
  functions = true,
  max_message = true,
}

--- mp.Manager.connect(address [, authkey [, options]]), or a table of them all:
-- timeout (seconds for a connection, 10), functions (may be received),
-- max_message. nil, message, errno when the system refuses; a wrong key raises,
-- two calls above this one.
function manager.connect(address, authkey, options)
  local o = {}
  if type(address) == "table" and #address == 0 then
    address, options = nil, address
  end
  for key, value in pairs(options or {}) do
    if not OPTIONS[key] then
      error(("invalid option '%s'"):format(tostring(key)), 3)
    end
    o[key] = value
  end
  address, o.authkey, o.address = address or o.address, authkey or o.authkey, nil
  o.timeout = o.timeout or 10
  if address == nil then
    error("address missing", 3)
  elseif o.authkey ~= nil and (type(o.authkey) ~= "string" or o.authkey == "") then
    error("authkey must be a non-empty string", 3)
  elseif type(address) == "table" and not o.authkey then
    error("a TCP connection needs an authkey", 3)
  end
  local s = { creators = {} }
  local ok, hub, why, errno = pcall(remote.connect, s, address, o)
  if not ok then
    error((hub:gsub("^.-mp%.Client", "mp.Manager")), 3)
  elseif not hub then
    return nil, (why:gsub("^mp%.Client", "mp.Manager")), errno
  end
  s.hub = hub
  return setmetatable({ [STATE] = s }, Class)
end

return manager
