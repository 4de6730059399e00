--- mp.Pool(0): the tasks run in the caller, one after the other, where a debugger
-- sees them. What a pool's core, plans and jobs can do, in Lua: a task is run
-- when its result is asked for, one of apply when it is submitted. Nothing is
-- copied.

local core = require "mp.core"
local Error = require "mp.error"
local Result = require "mp.result"
local worker = require "mp.worker"

local caller = {}

local SPREAD <const>, ALL <const>, NONE <const> = 4, 8, 16

-- One task -------------------------------------------------------------------------

-- f under a soft time limit: a hook looks at the clock.
local function call_limited(seconds, number, f, ...)
  local deadline = core.time() + seconds
  local hook, mask, count = debug.gethook()
  debug.sethook(function()
    if core.time() >= deadline then
      error(worker.too_long(number, seconds))
    end
  end, "", 1000)
  local results = table.pack(xpcall(f, Error.catch, ...))
  debug.sethook(hook, mask, count)
  return table.unpack(results, 1, results.n)
end

local function attempt(plan, number, f, args)
  if plan.seed then
    math.randomseed(plan.seed, number)
  end
  local n = args.n or #args
  if plan.policy.timeout then
    local seconds = plan.policy.timeout / 1e9
    return table.pack(call_limited(seconds, plan:shown(number), f, table.unpack(args, 1, n)))
  end
  return table.pack(xpcall(f, Error.catch, table.unpack(args, 1, n)))
end

-- The outcome of a task: a list that begins with "done" or "failed".
local function run(plan, number, f, args)
  local policy, attempts = plan.policy, 0
  while true do
    attempts = attempts + 1
    local outcome = attempt(plan, number, worker.callable(f), args)
    if outcome[1] then
      outcome[1] = "done"
      return outcome
    end
    local err = outcome[2]
    err.index, err.attempts, err.label = plan:shown(number), attempts, policy.label
    if
      err.kind == "stop"
      or attempts > (policy.retries or 0)
      or policy.when and not policy.when(err, attempts)
    then
      return { "failed", err, n = 2 }
    end
    core.sleep((policy.backoff or 0) * 2 ^ (attempts - 1))
  end
end

-- Jobs -------------------------------------------------------------------------------

local Job = {}
Job.__index = Job

function Job:do_task(i)
  local outcome = self.outcomes[i]
  if outcome or self.stopped or i >= self.n then
    return outcome or { "open", n = 1 }
  end
  local f, args = self:task(i)
  self.outcomes[i] = { "open", n = 1 } -- it asks for itself
  outcome = run(self.plan, self.number + i, f, args)
  self.outcomes[i] = outcome
  self.progress = self.progress + 1
  if outcome[1] == "failed" then
    self.failures = self.failures + 1
    self.first = self.first or i
    if self.plan.stops then
      self.stopped = true
    end
  end
  return outcome
end

function Job:result(i)
  local outcome = self:do_task(i)
  if outcome[1] == "open" or outcome[1] == "cancelled" then
    return outcome[1]
  end
  return outcome[1], 0, table.unpack(outcome, 2, outcome.n)
end

function Job:value(i)
  local outcome = self:do_task(i)
  if outcome[1] == "done" then
    return true, table.unpack(outcome, 2, outcome.n)
  end
end

function Job:collect(results, i, last, base)
  while i < last do
    local outcome = self:do_task(i)
    if outcome[1] ~= "done" then
      return i, outcome[1] == "open" and "open" or "other"
    end
    if results then
      results[base + i + 1] = outcome[2]
    end
    i = i + 1
  end
  return i, "end"
end

function Job:any()
  for i = 0, self.n - 1 do
    if not self.taken[i] then
      self.taken[i] = true
      return i, self:result(i)
    end
  end
end

function Job:give_back(i)
  self.taken[i] = nil
end

function Job:look()
  return self.progress, self.failures, self.stopped, self.first
end

function Job:push(args, f)
  if self.n == self.size then
    return nil
  end
  self.tasks[self.n] = { f or self.plan.f, args or {} }
  self.n = self.n + 1
  self:do_task(self.n - 1)
  return setmetatable({ pool = self.owner, job = self, index = self.n - 1 }, Result.Task)
end

function Job:belong(owner)
  self.owner = owner
  return self
end

function Job:pull(plan, next_item, most)
  local n = 0
  while n < most and self.n < self.size do
    local v = next_item()
    if v == nil then
      return n, true
    end
    self.tasks[self.n] = { plan.f, { v, n = 1 } }
    self.n = self.n + 1
    n = n + 1
  end
  return n, false
end

function Job:room()
  return self.size - self.n
end

function Job:count()
  return self.n
end

function Job:seen()
  return self.progress
end

function Job.wait()
  return true
end

function Job:stop()
  self.stopped = true
end

Job.give_up = Job.stop

function Job:retry(i)
  self.outcomes[i] = nil
  return true
end

function Job:cancel(i)
  if self.outcomes[i] then
    return nil
  end
  self.outcomes[i] = { "cancelled", n = 1 }
  return "queued"
end

function Job.pace()
  return 0
end

function Job.publish()
  return true
end

function Job.seal() end
function Job.close() end

-- Plans -------------------------------------------------------------------------------

local Plan = {}
Plan.__index = Plan

--- seed: nil, or that of the call.
function caller.plan(f, policy, flags, seed)
  return setmetatable({
    f = f,
    policy = policy,
    seed = seed,
    stops = flags & 3 ~= 0,
    spread = flags & SPREAD ~= 0,
    all = flags & ALL ~= 0,
    none = flags & NONE ~= 0,
  }, Plan)
end

-- The number of a task in messages: tasks of apply have none.
function Plan:shown(number)
  return not self.all and number + 1 or nil
end

function Plan:job(size, number, task)
  return setmetatable({
    plan = self,
    number = number,
    size = size,
    n = size,
    task = task,
    outcomes = {},
    taken = {},
    progress = 0,
    failures = 0,
    stopped = false,
  }, Job)
end

function Plan:range(first, step, count, number)
  local job = self:job(count, number, function(job, i)
    return job.plan.f, { first + i * step, n = 1 }
  end)
  return job, count
end

function Plan:list(t, first, last, number)
  local job = self:job(last - first + 1, number, function(job, i)
    local item = t[first + i]
    if not job.plan.spread then
      return job.plan.f, { item, n = 1 }
    elseif type(item) ~= "table" then
      error(("arguments expected in a table, got %s"):format(core.typename(item)), 0)
    end
    return job.plan.f, item
  end)
  return job, last - first + 1
end

function Plan:open(size, _, number)
  local job = self:job(size, number, function(job, i)
    local task = job.tasks[i]
    return task[1], task[2]
  end)
  job.n, job.tasks = 0, {}
  return job
end

function Plan.at()
  return 0
end

-- The pool ------------------------------------------------------------------------------

local Core = {}
Core.__index = Core

function caller.core()
  return setmetatable({ current = "run" }, Core)
end

function Core:state()
  return self.current
end

function Core:shut(state)
  if self.current ~= "terminate" then
    self.current = state
  end
end

function Core.is_open()
  return true
end

function Core.is_mine()
  return true
end

function Core.id()
  return 0
end

function Core.pending()
  return 0
end

Core.deaths = Core.pending

function Core.look() end
function Core.why() end
function Core.interrupt() end

return caller
