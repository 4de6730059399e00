--- What serves one client of a manager from another machine: a process that has
-- the client's connection, and does what the client asks for. It is of the
-- manager's family, so it has tables, queues and locks themselves, and proxies
-- of what lives in the manager's process. A client that waits for a queue keeps
-- its own agent waiting and no other.
--
-- When the connection ends, whatever the agent does, it dies. What follows is
-- what follows the death of any process: its locks are abandoned, its units of
-- semaphores come back, what only it held is gone.
--
-- Objects have keys, which the manager's process gives out (mp/server.lua), so
-- that another connection of the same client finds them. A request is { key,
-- operation, count of arguments, arguments }; key 0 is the agent itself, and
-- { -1, keys } says what the client has let go of and is not answered. A reply
-- is { true, count, results } or { false, error }.

local core = require "mp.core"
local Error = require "mp.error"
local makers = require "mp.makers"
local proxy = require "mp.proxy"
local reference = require "mp.reference"
local tidy = require "mp.tidy"

local agent = {}

local Agent = {}
Agent.__index = Agent

-- What has a key instead of going over the network.
local EXPORTED <const> = {
  Connection = false, -- of a pipe: who has the other end is here
  Proxy = true,
  Namespace = true,
  SimpleQueue = true,
  RawValue = true,
  RawArray = true,
}
for _, name in ipairs(makers) do
  EXPORTED[name] = true
end

-- The manager's process ----------------------------------------------------------------

function Agent:ask(what, ...)
  if not self.token then
    self.number, self.token = proxy.ask(self.hub, "attach")
  end
  return proxy.ask(self.hub, what, self.number, ...)
end

-- The reference that stands for the object.
function Agent:export(object, type)
  local key = self.keys[object]
  if not key then
    key = self:ask("keep", object)
    self.keys[object], self.objects[key] = key, object
  end
  local class = type == "Proxy" and proxy.class_of(object) or type
  return reference.new(key, type, class)
end

function Agent:object(key)
  local object = self.objects[key]
  if object == nil then
    object = self:ask("claim", key)
    if object == nil then
      error(("object %d of this manager is gone"):format(key), 0)
    end
    self.keys[object], self.objects[key] = key, object
  end
  return object
end

function Agent:drop(keys)
  for _, key in ipairs(keys) do
    local object = self.objects[key]
    if object ~= nil then
      self.objects[key], self.keys[object] = nil, nil
      self:ask("release", key)
      self.tidy:note()
    end
  end
end

-- A value as it goes to the client: mp's objects are replaced by references, in
-- plain tables too. met has the copies.
function Agent:outgoing(value, met)
  local kind = core.type(value)
  if kind and EXPORTED[kind] then
    return self:export(value, kind)
  elseif type(value) ~= "table" or getmetatable(value) ~= nil then
    return value
  elseif met[value] then
    return met[value]
  end
  local copy = {}
  met[value] = copy
  for k, v in next, value do
    copy[k] = self:outgoing(v, met)
  end
  return copy
end

-- Operations on objects ------------------------------------------------------------------

local operations = {}

function operations.__index(object, key)
  return object[key]
end

function operations.__newindex(object, key, value)
  object[key] = value
end

function operations.__len(object)
  return #object
end

function operations.__call(object, ...)
  return object(...)
end

function operations.__tostring(object)
  return tostring(object)
end

--- What there is at one moment, as a plain table.
function operations.__pairs(object)
  local all = {}
  for k, v in pairs(object) do
    all[k] = v
  end
  return all
end

--- mp.dict.NAME(d, ...)
function operations.__dict(object, name, ...)
  local f = require("mp.dict")[name]
  if core.type(object) ~= "dict" or not f then
    local got = core.typename(object)
    error(("bad argument #1 to '%s' (mp.dict expected, got %s)"):format(name, got), 0)
  end
  return f(object, ...)
end

-- Guards stay here, by number.
function Agent:hold(object, timeout)
  local guard, word = object:hold(timeout)
  if not guard then
    return guard, word
  end
  self.last_guard = self.last_guard + 1
  self.guards[self.last_guard] = guard
  return self.last_guard, word
end

-- Requests to the agent itself -----------------------------------------------------------

local requests = {}

local is_maker = { Namespace = true }
for _, name in ipairs(makers) do
  is_maker[name] = true
end

function requests:create(name, ...)
  local mp = require "mp"
  if name == "Namespace" then
    return require("mp.namespace").new(mp.dict(), ...)
  elseif is_maker[name] then
    return mp[name](...)
  end
  local id, token = proxy.ask(self.hub, "create", name, ...)
  return proxy.new(self.hub, id, name, token)
