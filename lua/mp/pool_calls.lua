--- What is submitted to a pool: apply, map and their kin, the methods of mp.Pool
-- that all processes may call.

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

local function argument_error(n, name, message, level)
  error(("bad argument #%d to '%s' (%s)"):format(n, name, message), level)
end

local function check_function(f, name, level)
  if type(f) ~= "string" and not policies.callable(f) then
    argument_error(1, name, "function expected, got " .. core.typename(f), (level or 3) + 1)
  end
end

--- The submitter inside a pool, which is the first argument of method name.
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

calls.submitter = submitter

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

-- A task that nobody waits for any more, because of Ctrl-C, is given up.
local function got(result, ok, ...)
  if not ok then
    result:cancel()
    error((...), 0)
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
  local s = submitter(self, name, 5)
  check_function(f, name, 5)
  if t == nil then
    argument_error(2, name, "list or iterator expected, got nil", 5)
  end
  local policy = policy_of("map", options, 5)
  s:check_running(4)
  t = Run.read(t) -- an error of the caller's iterator passes as it is
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
  local s = submitter(self, name, 4)
  check_function(f, name, 4)
  local policy = policy_of("imap", options, 4)
  s:check_running(3)
  local ok, items, n = pcall(Run.items_of, t, name)
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
  local ok, items, n = pcall(Run.items_of, Run.read(t), "reduce")
  if not ok then
    error(items, 2)
  end
  local folded, value = pcall(Fold.fold, s, f, items, n, init, policy)
  if not folded then
    error(value, type(value) == "string" and 2 or 0)
  end
  return value
end

return calls
