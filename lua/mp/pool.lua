--- mp.Pool: worker processes that run functions over items.
--
--     local pool <close> = mp.Pool(4)
--     local squares = pool:map(function(x) return x * x end, { 1, 2, 3 })

local caller = require "mp.caller"
local core = require "mp.core"
local Crew = require "mp.crew"
local Fold = require "mp.fold"
local Imap = require "mp.imap"
local policies = require "mp.policy"
local pool_options = require "mp.pool_options"
local poll = require "mp.poll"
local process = require "mp.process"
local Result = require "mp.result"
local Run = require "mp.run"
local stream = require "mp.stream"
local Submitter = require "mp.submitter"

local Pool = {}

-- Fields of the object itself lie behind this key.
local STATE <const> = {}

local function argument_error(n, name, message, level)
  error(("bad argument #%d to '%s' (%s)"):format(n, name, message), level)
end

local function check_function(f, name, level)
  if type(f) ~= "string" and not policies.callable(f) then
    argument_error(1, name, "function expected, got " .. core.typename(f), (level or 3) + 1)
  end
end

local function submitter(self, name, level)
  local s = type(self) == "table" and rawget(self, STATE)
  if not s then
    error(
      ("bad argument #1 to '%s' (mp.Pool expected, got %s)"):format(name, core.typename(self)),
      level or 3
    )
  end
  return s
end

-- Whether this process made it, and is not forked from the one that did.
local function is_mine(s)
  return s.crew and s.pid == core.getpid()
end

-- The policy of a call; what is wrong with it is the caller's mistake.
local function policy_of(what, options, level)
  local ok, policy = pcall(policies.of, what, options)
  if not ok then
    error(policy, level)
  end
  return policy
end

-- One task ---------------------------------------------------------------------

-- The way for most tasks: the function is the last one's.
local function push_fast(self, f, args)
  local s = self[STATE]
  local current = s and s.stream
  if current and current.key == f then
    return (current.job:push(args))
  end
end

local function submit(self, name, f, args, options)
  local s = submitter(self, name, 4)
  check_function(f, name, 4)
  if args ~= nil and type(args) ~= "table" then
    argument_error(2, name, "table expected, got " .. core.typename(args), 4)
  end
  s:check_running(3)
  if options ~= nil then
    return stream.submit_alone(s, f, args, policy_of("apply", options, 4))
  end
  return stream.submit(s, f, args)
end

--- Calls f(args…) in a worker and returns an AsyncResult.
function Pool:apply_async(f, args, options)
  local result = options == nil and push_fast(self, f, args)
  if not result then
    result = submit(self, "apply_async", f, args, options)
  end
  return result
end

--- Calls f(args…) in a worker and returns what it returns.
function Pool:apply(f, args, options)
  local result = options == nil and push_fast(self, f, args)
  if not result then
    result = submit(self, "apply", f, args, options)
  end
  return result:get()
end

-- Many -------------------------------------------------------------------------

local function run(self, name, f, t, options, flags)
  local s = submitter(self, name, 5)
  check_function(f, name, 5)
  if t == nil then
    argument_error(2, name, "list or iterator expected, got nil", 5)
  end
  local policy = policy_of("map", options, 5)
  s:check_running(4)
  local ok, r = pcall(Run.new, s, name, f, t, policy, flags)
  if not ok then
    error(r, 4)
  end
  return r, policy
end

-- What is wrong with the call is raised where it was called; a task's error is
-- an object, which knows its place, and so does what the caller's iterator
-- raised. A place in these files (of Ctrl-C) is nothing to the caller.
local function at_caller(ok, ...)
  if not ok then
    local err = ...
    if type(err) == "string" then
      err = err:gsub("^[^\n:]*mp/[%w_]+%.lua:%d+: ", "")
    end
    error(err, type(err) == "string" and not err:find "^[^\n:]+:%d+: " and 3 or 0)
  end
  return ...
end

local function complete(self, name, f, t, options, flags)
  local r = run(self, name, f, t, options, flags)
  return at_caller(pcall(r.complete, r))