end

function requests:registered(name)
  return proxy.ask(self.hub, "registered", name)
end

function requests:unhold(number)
  local _ <close> = self.guards[number]
  self.guards[number] = nil
end

-- The loop ---------------------------------------------------------------------------------

local function call_method(object, name, ...)
  return object[name](object, ...)
end

function Agent:perform(key, name, ...)
  if key == 0 then
    local request = requests[name]
    if not request then
      error(("a manager has no operation '%s'"):format(tostring(name)), 0)
    end
    return request(self, ...)
  end
  local object = self:object(key)
  if operations[name] then
    return operations[name](object, ...)
  elseif name == "hold" then
    return self:hold(object, ...)
  elseif type(name) ~= "string" or name:sub(1, 1) == "_" then
    error(("there is no operation '%s'"):format(tostring(name)), 0)
  end
  return call_method(object, name, ...)
end

function Agent:failure(err)
  if not Error.is(err) then
    err = Error.new { kind = "error", message = Error.text(err), value = err }
  end
  -- What a function in C raises names its caller, which is this file.
  for _, field in ipairs { "message", "value" } do
    if type(err[field]) == "string" then
      err[field] = err[field]:gsub("^[^\n:]*mp/agent%.lua:%d+: ", "")
    end
  end
  err.traceback = (err.traceback or ""):gsub("\n\t[^\n]*mp/agent%.lua:.*$", "")
  err.process, err.pid = err.process or self.name, err.pid or self.pid
  return { false, err }
end

local function reply_of(ok, ...)
  if ok then
    return { true, select("#", ...), ... }
  end
  return { false, (...) }
end

function Agent:answer(request)
  local key, name, n = request[1], request[2], request[3]
  local reply = reply_of(
    xpcall(self.perform, Error.catch, self, key, name, table.unpack(request, 4, 3 + n))
  )
  if not reply[1] then
    return self:failure(reply[2])
  end
  local ok, out = xpcall(self.outgoing, Error.catch, self, reply, {})
  return ok and out or self:failure(out)
end

-- Sends the reply, or why it cannot be sent.
function Agent:reply(reply)
  local conn = self.conn
  local ok, sent = pcall(conn.send, conn, reply)
  if not ok then
    local message = tostring(sent):gsub("^cannot send value%[(%d+)%]", function(i)
      return ("cannot send result %d"):format(i - 2)
    end)
    if not reply[1] then -- the error's own value: its text goes without
      local err = reply[2]
      err.value, message = nil, nil
      ok, sent = pcall(conn.send, conn, { false, err })
    end
    if message or not ok then
      ok, sent = pcall(conn.send, conn, self:failure(message or "an error that cannot be sent"))
    end
  end
  return ok and sent
end

local function is_request(request)
  return type(request) == "table"
    and math.type(request[1]) == "integer"
    and (request[1] == -1 and type(request[2]) == "table" or math.type(request[3]) == "integer")
end

function Agent:run()
  local conn = self.conn
  while true do
    -- What was let go of is closed by the collector: others here may use it.
    local got, request, why = pcall(conn.recv, conn, self.tidy:look())
    if got and request == nil and why then
      if why ~= "timeout" then
        return -- closed, or broken
      end
    elseif not got then
      if not self:reply(self:failure(request)) then
        return
      end
    elseif not is_request(request) then
      return -- no client of ours
    elseif request[1] == -1 then
      self:drop(request[2])
    else
      local reply = self:answer(request)
      -- The manager's end is the agent's: the client, who sees this one, names
      -- the manager as it knows it.
      if self.hub.over or not self:reply(reply) then
        return
      end
    end
  end
end

--- The process's target. service: { door =, handle =, name =, id = } of the
-- manager.
function agent.main(listening, guest, service)
  core.ignore_interrupt()
  local ok, greeted, why = pcall(guest.greet, guest, listening.handle)
  listening:close()
  if not ok or not greeted then
    local log = package.loaded["mp.log"]
    if log then
      log.event("warning", "a client was refused: %s", ok and why or greeted)
    end
    return
  end
  guest:end_with_peer()
  guest:keepalive(reference.SILENCE)
  local self = setmetatable({
    conn = guest,
    hub = proxy.hub(service.door, service.handle, service.name),
    name = service.name,
    pid = service.handle:pid(),
    objects = {}, -- by key
    keys = {}, -- of objects
    guards = {},
    tidy = tidy.new(),
    last_guard = 0,
  }, Agent)
  reference.serve(function(key)
    return self:object(key)
  end)
  if guest:send { reference.HELLO, service.name, self.pid, service.id } then
    self:run()
  end
end

return agent
