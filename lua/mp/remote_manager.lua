--- mp.Manager.connect: a manager that runs on another machine, or in another
-- family.
--
--     local m <close> = assert(mp.Manager.connect({ "10.0.0.7", 5000 }, key))
--     local jobs = m:dict()              -- made there; used here
--     local account = m:Account(100)     -- of a class that is registered there

local blame = require "mp.blame"
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
    blame.raise("bad argument #1 to '%s' (mp.Manager expected, got %s)", name, core.typename(self))
  elseif s.closed then
    blame.raise("attempt to use a closed manager")
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
  blame.raise("classes are registered where the manager was made")
end

function Manager.shutdown()
  blame.raise("a manager is shut down where it was made (close ends the connection)")
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
  blame.raise("field '%s' cannot be assigned", tostring(key))
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
      blame.raise("invalid option '%s'", tostring(key))
    end
    o[key] = value
  end
  address, o.authkey, o.address = address or o.address, authkey or o.authkey, nil
  o.timeout = o.timeout or 10
  if address == nil then
    blame.raise("address missing")
  elseif o.authkey ~= nil and (type(o.authkey) ~= "string" or o.authkey == "") then
    blame.raise("authkey must be a non-empty string")
  elseif type(address) == "table" and not o.authkey then
    blame.raise("a TCP connection needs an authkey")
  end
  local s = { creators = {} }
  local ok, hub, why, errno = pcall(remote.connect, s, address, o)
  if not ok then
    blame.raise((hub:gsub("^.-mp%.Client", "mp.Manager")))
  elseif not hub then
    return nil, (why:gsub("^mp%.Client", "mp.Manager")), errno
  end
  s.hub = hub
  return setmetatable({ [STATE] = s }, Class)
end

return manager
