--- How a manager is reached from other machines. Its process listens and has a
-- child, the gate, which accepts connections and gives each to a child of its
-- own, an agent (mp/agent.lua). So whoever stalls, in the handshake or later,
-- holds up one agent and nobody else, and the process that has the objects
-- never reads a byte of the network.
--
-- The gate ends with the manager's process, an agent with the gate or with its
-- connection.

local agent = require "mp.agent"
local core = require "mp.core"
local listener = require "mp.listener"
local process = require "mp.process"

local gate = {}

local MOST <const> = 1000 -- connections at a time; more wait in the backlog
local PAUSE <const> = 0.05 -- until another look, while there are so many
local REAP <const> = 1 -- seconds from one look for ended agents to the next

-- Only a forked child has the connection.
local Process <const> = process.Process:with_start_method "fork"

local function accept(listening, service)
  local got, guest = pcall(listening.handle.take, listening.handle, 0)
  if not got or not guest then
    return -- gone already, or of another user
  end
  local child = Process {
    target = agent.main,
    args = { listening, guest, service },
    name = service.name .. ":agent",
    daemon = true,
  }
  pcall(child.start, child) -- no more processes: that client is refused
  guest:close()
end

local function serve(listening, service)
  core.ignore_interrupt()
  while true do
    local ready = core.wait({ listening }, REAP)
    local crowd = #process.active_children() >= MOST
    if ready[1] and not crowd then
      accept(listening, service)
    elseif crowd then
      core.sleep(PAUSE)
    end
  end
end

--- Listens as the options say: the listener, or nil, why, errno. To be called in
-- the manager's process. service: what agents need to know.
function gate.open(options, service)
  local listening, why, errno = listener.listen {
    address = options.address,
    authkey = options.authkey,
    functions = options.functions,
    max_message = options.max_message,
  }
  if not listening then
    return nil, why:gsub("^mp%.Listener", "mp.Manager"), errno
  end
  local child = Process {
    target = serve,
    args = { listening, service },
    name = service.name .. ":gate",
    daemon = true,
  }
  child:start()
  return listening
end

return gate
