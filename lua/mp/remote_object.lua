--- Proxies of what a manager on another machine has: tables, queues, locks and
-- objects of registered classes. They are used as the things themselves are;
-- each use is a round trip.
--
-- A proxy keeps its object alive as long as it lives in some process. One that
-- is in a message keeps nothing: its sender has to hold it until it has arrived.

local blame = require "mp.blame"
local core = require "mp.core"
local dict = require "mp.dict"
local reference = require "mp.reference"
local remote = require "mp.remote"

local object = {}

-- Fields of a proxy lie behind this key.
local STATE <const> = {}

-- What is read as a field, by type; every other name is a method's.
local FIELDS <const> = {
  Value = { value = true },
  RawValue = { value = true },
  Semaphore = { value = true },
  BoundedSemaphore = { value = true },
  Barrier = { parties = true, n_waiting = true, broken = true },
  Pool = { processes = true, state = true, pending = true },
}

local function state(self, name)
  local s = type(self) == "table" and rawget(self, STATE)
  if not s then
    blame.raise("bad argument #1 to '%s' (mp.Proxy expected, got %s)", name, core.typename(self))
  elseif s.closed then
    blame.raise("attempt to use a closed proxy")
  end
  return s
end

local function call(self, name, ...)
  local s = state(self, name)
  return remote.call(s.hub, s.key, name, ...)
end

-- Methods that run here, because they take functions or give what has a scope ----------

local here = {}

local Guard = { __name = "mp.Guard" }

function Guard:__close()
  local number = self.number
  if number then
    self.number = nil
    remote.call(self.hub, 0, "unhold", number)
  end
end

Guard.__index = { release = Guard.__close }

--- A guard: what is held is given back at the end of its scope, or when this
-- process or the connection ends.
function here.hold(self, timeout)
  local number, word = call(self, "hold", timeout)
  if not number then
    return number, word
  end
  return setmetatable({ hub = rawget(self, STATE).hub, number = number }, Guard), word
end

here["with"] = function(self, f, ...)
  if rawget(self, STATE).type == "Value" then
    local _ <close> = self:get_lock():hold()
    return f(self, ...)
  end
  local _ <close> = self:hold()
  return f(...)
end

local function each_of(self, get)
  return function()
    local value, word = get(self)
    if word == nil then
      return value
    end
  end
end

function here.items(self)
  return each_of(self, self.get)
end

function here.wait_for(self, predicate, timeout)
  local deadline = timeout and core.time() + timeout
  local good = predicate()
  while not good do
    local ok, word = call(self, "wait", deadline and math.max(0, deadline - core.time()))
    good = predicate()
    if not ok and not good then
      return nil, word
    end
  end
  return good
end

-- Which types they belong to; other objects have methods of their own.
local HERE <const> = {
  Lock = { hold = true, with = true },
  RLock = { hold = true, with = true },
  Semaphore = { hold = true, with = true },
  BoundedSemaphore = { hold = true, with = true },
  Condition = { hold = true, with = true, wait_for = true },
  Value = { with = true },
  Queue = { items = true },
  JoinableQueue = { items = true },
}

-- One function for each name of a method, whatever the object.
local methods = setmetatable({}, { __mode = "v" })

local function method_of(name)
  local method = methods[name]
  if not method then
    method = function(self, ...)
      return call(self, name, ...)
    end
    methods[name] = method
  end
  return method
end

-- What all proxies have ---------------------------------------------------------------------

