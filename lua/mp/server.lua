--- What a manager's process does: it makes objects of the classes that were
-- registered, and calls their methods for the proxies of other processes. A call
-- that waits for one of mp's objects lets others run; one that computes does not.
--
-- A request is { number of the object, method, count of arguments, arguments };
-- object 0 is the server itself. A reply is { true, count, results }, { "self" }
-- for the object as its own result, or { false, error }.

local calls = require "mp.calls"
local core = require "mp.core"
local Error = require "mp.error"
local process = require "mp.process"
local proxy = require "mp.proxy"
local tidy = require "mp.tidy"
local yielding = require "mp.yielding"

local server = {}

-- While calls come more densely than this, tokens are looked at now and then;
-- after such a pause, they are waited for.
local PAUSE <const>, SWEEP <const> = 0.01, 0.1

-- The loop is in no call, so it waits by what mp/yielding.lua replaces.
local wait <const> = core.wait

local Server = {}
Server.__index = Server

-- Requests to the server itself ----------------------------------------------------------

local requests = {}

function requests:register(name, class)
  self.classes[name] = class
end

--- Makes an object: its number and its token.
function requests:create(name, ...)
  local class = self.classes[name]
  local new = type(class) == "table" and class.new
  local object = (new or class)(...)
  if object == nil then
    error(("class '%s' made nil"):format(name), 0)
  end
  local ours, token = core.Pipe(false)
  self.last = self.last + 1
  self.objects[self.last] = object
  self.class_of[self.last] = name
  self.tokens[ours] = self.last
  self.all = nil
  self.given = token
  return self.last, token
end

function requests:registered(name)
  return self.classes[name] ~= nil
end

--- Where other machines reach the manager: nil, why, errno if that failed.
function requests:address()
  if self.listening then
    return self.listening.address
  end
  return nil, table.unpack(self.refusal or {})
end

-- What agents hold for clients on other machines -------------------------------------------

--- An agent has come: its number, and its token.
function requests:attach()
  local ours, token = core.Pipe(false)
  self.last = self.last + 1
  self.agents[ours] = self.last
  self.all = nil
  self.given = token
  return self.last, token
end

--- The agent has the object: the key it has from now on.
function requests:keep(agent, object)
  self.last = self.last + 1
  self.kept[self.last] = { object = object, holders = { [agent] = true } }
  return self.last
end

--- The object of the key, which the agent has, too; nil: it is gone.
function requests:claim(agent, key)
  local kept = self.kept[key]
  if not kept then
    return nil
  end
  kept.holders[agent] = true
  return kept.object
end

function requests:release(agent, key)
  local kept = self.kept[key]
  if kept then
    kept.holders[agent] = nil
    if not next(kept.holders) then
      self.kept[key] = nil
      self.tidy:note()
    end
  end
end

--- How many objects live.
function requests:count()
  self:sweep()
  local n = 0
  for _ in pairs(self.objects) do
    n = n + 1
  end
  return n
end

-- Objects ----------------------------------------------------------------------------------

function Server:drop(ours)
  local id = self.tokens[ours]
  self.tokens[ours] = nil
  self.objects[id], self.class_of[id] = nil, nil
  self.all = nil
  ours:close()
end

function Server:leave(ours)
  local agent = self.agents[ours]
  self.agents[ours] = nil
  self.all = nil
  ours:close()
  for key in pairs(self.kept) do
    requests.release(self, agent, key)
  end
end

-- Drops the objects that nobody has a proxy of, and what dead agents held.
function Server:sweep()
  for ours in pairs(self.agents) do
    if ours:poll() then
      self:leave(ours)
    end
  end
  for ours in pairs(self.tokens) do
    if ours:poll() then
      self:drop(ours)
    end
  end
  self.tidy:look()
  self.swept = core.time()
end

-- Calls ------------------------------------------------------------------------------------

local function call_method(object, name, ...)
  local method = object[name]
  if method == nil and name:sub(1, 2) == "__" then
    local mt = getmetatable(object)
    method = type(mt) == "table" and mt[name] or nil
  end
  return method(object, ...)
end

local function has_method(object, name)
  local ok, method = pcall(function()
    return object[name]
  end)
  if ok and method ~= nil then
    return true
  end
  local mt = getmetatable(object)
  return name:sub(1, 2) == "__" and type(mt) == "table" and mt[name] ~= nil
end

-- The reply to a call that ended so.
local function reply_to(object, ok, ...)
  if not ok then
    return { false, (...) }
  elseif object ~= nil and rawequal(object, (...)) and select("#", ...) == 1 then
    return { "self" }
  end
  return { true, select("#", ...), ... }
end

function Server:failure(err)
  if not Error.is(err) then
    err = Error.new { kind = "error", message = Error.text(err), value = err }
  end
  err.traceback = (err.traceback or ""):gsub("\n\t[^\n]*mp/server%.lua:.*$", "")
  err.process, err.pid = err.process or self.name, err.pid or core.getpid()
  return { false, err }
end

