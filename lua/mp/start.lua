--- The three ways to start a process. Each takes what to do and returns the
-- process's handle; in a forked child it returns the handle and true. Of s, a
-- process's state (mp.process_fields), only name, daemon and worker are looked
-- at, and what leads to the ends of pipes that a forked child keeps.
--
-- fork        the child goes on with all of the parent's memory
-- spawn       a program of its own, which is told what to do by a message
-- forkserver  a fork of a small process that was spawned for that

local blame = require "mp.blame"
local core = require "mp.core"
local family = require "mp.family"

local start = { SERVER_NAME = "mp.forkserver" }

local executable -- what set_executable said
local preload = {}
local server -- { handle =, requests = }: the fork server of this process

--- What the child is told instead of inheriting it.
local function order(job)
  local log = package.loaded["mp.log"]
  job.log = log and log.order()
  job.arg, job.package_path, job.package_cpath = arg, package.path, package.cpath
  return job
end

local function command()
  local kind = core.host()
  if kind == "host" and not executable then
    return { core.executable(), "mp-worker" }
  end
  if not executable and not kind then
    error(
      "cannot start a program of its own: this one is not the Lua interpreter"
        .. " and did not call mpr_host_main (see mp.set_executable)",
      0
    )
  end
  -- Where all of mp is one file, mp brings its modules.
  local code = ("package.path=%q package.cpath=%q "):format(package.path, package.cpath)
    .. "local _ = package.searchpath('mp.child', package.path) or require 'mp' require 'mp.child'"
  return { executable or core.executable(), "-e", code }
end

local warned = false -- once in a process and those forked from it

-- A fork copies the calling thread only: what the others had locked (a library's
-- mutex, a mutex of the host's) stays locked in the child.
local function warn_of_threads()
  local n = core.thread_count()
  if n > 1 then
    warned = true
    warn(
      ("mp: fork in a process with %d threads copies only the calling one: "):format(n),
      "what the others have locked stays locked in the child (see mp.set_start_method)"
    )
  end
end

function start.fork(s)
  if not warned then
    warn_of_threads()
  end
  return core.fork(
    s.name,
    s.daemon,
    s.worker,
    s.object,
    family.at_start,
    family,
    family.here
  )
end

local function prepare(s, job)
  local handle, why, errno = core.prepare(s.name, s.daemon, s.worker)
  if not handle then
    return nil, why, errno
  end
  local ok, given, message = pcall(handle.give, handle, order(job))
  if not ok or not given then
    handle:discard()
    local why_not = tostring(ok and message or given)
    error(why_not .. (why_not:find "^cannot send" and ": only a fork could hand it over" or ""), 0)
  end
  return handle
end

function start.spawn(s, job)
  local argv = command()
  local handle, why, errno = prepare(s, job)
  if not handle then
    return nil, why, errno
  end
  local ok, message, code = handle:exec(argv, s.daemon)
  if not ok then
    handle:discard()
    return nil, message, code
  end
  return handle
end

local function ensure_server()
  if server and server.pid == core.getpid() and server.handle:alive() then
    return server
  end
  local requests, inner = core.Pipe()
  if not requests then
    error("cannot start the fork server: " .. inner, 0)
  end
  local handle, why = start.spawn({ name = start.SERVER_NAME, daemon = false }, {
    forkserver = inner,
    preload = preload,
  })
  inner:close()
  if not handle then
    requests:close()
    error("cannot start the fork server: " .. why, 0)
  end
  -- What goes wrong in a module that is to be loaded beforehand is raised here.
  local ready, closed = requests:recv()
  if ready ~= true then
    requests:close() -- so it ends
    handle:join()
    handle:close()
    error("cannot start the fork server: " .. tostring(ready or closed), 0)
  end
  server = { handle = handle, requests = requests, pid = core.getpid() }
  family.has_server = true
  return server
end

function start.forkserver(s, job)
  for _ = 1, 3 do
    local running = ensure_server()
    local handle, why, errno = prepare(s, job)
    if not handle then
      return nil, why, errno
    end
    if running.requests:send(handle) then
      -- The server may be killed with the request in hand.
      while true do
        local ok, how = handle:await(0.25)
        if ok then
          return handle
        elseif how ~= "timeout" or not running.handle:alive() then
          break
        end
      end
    end
    handle:discard()
    server = nil
  end
  return nil, "the fork server ends again and again"
end

local METHODS = { fork = true, forkserver = true, spawn = true }

--- Refuses what is no start method.
function start.check(method)
  if not METHODS[method] then
    blame.raise("cannot find context for '%s'", tostring(method))
  end
  return method
end

--- The default start method: fork, or forkserver in a process with threads.
function start.get_start_method(allow_none)
  if not family.method and not allow_none then
    family.method = core.thread_count() == 1 and "fork" or "forkserver"
  end
  return family.method or nil
end

function start.set_start_method(method, force)
  if family.method and not force then
    blame.raise("context has already been set")
  end
  if method ~= nil or not force then
    start.check(method)
  end
  family.method = method or false
end

--- The methods there are, the default one first.
function start.get_all_start_methods()
  local first = start.get_start_method(true)
    or (core.thread_count() == 1 and "fork" or "forkserver")
  local list = { first }
  for _, method in ipairs { "fork", "forkserver", "spawn" } do
    if method ~= first then
      list[#list + 1] = method
    end
  end
  return list
end

function start.set_executable(path)
  if type(path) ~= "string" then
    local got = core.typename(path)
    blame.raise("bad argument #1 to 'set_executable' (string expected, got %s)", got)
  end
  executable = path
end

function start.set_forkserver_preload(modules)
  if type(modules) ~= "table" then
    blame.raise("module names must be a list of strings")
  end
  for _, name in ipairs(modules) do
    if type(name) ~= "string" then
      blame.raise("module names must be a list of strings")
    end
  end
  preload = { table.unpack(modules) }
end

--- Ends the fork server with its family.
function start.finish()
  if server and server.pid == core.getpid() then
    server.requests:close()
    server = nil
  end
end

return start