local function complete(name)
  local class = reference.classes[name]

  function class:__len()
    return call(self, "__len")
  end

  --- Ends this process's hold on the object.
  function class:__close()
    local s = rawget(self, STATE)
    if not s.closed then
      s.closed = true
      if s.hub.known[s.key] == self then
        s.hub.known[s.key] = nil
      end
      remote.drop(s.hub, s.key)
    end
  end

  function class:__gc()
    local s = rawget(self, STATE)
    -- Another proxy of the same object may have come meanwhile.
    if not s.closed and s.hub.known[s.key] == nil then
      remote.drop(s.hub, s.key)
    end
  end

  function class:__tostring()
    local s = rawget(self, STATE)
    local where = s.closed and "closed"
      or ("%s at %s, number %d"):format(s.hub.name, remote.place(s.hub.address), s.key)
    return ("mp.Proxy: %s (%s)"):format(s.class, where)
  end

  --- On the way to its own manager it is the object's key; in a message of this
  -- family, also how the manager is reached.
  function class:__mp_pack()
    local s = rawget(self, STATE)
    if s.closed then
      error("cannot send a closed proxy", 0)
    end
    local hub = remote.current()
    if hub == s.hub then
      return { s.key }
    elseif hub then
      error("cannot send a proxy of another manager over the network", 0)
    end
    return { s.key, s.type, s.class, s.hub.address, s.hub.options }
  end

  return class
end

-- Objects with methods, and lists and arrays ------------------------------------------------

local Object <const> = complete "Object"

function Object:__index(name)
  if math.type(name) == "integer" then
    return call(self, "__index", name)
  elseif type(name) ~= "string" then
    return nil
  elseif name:sub(1, 1) == "_" then
    blame.raise("'%s' is private to the object (names with '_' are)", name)
  end
  local kind = rawget(self, STATE).type
  if FIELDS[kind] and FIELDS[kind][name] then
    return call(self, "__index", name)
  elseif HERE[kind] and HERE[kind][name] then
    return here[name]
  end
  return method_of(name)
end

function Object:__newindex(name, value)
  local fields = FIELDS[rawget(self, STATE).type]
  if math.type(name) == "integer" or fields and fields[name] then
    call(self, "__newindex", name, value)
  else
    blame.raise("field '%s' cannot be assigned (call a method)", tostring(name))
  end
end

function Object:__call(...)
  return call(self, "__call", ...)
end

--- A snapshot.
function Object:__pairs()
  return next, call(self, "__pairs")
end

-- Dicts, which have no methods: mp.dict's functions take their proxies, too -----------------

local Dict <const> = complete "dict"

function Dict:__index(key)
  return call(self, "__index", key)
end

function Dict:__newindex(key, value)
  call(self, "__newindex", key, value)
end

function Dict:__pairs()
  return next, call(self, "__pairs")
end

for name, f in pairs(dict) do
  dict[name] = function(d, ...)
    if getmetatable(d) == Dict then
      return call(d, "__dict", name, ...)
    end
    return blame.call(name, f, d, ...)
  end
end

-- Namespaces ------------------------------------------------------------------------------------

local Namespace <const> = complete "Namespace"

local function is_private(name)
  return type(name) == "string" and name:sub(1, 1) == "_"
end

function Namespace:__index(name)
  if is_private(name) then
    return rawget(self, STATE).own[name]
  end
  return call(self, "__index", name)
end

function Namespace:__newindex(name, value)
  if is_private(name) then
    rawget(self, STATE).own[name] = value
  else
    call(self, "__newindex", name, value)
  end
end

function Namespace:__pairs()
  return next, call(self, "__pairs")
end

function Namespace:__tostring()
  return call(self, "__tostring")
end

-- Making them -----------------------------------------------------------------------------------

local CLASSES <const> = { dict = Dict, Namespace = Namespace }

--- The proxy of the object with the key; the same one as long as it lives.
function object.new(hub, key, type, class)
  local self = hub.known[key]
  if not self then
    self = setmetatable({
      [STATE] = { hub = hub, key = key, type = type, class = class, own = {} },
    }, CLASSES[type] or Object)
    hub.known[key] = self
  end
  return self
end

--- The proxy that came in a message of this family.
function object.unpack(packed)
  return object.new(remote.hub(packed[4], packed[5]), packed[1], packed[2], packed[3])
end

reference.receive(function(key, type, class)
  return object.new(remote.current(), key, type, class)
end)

return object