function Server:answer(request)
  local id, name, n = request[1], request[2], request[3]
  local reply
  if id == 0 then
    local ask = requests[name]
    reply = reply_to(nil, xpcall(ask, Error.catch, self, table.unpack(request, 4, 3 + n)))
  else
    local object = self.objects[id]
    if not has_method(object, name) then
      local message = ("%s has no method '%s'"):format(self.class_of[id], name)
      return self:failure(message)
    end
    reply = reply_to(
      object,
      xpcall(call_method, Error.catch, object, name, table.unpack(request, 4, 3 + n))
    )
  end
  return reply[1] and reply or self:failure(reply[2])
end

-- Sends the reply: false when nobody wants it.
function Server:reply(link, reply)
  local ok, sent, problem = pcall(link.send, link, reply)
  if not ok then
    -- What cannot be sent is a result; an error always can.
    local message = tostring(sent):gsub("^cannot send value%[(%d+)%]", function(i)
      return ("cannot send result %d"):format(i - 2)
    end)
    ok, sent, problem = pcall(link.send, link, self:failure(message))
  end
  if self.given then
    self.given:close()
    self.given = nil
  end
  return ok and (sent or problem ~= "closed")
end

-- A call from its request to its reply. The link's place in the loop is empty
-- when the call has waited meanwhile.
local function perform(self, link, request)
  local good = self:reply(link, self:answer(request))
  if not good then
    self:remove(link)
    link:close()
  elseif not self.is_link[link] then
    self:add(link)
  end
end

-- Serves what lies in a link.
function Server:serve(link)
  local got, request, why = pcall(self.recv, link, 0)
  if not got then
    self:reply(link, self:failure(request))
  elseif request ~= nil then
    if not calls.begin(perform, self, link, request) then
      self:remove(link) -- until the reply is sent, nothing can come
    end
  elseif why ~= "timeout" then
    self:remove(link)
    link:close()
  end
end

-- The loop ---------------------------------------------------------------------------------

-- New users of the manager; false when there can be none, or it is to end.
function Server:open_door()
  local got, link, why = pcall(self.door.recv, self.door, 0)
  if not got then
    return true
  elseif link == nil then
    return why == "timeout"
  elseif link == "shutdown" then
    return false
  end
  self:add(link)
  return true
end

-- All there is to wait for.
function Server:everything()
  if not self.all then
    self.all = table.move(self.links, 1, #self.links, 1, {})
    for _, set in ipairs { self.tokens, self.agents } do
      for ours in pairs(set) do
        self.all[#self.all + 1] = ours
      end
    end
  end
  return self.all
end

function Server:add(link)
  self.links[#self.links + 1] = link
  self.is_link[link] = true
  self.all = nil
end

function Server:remove(link)
  for i, other in ipairs(self.links) do
    if other == link then
      table.remove(self.links, i)
      break
    end
  end
  self.is_link[link] = nil
  self.all = nil
end

function Server:handle(ready)
  for _, it in ipairs(ready) do
    if it == self.door then
      if not self:open_door() then
        return false
      end
    elseif self.is_link[it] then
      self:serve(it)
    elseif self.tokens[it] then
      self:drop(it)
    elseif self.agents[it] then
      self:leave(it)
    end
  end
  return true
end

-- What is ready, when no call waits.
function Server:next()
  local ready = wait(self.links, PAUSE)
  if #ready == 0 then
    return wait(self:everything(), self.tidy:look())
  elseif core.time() - self.swept > SWEEP then
    self:sweep()
  end
  return ready
end

-- The same when some do.
function Server:next_with_calls()
  local all = self:everything()
  local list = table.move(all, 1, #all, 1, {})
  local deadline = calls.gather(list)
  local seconds = self.tidy:look()
  if deadline then
    local left = math.max(0, deadline - core.time())
    seconds = seconds and math.min(seconds, left) or left
  end
  -- What a call waits for may have been closed by another: each finds out itself.
  local ok, ready = pcall(wait, list, seconds)
  return ok and ready or nil
end

function Server:run()
  local go_on = true
  while go_on do
    if calls.any() then
      local ready = self:next_with_calls()
      go_on = self:handle(ready or {})
      calls.wake(ready)
    else
      go_on = self:handle(self:next())
    end
  end
end

-- Lets other machines in, as network says: { address =, …, door = }.
function Server:open_gate(network)
  local listening, why, errno = require("mp.gate").open(network, {
    door = network.door,
    handle = process.handle_of(process.current_process()),
    name = self.name,
    id = core.entropy(),
  })
  network.door:close()
  self.listening, self.refusal = listening, { why, errno }
end

--- The process's target. network: how other machines reach it, or nil.
function server.main(door, classes, name, network)
  core.ignore_interrupt()
  local self = setmetatable({
    door = door,
    recv = door.recv, -- see wait
    classes = classes,
    name = name,
    links = { door },
    is_link = {},
    tokens = {}, -- our end -> number
    objects = {}, -- by number
    class_of = {},
    agents = {}, -- our end -> number
    kept = {}, -- for agents, by key
    last = 0,
    swept = core.time(),
    tidy = tidy.new(), -- what agents let go of, and nobody here uses
  }, Server)
  if network then
    self:open_gate(network)
  end
  proxy.serve(self.objects)
  calls.begin_here()
  yielding.install()
  self:run()
  if self.listening then
    self.listening:close()
  end
end

return server
