--- mp.Pool: worker processes that run functions over items.
--
--     local pool <close> = mp.Pool(4)
--     local squares = pool:map(function(x) return x * x end, { 1, 2, 3 })

local blame = require "mp.blame"
local caller = require "mp.caller"
local core = require "mp.core"
local Crew = require "mp.crew"
local calls = require "mp.pool_calls"
local pool_options = require "mp.pool_options"
local poll = require "mp.poll"
local process = require "mp.process"
local Result = require "mp.result"
local stream = require "mp.stream"
local Submitter = require "mp.submitter"

local Pool, STATE <const>, submitter = calls.methods, calls.STATE, calls.submitter

-- Whether this process made it, and is not forked from the one that did.
local function is_mine(s)
  return s.crew and s.pid == core.getpid()
end

-- The end --------------------------------------------------------------------------

--- No more work is taken; what was submitted is done.
function Pool:close()
  local s = submitter(self, "close")
  stream.close(s)
  if is_mine(s) and s.core:is_open() then
    s.core:shut "close"
  end
end

-- How long a worker may take to clear up.
local GRACE <const> = 0.2

--- Ends the workers at once; what was submitted is given up.
function Pool:terminate()
  local s = submitter(self, "terminate")
  stream.close(s)
  if not is_mine(s) or not s.core:is_open() then
    return
  end
  s.core:shut "terminate"
  s.crew:terminate()
  if not s.crew:join(core.time() + GRACE) then
    s.crew:kill()
    s.crew:join()
  end
end

--- Waits until the workers have left: true, or nil, "timeout".
function Pool:join(timeout)
  local s = submitter(self, "join")
  if not is_mine(s) then
    blame.raise("can only join a pool of this process")
  end
  if s.core:is_open() then
    local state = s.core:state()
    if state == "run" then
      blame.raise("pool is still running")
    end
    return s.crew:join(Result.deadline_of(timeout, "join", 1), function()
      s:attend(core.time())
    end)
  end
  return true
end

local function close_scope(self, err)
  local s = rawget(self, STATE)
  if not is_mine(s) then
    return
  end
  if err ~= nil then
    self:terminate()
  else
    self:close()
  end
  self:join()
end

local function collected(self)
  local s = rawget(self, STATE)
  if not is_mine(s) or not s.core:is_open() then
    return
  end
  if s.core:state() == "run" then
    if not s.quiet then
      warn("mp: a pool was dropped without close")
    end
    s.core:shut "terminate"
    pcall(s.crew.kill, s.crew) -- at the end of a program they are gone already
  end
end

-- What it is ------------------------------------------------------------------------

local property = {}

function property.state(s)
  local state = s.core:is_open() and s.core:state() or "terminate"
  return state == "broken" and "terminate" or state
end

property._state = property.state

function property.pending(s)
  return s.core:is_open() and s.core:pending() or 0
end

property._taskqueue = property.pending

function property.processes(s)
  return s.in_caller and 0 or s.size
end

property._processes = property.processes

function property.name(s)
  return s.label
end

--- What the workers did: a table with a list of them.
function Pool:stats()
  local s = submitter(self, "stats")
  local stats = { workers = {}, tasks = 0, deaths = s.core:deaths(), pending = s.core:pending() }
  local seat = 0
  while true do
    local state, number, pid, busy, _, tasks, seconds, age = s.core:look(seat)
    if not state then
      break
    elseif state == "live" then
      table.insert(stats.workers, {
        name = s:worker_name(number),
        pid = pid,
        busy = busy,
        tasks = tasks,
        seconds = seconds,
        age = age,
      })
      stats.tasks = stats.tasks + tasks
    end
    seat = seat + 1
  end
  return stats
end

--- Waits until all workers are ready for work; raises if some cannot start.
function Pool:warm()
  local s = submitter(self, "warm")
  s:check_running()
  if is_mine(s) then
    s.crew:try_again()
    s:pump(true) -- those that died since are no workers
  end
  while #self:stats().workers < property.processes(s) do
    s:attend(core.time())
    if s.core:state() == "broken" then
      blame.raise(s:why())
    end
    local obstacle = is_mine(s) and s.crew:obstacle_now()
    if obstacle then
      blame.raise(obstacle)
    end
    core.sleep(0.001)
  end
  return self
end

-- The pools of this state by their handles.
local known = setmetatable({}, { __mode = "k" })

local Class = {
  __name = "mp.Pool",
  __close = close_scope,
  __gc = collected,
}

function Class:__index(key)
  local method = Pool[key]
  if method then
    return method
  end
  local get = property[key]
  return get and get(rawget(self, STATE))
end

function Class:__tostring()
  local s = rawget(self, STATE)
  return ("mp.Pool: %p (%s, %d workers)"):format(self, property.state(s), property.processes(s))
end

function Class:__mp_pack()
  local s = rawget(self, STATE)
  if s.in_caller then
    error("cannot send a pool that runs in the caller", 0)
  elseif not s.core:is_open() then
    error("cannot send a closed pool", 0)
  end
  return { s.core, s.size, s.name, s.label, s.captures, s.keeps_output }
end

function Class.__mp_unpack(packed)
  local handle = packed[1]
  local self = known[handle]
  if not self then
    self = setmetatable({
      [STATE] = Submitter.new(handle, {
        size = packed[2],
        name = packed[3],
        label = packed[4],
        captures = packed[5],
        keeps_output = packed[6],
      }),
    }, Class)
    known[handle] = self
  end
  return self
end

core.class("mp.Pool", Class)

-- Making one -----------------------------------------------------------------------------

local function new(options, default_process)
  local ok, o = pcall(pool_options.of, options)
  if not ok then
    blame.raise(o)
  end
  local handle, why
  if o.processes == 0 then
    handle = caller.core()
  else
    handle, why = core.Pool(o.processes, o.name)
  end
  if not handle then
    blame.raise("cannot make a pool: " .. tostring(why))
  end
  o.Process = o.context and o.context.Process or default_process
  local s = Submitter.new(handle, {
    crew = Crew.new(handle, o),
    size = math.max(o.processes, 1),
    in_caller = o.processes == 0,
    name = o.name,
    seed = o.seed,
    captures = o.output == "capture",
    keeps_output = o.output == "capture" or o.output == "group",
    label = o.name,
    oom = Submitter.out_of_memory_count(),
  })
  local self = setmetatable({
    [STATE] = s,
    -- Found without asking __index.
    apply = Pool.apply,
    apply_async = Pool.apply_async,
  }, Class)
  known[handle] = self
  local started, err = pcall(s.crew.start, s.crew)
  if not started then
    s.core:shut "terminate"
    blame.raise(err)
  end
  poll.register(s, function()
    return s:pump()
  end)
  return self
end

return {
  new = function(options, more)
    if more ~= nil then
      blame.raise "bad argument #2 to 'Pool' (no value expected)"
    end
    return new(options, process.Process)
  end,
  -- With workers of another class of processes.
  new_in = function(options, Process)
    return new(options, Process)
  end,
  -- That of mp.map and its kin: ends with the program, quietly.
  new_default = function(Process)
    local self = new(nil, Process or process.Process)
    rawget(self, STATE).quiet = true
    return self
  end,
  methods = Pool,
}
