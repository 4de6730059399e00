--- Proxies: objects whose methods run in a manager's process.
--
-- A proxy holds an end of a pipe of which the manager has the other: the
-- object's token. The end is held by every process that has a proxy, and by
-- every message and shared table that carries one; when the last of them lets
-- go, or dies, the manager sees the pipe closed and drops the object.
--
-- Calls go over a link, a pipe of the calling process alone, which is made by
-- the first call and given to the manager through its door, a pipe that every
-- user of the manager may write to. So replies never mix, whoever forks.

local blame = require "mp.blame"
local core = require "mp.core"
local Error = require "mp.error"

local proxy = {}

-- Fields of a proxy lie behind this key: every other name is a method's.
local STATE <const> = {}

-- How long a caller sleeps until it looks whether the manager lives: a link
-- that lay in the door when it died is never answered, and never closed.
local SLICE <const> = 0.25

-- What this process knows of a manager, by its door: { door =, handle =,
-- name =, over =, pid =, free = { link… } }.
local hubs = setmetatable({}, { __mode = "k" })

-- The proxies of this process, by token.
local known = setmetatable({}, { __mode = "k" })

-- In a manager's process: its objects by number.
local served

--- This process serves these objects.
function proxy.serve(objects)
  served = { pid = core.getpid(), objects = objects }
end

--- The manager behind the door whose process has the handle.
function proxy.hub(door, handle, name)
  local hub = hubs[door]
  if not hub then
    hub = { door = door, handle = handle, name = name, free = {} }
    hubs[door] = hub
  end
  return hub
end

-- The error of a call that nobody will answer.
local function lost(hub)
  if not hub.over then
    -- Its pipes are closed a moment before its end is known.
    local deadline = core.time() + 0.5
    while hub.handle:alive() and core.time() < deadline do
      core.sleep(0.001)
    end
    if hub.handle:alive() then
      local message = ("manager '%s' closed the connection"):format(hub.name)
      return Error.new { kind = "lost", message = message, process = hub.name }
    end
    hub.over = Error.lost(hub.name, hub.handle:pid(), hub.handle:exitcode())
    hub.over.kind = "lost"
  end
  local copy = {}
  for k, v in pairs(hub.over) do
    copy[k] = v
  end
  return Error.new(copy)
end

--- The manager was shut down here: its handle is of no use any more.
function proxy.shut(hub)
  hub.over = Error.new {
    kind = "lost",
    message = ("manager '%s' has shut down"):format(hub.name),
    process = hub.name,
    pid = hub.handle:pid(),
  }
  for _, link in ipairs(hub.free) do
    link:close()
  end
  hub.free = {}
  hub.door:close()
end

-- A link for one call. Usually it is the same one: another is made when a call
-- is begun inside a call (by a finalizer or a hook).
local function take(hub)
  if hub.pid ~= core.getpid() then
    -- Forked: these are our parent's, and its alone.
    for _, link in ipairs(hub.free) do
      link:close()
    end
    hub.pid, hub.free = core.getpid(), {}
  end
  local free = hub.free
  local n = #free
  local link = free[n]
  if link then
    free[n] = nil
    return link
  end
  if hub.over then
    error(lost(hub), 0)
  end
  local ours, theirs = core.Pipe()
  local ok = hub.door:send(theirs)
  theirs:close()
  if not ok then
    error(lost(hub), 0)
  end
  return ours
end

-- An argument that cannot be sent, by its number.
local function refused(message)
  if type(message) ~= "string" then
    return message
  end
  return (message:gsub("^cannot send value%[(%d+)%]", function(i)
    return ("cannot send argument %d"):format(i - 3)
  end))
end

-- Sends the request and returns the reply. A link on which something was
-- raised is not used again: its reply may yet come.
local function ask(hub, request)
  local link <const> = take(hub)
  local ok, sent = pcall(link.send, link, request)
  if not ok then
    error(refused(sent), 0)
  elseif not sent then
    error(lost(hub), 0)
  end
  local reply, why = link:recv(SLICE)
  while not reply do
    if why ~= "timeout" or not hub.handle:alive() then
      error(lost(hub), 0)
    end
    reply, why = link:recv(SLICE)
  end
  hub.free[#hub.free + 1] = link
  return reply
end

--- Asks for something that is not an object's: its results.
function proxy.ask(hub, what, ...)
  local reply = ask(hub, { 0, what, select("#", ...), ... })
  if not reply[1] then
    error(reply[2], 0)
  end
  return table.unpack(reply, 3, 2 + reply[2])
end

-- Calls ------------------------------------------------------------------------------

-- In the manager's own process no message is needed.
local function call_here(self, s, name, ...)
  local object = served.objects[s.id]
  local method = object[name]
  if method == nil then
    blame.raise("%s has no method '%s'", s.class, name)
  end
  local results = table.pack(method(object, ...))
  if results[1] == object then
    results[1] = self
  end
  return table.unpack(results, 1, results.n)
end

local function call(self, name, ...)
  local s = type(self) == "table" and rawget(self, STATE)
  if not s then
    local got = core.typename(self)
    blame.raise("bad argument #1 to '%s' (mp.Proxy expected, got %s)", name, got)
  elseif not s.token then
    blame.raise("attempt to use a closed proxy")
  end
  local hub = s.hub
  if served and served.pid == core.getpid() and served.pid == hub.handle:pid() then
    return call_here(self, s, name, ...)
  end
  local reply = ask(hub, { s.id, name, select("#", ...), ... })
  if reply[1] then
    if reply[1] == "self" then
      return self
    end
    return table.unpack(reply, 3, 2 + reply[2])
  end
  error(reply[2], 0)
end

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

-- The class ---------------------------------------------------------------------------

local Proxy = { __name = "mp.Proxy" }

function Proxy.__index(_, name)
  if type(name) ~= "string" then
    return nil
  elseif name:sub(1, 1) == "_" then
    blame.raise("'%s' is private to the object (names with '_' are)", name)
  end
  return method_of(name)
end

function Proxy.__newindex(_, name)
  blame.raise("field '%s' cannot be assigned (call a method)", tostring(name))
end

function Proxy:__call(...)
  return call(self, "__call", ...)
end

function Proxy:__len()
  return call(self, "__len")
end

--- Ends this process's hold on the object.
function Proxy:__close()
  local s = rawget(self, STATE)
  if s.token then
    s.token:close()
    s.token = nil
  end
end

function Proxy:__tostring()
  local s = rawget(self, STATE)
  local where = s.token and ("%s, number %d"):format(s.hub.name, s.id) or "closed"
  return ("mp.Proxy: %s (%s)"):format(s.class, where)
end

function Proxy:__mp_pack()
  local s = rawget(self, STATE)
  if not s.token then
    error("cannot send a closed proxy", 0)
  elseif s.hub.over then
    error(("cannot send a proxy (%s)"):format(s.hub.over.message), 0)
  end
  return { s.hub.door, s.hub.handle, s.hub.name, s.id, s.class, s.token }
end

--- The proxy of an object; token: the pipe's end that stands for it.
function proxy.new(hub, id, class, token)
  local self = known[token]
  if not self then
    self = setmetatable({ [STATE] = { hub = hub, id = id, class = class, token = token } }, Proxy)
    known[token] = self
  end
  return self
end

--- What the object was made as.
function proxy.class_of(self)
  return rawget(self, STATE).class
end

function Proxy.__mp_unpack(packed)
  local door, handle, name, id, class, token = table.unpack(packed, 1, 6)
  return proxy.new(proxy.hub(door, handle, name), id, class, token)
end

core.class("mp.Proxy", Proxy)

return proxy