end

local function submit_all(self, name, f, t, options, flags)
  local r, policy = run(self, name, f, t, options, flags)
  at_caller(pcall(r.submit, r))
  r:obey(policy)
  return r
end

--- The list of f(item) for all items, in their order.
function Pool:map(f, t, options)
  local results = complete(self, "map", f, t, options, 0)
  return results
end

function Pool:map_async(f, t, options)
  local r = submit_all(self, "map_async", f, t, options, 0)
  return r
end

--- The same with items that are lists of arguments.
function Pool:starmap(f, t, options)
  local results = complete(self, "starmap", f, t, options, Submitter.SPREAD)
  return results
end

function Pool:starmap_async(f, t, options)
  local r = submit_all(self, "starmap_async", f, t, options, Submitter.SPREAD)
  return r
end

--- Calls f(item) for all items and keeps no results.
function Pool:each(f, t, options)
  complete(self, "each", f, t, options, Submitter.NONE)
end

-- One by one: an iterator for generic for, which closes itself.
local function lazy(self, name, f, t, options, ordered)
  local s = submitter(self, name, 4)
  check_function(f, name, 4)
  local policy = policy_of("imap", options, 4)
  s:check_running(3)
  local ok, items, n = pcall(Run.items_of, t, name, true)
  if not ok then
    error(items, 3)
  end
  local it = Imap.new(s, items, n, s:plan(f, policy, 0), policy, ordered)
  return it, nil, nil, it
end

--- for i, v in pool:imap(f, items): i is the item's index, v its result, in
-- order, while the items are pulled.
function Pool:imap(f, t, options)
  local a, b, c, d = lazy(self, "imap", f, t, options, true)
  return a, b, c, d
end

--- The same as results come.
function Pool:imap_unordered(f, t, options)
  local a, b, c, d = lazy(self, "imap_unordered", f, t, options, false)
  return a, b, c, d
end

--- f(… f(f(init, t[1]), t[2]) …), computed in pieces: f is associative.
function Pool:reduce(f, t, init, options)
  local s = submitter(self, "reduce")
  check_function(f, "reduce")
  local policy = policy_of("map", options, 3)
  s:check_running(2)
  local ok, items, n = pcall(Run.items_of, t, "reduce")
  if not ok then
    error(items, 2)
  end
  local folded, value = pcall(Fold.fold, s, f, items, n, init, policy)
  if not folded then
    error(value, type(value) == "string" and 2 or 0)
  end
  return value
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
    error("can only join a pool of this process", 2)
  end
  if s.core:is_open() then
    local state = s.core:state()
    if state == "run" then
      error("pool is still running", 2)
    end
    return s.crew:join(Result.deadline_of(timeout, "join"), function()
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

--- Waits until all workers are ready for work.
function Pool:warm()
  local s = submitter(self, "warm")
  s:check_running(2)
  while #self:stats().workers < property.processes(s) do
    s:attend(core.time())
    if s.core:state() == "broken" then
      error(s:why(), 2)
    end
    core.sleep(0.001)
  end
  return self
end

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
  return setmetatable({
    [STATE] = Submitter.new(packed[1], {
      size = packed[2],
      name = packed[3],
      label = packed[4],
      captures = packed[5],
      keeps_output = packed[6],
    }),
  }, Class)
end

core.class("mp.Pool", Class)

-- Making one -----------------------------------------------------------------------------

local function new(options, default_process)
  local ok, o = pcall(pool_options.of, options)
  if not ok then
    error(o, 2)
  end
  local handle, why
  if o.processes == 0 then
    handle = caller.core()
  else
    handle, why = core.Pool(o.processes, o.name)
  end
  if not handle then
    error("cannot make a pool: " .. tostring(why), 2)
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
  local started, err = pcall(s.crew.start, s.crew)
  if not started then
    s.core:shut "terminate"
    error(err, 2)
  end
  poll.register(s, function(deadline)
    return s:pump(deadline)
  end)
  return self
end

return {
  new = function(options)
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
