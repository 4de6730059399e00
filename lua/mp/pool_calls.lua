--- What is submitted to a pool: apply, map and their kin, the methods of mp.Pool
-- that all processes may call.

local blame = require "mp.blame"
local core = require "mp.core"
local Fold = require "mp.fold"
local Imap = require "mp.imap"
local policies = require "mp.policy"
local Run = require "mp.run"
local stream = require "mp.stream"
local Submitter = require "mp.submitter"

local calls = {}

--- Fields of a pool lie behind this key.
local STATE <const> = {}

calls.STATE = STATE

--- The methods.
local Pool = {}

calls.methods = Pool

local function argument_error(n, name, message)
  blame.raise("bad argument #%d to '%s' (%s)", n, name, message)
end

local function check_function(f, name)
  if type(f) ~= "string" and not policies.callable(f) then
    argument_error(1, name, "function expected, got " .. core.typename(f))
  end
end

--- The submitter inside a pool, which is the first argument of method name.
local function submitter(self, name)
  local s = type(self) == "table" and rawget(self, STATE)
  if not s then
    blame.raise("bad argument #1 to '%s' (mp.Pool expected, got %s)", name, core.typename(self))
  end
  return s
end

calls.submitter = submitter

-- The policy of a call; what is wrong with it is the caller's mistake.
local function policy_of(what, options)
  local ok, policy = pcall(policies.of, what, options)
  if not ok then
    blame.raise(policy)
  end
  return policy
end

-- One task ---------------------------------------------------------------------

-- The way for most tasks: the function is the last one's.
local function push_fast(self, f, args)
  local s = type(self) == "table" and self[STATE]
  local current = s and s.stream
  if current and current.key == f then
    return (current.job:push(args))
  end
end

local function submit(self, name, f, args, options)
  local s = submitter(self, name)
  check_function(f, name)
  if args ~= nil and type(args) ~= "table" then
    argument_error(2, name, "table expected, got " .. core.typename(args))
  end
  s:check_running()
  if options ~= nil then
    return stream.submit_alone(s, f, args, policy_of("apply", options))
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

-- A task that nobody waits for any more, because of Ctrl-C, is given up.
local function got(result, ok, ...)
  if not ok then
    result:cancel()
    return blame.pass(false, ...)
  end
  return ...
end

--- Calls f(args…) in a worker and returns what it returns.
function Pool:apply(f, args, options)
  local result = options == nil and push_fast(self, f, args)
  if not result then
    result = submit(self, "apply", f, args, options)
  end
  return got(result, pcall(result.get, result))
end

-- Many -------------------------------------------------------------------------

local function run(self, name, f, t, options, flags)
  local s = submitter(self, name)
  check_function(f, name)
  if t == nil then
    argument_error(2, name, "list or iterator expected, got nil")
  end
  local policy = policy_of("map", options)
  s:check_running()
  t = Run.read(t) -- an error of the caller's iterator passes as it is
  return blame.call(name, Run.new, s, name, f, t, policy, flags), policy
end

local function complete(self, name, f, t, options, flags)
  local r = run(self, name, f, t, options, flags)
  return blame.call(name, r.complete, r)
end

local function submit_all(self, name, f, t, options, flags)
  local r, policy = run(self, name, f, t, options, flags)
  blame.call(name, r.submit, r)
  if r.total > 0 then -- as in Python, of nothing nobody is told
    r:obey(policy)
  end
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
  local s = submitter(self, name)
  check_function(f, name)
  local policy = policy_of("imap", options)
  s:check_running()
  local items, n = blame.call(name, Run.items_of, t, name)
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
  local policy = policy_of("map", options)
  s:check_running()
  local items, n = blame.call("reduce", Run.items_of, Run.read(t), "reduce")
  return blame.call("reduce", Fold.fold, s, f, items, n, init, policy)
end

return calls
