--- What a process needs to submit to a pool: its handle, what was sent to the
-- workers before, and how to wait. The creator of the pool looks after the
-- workers whenever it waits.

local blame = require "mp.blame"
local caller = require "mp.caller"
local core = require "mp.core"
local outcome = require "mp.outcome"
local policies = require "mp.policy"
local worker = require "mp.worker"

local Submitter = {}
Submitter.__index = Submitter

-- The longest sleep, and how often the workers are looked after.
local SLICE <const>, TEND <const> = 0.05, 0.02
-- The longest sleep where workers are replaced after so many tasks.
local SHORT <const> = 0.002
-- A worker that waits for a task helps with others that deep.
local DEEP <const> = 4

--- flags of jobs; lua/core/pool.h has them too
Submitter.STOP, Submitter.STOP_LOST = 1, 2
Submitter.SPREAD, Submitter.ALL, Submitter.NONE = 4, 8, 16
Submitter.INLINE, Submitter.CARE = 32, 64

function Submitter.new(handle, fields)
  local self = setmetatable(fields, Submitter)
  self.core = handle
  self.id = handle:id()
  self.pid = core.getpid()
  self.tend_at = 0
  self.notes = setmetatable({}, { __mode = "k" })
  self.calls = 0 -- for seeds
  self.tasks = 0 -- of apply
  self.callbacks = {} -- by job: tasks whose callbacks are due
  self.runs = {} -- whose callbacks are due
  self.depth = 0
  return self
end

function Submitter:worker_name(number)
  return ("%s-%d"):format(self.name or "worker", number)
end

-- What the kernel counted, of processes ended for lack of memory in this
-- control group; nil where there is none.
local function out_of_memory_count()
  local file <close> = io.open "/proc/self/cgroup"
  local path = file and file:read("a"):match "0::(/[^\n]*)"
  local events <close> = path and io.open("/sys/fs/cgroup" .. path .. "/memory.events")
  return events and math.tointeger(tonumber(events:read("a"):match "oom_kill (%d+)"))
end

Submitter.out_of_memory_count = out_of_memory_count

--- Whether the kernel ended a process of ours for lack of memory since we asked
-- last.
function Submitter:was_out_of_memory()
  local count = self.oom and out_of_memory_count()
  local more = count and count > self.oom
  self.oom = count or self.oom
  return more
end

--- In a forked child: what was sent before was the parent's, so are the workers.
function Submitter:adopt()
  if self.pid ~= core.getpid() then
    self.pid = core.getpid()
    self.crew, self.stream = nil, nil
    self.notes = setmetatable({}, { __mode = "k" })
    self.callbacks, self.runs = {}, {}
  end
end

--- What workers are told of a call: the function and its policy.
function Submitter:note_of(f, policy)
  local told = policies.for_workers(policy)
  if told or not core.is_plain(f) then
    return core.Note(f, told)
  end
  local note = self.notes[f]
  if not note then
    note = core.Note(f)
    self.notes[f] = note
  end
  return note
end

-- A stream of random numbers of its own for each call; tasks of apply are one
-- call. SplitMix's finalizer keeps calls of neighbouring seeds apart.
local function mix(seed, call)
  local z = seed + call * 0x9e3779b97f4a7c15
  z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
  z = (z ~ (z >> 27)) * 0x94d049bb133111eb
  z = z ~ (z >> 31)
  return z ~= 0 and z or 1
end

--- The numbers of the next n tasks of apply: the first.
function Submitter:numbers(n)
  local first = self.tasks
  self.tasks = first + n
  return first
end

local GRACE <const> = 1000000000 -- ns

--- What the jobs of a call have in common.
function Submitter:plan(f, policy, flags)
  self:adopt()
  local seed
  if self.seed then
    if flags & Submitter.ALL == 0 then
      self.calls = self.calls + 1
    end
    seed = mix(self.seed, flags & Submitter.ALL == 0 and self.calls or 0)
  end
  if policy.timeout or seed then
    flags = flags | Submitter.CARE
  end
  if self.in_caller then
    return caller.plan(f, policy, flags, seed)
  end
  return core.Plan(self.core, f ~= nil and self:note_of(f, policy) or nil, {
    flags = flags,
    priority = policy.priority,
    chunk = policy.chunk,
    timeout = policy.timeout,
    grace = policy.grace or GRACE,
    seed = seed,
  })
end

--- Raises if the pool takes no jobs.
function Submitter:check_running()
  local state = self.core:is_open() and self.core:state() or "terminate"
  if state == "run" then
    return
  elseif state == "broken" then
    error(self:why(), 0)
  end
  blame.raise("pool not running")
