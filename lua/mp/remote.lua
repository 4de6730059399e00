--- A manager on another machine, from the client's side: connections to it, and
-- calls over them.
--
-- A connection has an agent at its other end (mp/agent.lua), which serves one
-- call at a time. There is one connection, unless a call is begun inside a call
-- (by a finalizer or a hook); a forked child makes its own. The objects are the
-- manager's: all connections reach them by the same keys.

local core = require "mp.core"
local Error = require "mp.error"
local reference = require "mp.reference"

local remote = {}

-- How long an agent may take for its first words: it waits for nobody.
local PATIENCE <const> = 10

-- What this process knows of managers, by where and how they are reached.
local hubs = setmetatable({}, { __mode = "v" })

-- The manager to which, or from which, a message is under way.
local current

function remote.current()
  return current
end

--- "host:port", or the path.
local function place(address)
  if type(address) == "table" then
    return ("%s:%s"):format(tostring(address[1]), tostring(address[2]))
  end
  return tostring(address)
end

remote.place = place

--- The manager at the address. options: authkey, timeout, functions,
-- max_message.
function remote.hub(address, options)
  local id = ("%s\0%s\0%s\0%s"):format(
    place(address),
    tostring(options.authkey),
    tostring(options.functions),
    tostring(options.max_message)
  )
  local hub = hubs[id]
  if not hub then
    hub = {
      where = id,
      address = address,
      options = options,
      users = setmetatable({}, { __mode = "k" }), -- connected managers
      free = {}, -- connections
      drops = {}, -- keys of proxies that are no more
      known = setmetatable({}, { __mode = "v" }), -- proxies by key
    }
    hubs[id] = hub
  end
  return hub
end

--- The error of a call that nobody will answer.
local function lost(hub, why)
  return Error.new {
    kind = "lost",
    message = ("manager '%s' at %s is lost: %s"):format(
      hub.name or "?",
      place(hub.address),
      why or "the connection was closed"
    ),
    process = hub.name,
    pid = hub.server,
  }
end

local function close_all(hub)
  for _, conn in ipairs(hub.free) do
    conn:close()
  end
  hub.free = {}
end

-- Connections ------------------------------------------------------------------------------

-- The agent's first words: who they are of.
local function hear(hub, conn)
  local hello, why = conn:recv(PATIENCE)
  if type(hello) ~= "table" or hello[1] ~= reference.HELLO then
    return nil, why == "closed" and "the connection was closed" or "there is no manager"
  elseif hub.id and hub.id ~= hello[4] then
    hubs[hub.where] = nil -- whoever asks for the address now means the other
    return nil, "another manager has its place"
  end
  hub.name, hub.server, hub.id = hello[2], hello[3], hello[4]
  return conn
end

-- A new connection, or nil, why, errno; raises what mp.Client raises.
local function open(hub)
  local o = hub.options
  local conn, why, errno =
    core.connect(hub.address, o.authkey, o.timeout, o.functions, o.max_message)
  if not conn then
    return nil, why, errno
  end
  conn:keepalive(reference.SILENCE)
  local ok, good, problem = pcall(hear, hub, conn)
  if ok and good then
    return conn
  end
  conn:close()
  return nil, ("mp.Manager: cannot connect to '%s': %s"):format(
    place(hub.address),
    ok and problem or tostring(good)
  )
end

--- The manager that is at the address now, reached by the user (a key, held
-- weakly): or nil, why, errno. Proxies of one that was there before stay its own.
function remote.connect(user, address, options)
  local hub = remote.hub(address, options)
  local conn, why, errno = open(hub)
  if not conn and hubs[hub.where] ~= hub then
    hub = remote.hub(address, options)
    conn, why, errno = open(hub)
  end
  if not conn then
    return nil, why, errno
  end
  hub.closed = nil
  hub.users[user] = true
  remote.keep(hub, conn)
  return hub
end

-- This process's own list of connections, and what it has to tell.
local function owned(hub)
  if hub.pid ~= core.getpid() then
    close_all(hub) -- forked: they are our parent's, and its alone
    hub.pid, hub.drops = core.getpid(), {}
  end
  return hub.free
end

local function take(hub)
  local free = owned(hub)
  if hub.closed then
    error(lost(hub, "it was closed here"), 0)
  elseif #free > 0 then
    return table.remove(free)
  end
  local ok, conn, why = pcall(open, hub)
  if not ok or not conn then
    error(lost(hub, tostring(ok and why or conn)), 0)
  end
  return conn
end

--- The connection is at hand for the next call.
function remote.keep(hub, conn)
  table.insert(owned(hub), conn)
end

--- The last user ends all connections; proxies are of no use any more.
function remote.close(hub, user)
  hub.users[user] = nil
  if next(hub.users) == nil then
    owned(hub)
    hub.closed = true
    close_all(hub)
  end
end

--- The client has let go of the object: the agents are told when there is
-- something else to say. Never waits.
function remote.drop(hub, key)
  if hub.pid == core.getpid() and not hub.closed then
    table.insert(hub.drops, key)
  end
end

local function tell_drops(hub, conn)
  local drops = hub.drops
  if #drops == 0 then
    return
  end
  hub.drops = {}
  for _, other in ipairs(hub.free) do
    other:send { -1, drops }
  end
  conn:send { -1, drops }
end

-- Calls ----------------------------------------------------------------------------------------

-- f(conn, …) with the manager known to the hooks of proxies.
local function during(hub, f, ...)
  local before = current
  current = hub
  local results = table.pack(pcall(f, ...))
  current = before
  return table.unpack(results, 1, results.n)
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

-- Sends the request and returns the reply. A connection on which something was
-- raised is closed, for its reply may yet come: unless it has come and was no
-- message that can be had here.
local function exchange(hub, request)
  local conn = take(hub)
  tell_drops(hub, conn)
  local ok, sent = during(hub, conn.send, conn, request)
  if not ok then
    remote.keep(hub, conn)
    error(refused(sent), 0)
  end
  local got, reply = true, nil
  if sent then
    got, reply = during(hub, conn.recv, conn)
  end
  if got and reply == nil then
    conn:close()
    error(lost(hub), 0)
  elseif got or type(reply) == "string" and reply:find("cannot decode: ", 1, true) then
    remote.keep(hub, conn)
  else
    conn:close()
  end
  if not got then
    error(reply, 0)
  end
  return reply
end

--- Calls an operation of the object (key 0: of the manager itself): its results.
function remote.call(hub, key, name, ...)
  local reply = exchange(hub, { key, name, select("#", ...), ... })
  if not reply[1] then
    error(reply[2], 0)
  end
  return table.unpack(reply, 3, 2 + reply[2])
end

return remote