end

--- What broke the pool.
function Submitter:why()
  return self.crew and self.crew.broken or self.core:why() or "the pool is broken"
end

--- Whether no task is begun any more.
function Submitter:is_doomed()
  local state = self.core:is_open() and self.core:state() or "terminate"
  return state ~= "run" and state ~= "close" and state
end

--- Why a task that is open will stay so: an error object, or nil.
function Submitter:doom(job, index, label)
  local state = self:is_doomed()
  if not state then
    return nil
  end
  local _, _, stopped = job:look()
  if not stopped then
    return nil
  elseif state == "broken" then
    return self:why()
  end
  return outcome.cancelled(index, label, "the pool was terminated")
end

-- Callbacks ----------------------------------------------------------------

--- The callbacks of a task of the job, or of a run, are called when it is
-- settled, in a wait of this process.
function Submitter:watch(result, job)
  if not job then
    table.insert(self.runs, result)
    return
  end
  local entry = self.callbacks[job]
  if not entry then
    entry = { seen = -1, results = {} }
    self.callbacks[job] = entry
  end
  table.insert(entry.results, result)
end

-- Calls what is due of the list: what is left of it, and how many it was.
local function announce_settled(results)
  local rest, n = {}, 0
  for _, result in ipairs(results) do
    if result:check() then
      n = n + 1
      result:announce()
    else
      rest[#rest + 1] = result
    end
  end
  return rest, n
end

--- Calls what is due: how many results.
function Submitter:call_back()
  local all = 0
  for job, entry in pairs(self.callbacks) do
    local seen, _, stopped = job:look()
    if seen ~= entry.seen or stopped then
      local n
      entry.seen = seen
      entry.results, n = announce_settled(entry.results)
      all = all + n
      if #entry.results == 0 then
        self.callbacks[job] = nil
      end
    end
  end
  if #self.runs > 0 then
    local n
    self.runs, n = announce_settled(self.runs)
    all = all + n
  end
  return all
end

--- mp.poll's share: looks after the workers, when it is due or at once, and calls
-- back; how many results.
function Submitter:pump(at_once)
  if self.pid ~= core.getpid() or not self.core:is_open() then
    return 0
  end
  local now = core.time()
  if self.crew and (at_once or now >= self.tend_at) then
    self.tend_at = now + TEND
    self.crew:tend()
  end
  return self:call_back()
end

--- Interrupts the worker in the seat, if it still does that task.
function Submitter:interrupt(job, index, seat)
  self.core:interrupt(seat, job, index)
end

-- Waiting -------------------------------------------------------------------

--- Looks after the workers, and calls back.
function Submitter:attend(now)
  local crew <const> = self.crew
  if crew and self.pid == core.getpid() and (now >= self.tend_at or crew:is_weary()) then
    self.tend_at = now + TEND
    crew:tend()
  end
  if next(self.callbacks) or #self.runs > 0 then
    self:call_back()
  end
end

-- A worker of this very pool does not sleep while there is work for it: first
-- what it waits for, then anything.
function Submitter:help(job, task)
  if self.depth >= DEEP then
    worker.help(job)
    return
  end
  self.depth = self.depth + 1
  local ok, err = pcall(function()
    worker.help(job)
    if not task or not job:wait(task, 0, 0) then
      worker.help()
    end
  end)
  self.depth = self.depth - 1
  if not ok then
    error(err, 0)
  end
end

-- How long to sleep at most, before the deadline if there is one.
function Submitter:slice(now, deadline)
  local crew <const> = self.crew
  local most <const> = crew and crew.options.maxtasksperchild and SHORT or SLICE
  return deadline and math.min(deadline - now, most) or most
end

--- Sleeps, not long, until the task of the job is over; task nil: until
-- progress is not what was seen. Who sleeps attends before.
function Submitter:sleep(job, task, seen, deadline)
  local now = core.time()
  local left = self:slice(now, deadline)
  if worker.of(self.id) and not job:wait(task, seen, 0) then
    self:help(job, task)
    left = math.min(left, 0.001)
  end
  job:wait(task, seen, left)
end

--- Sleeps, not long, until something happened to one of the jobs since it was
-- looked at.
function Submitter:sleep_any(jobs, deadline)
  if #jobs == 1 then
    self:sleep(jobs[1], nil, jobs[1]:seen(), deadline)
    return
  end
  local now = core.time()
  if worker.of(self.id) then
    self:help(jobs[1])
    return
  end
  core.wait(jobs, math.max(0, self:slice(now, deadline)))
end

return Submitter
