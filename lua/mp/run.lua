--- A run: one function over many items. It fills jobs, reads what came out, and
-- decides about errors. mp.pool makes one per map; as an AsyncResult it is the
-- list of results.

local blame = require "mp.blame"
local core = require "mp.core"
local outcome = require "mp.outcome"
local policies = require "mp.policy"
local Progress = require "mp.progress"
local ranges = require "mp.range"
local Result = require "mp.result"
local Submitter = require "mp.submitter"

local Run = setmetatable({}, { __index = Result })
for k, v in pairs(Result) do
  if type(k) == "string" and k:match "^__" then
    Run[k] = v
  end
end
Run.__index = Run

-- While the caller waits, so many jobs at most are ahead of what was read.
local WINDOW <const> = 4
-- Items whose results stand in a list.
local MOST <const> = (1 << 31) - 1
-- Results are read while others are made, in steps of this.
local STEP <const> = 8192

--- An iterator is read to its end: a list with its length as n; whatever else is
-- as it was.
function Run.read(t)
  if not policies.callable(t) then
    return t
  end
  local list, n = {}, 0
  for v in t do
    n = n + 1
    list[n] = v
  end
  list.n = n
  return list
end

--- The items of a call: something with a length, and that; or an iterator.
local function items_of(t, what)
  if policies.callable(t) then
    return t
  end
  local mt = getmetatable(t)
  if mt == ranges.Range then
    return t, t.n
  elseif type(t) == "table" and mt == nil then
    if t.n ~= nil and (math.type(t.n) ~= "integer" or t.n < 0) then
      error(("bad argument #2 to '%s' (field 'n' must be a count)"):format(what), 0)
    end
    local n = t.n or #t
    if n > 0 or t.n or next(t) == nil then
      return t, n
    end
    error(("bad argument #2 to '%s' (list expected, got a table without item 1)"):format(what), 0)
  elseif core.type(t) ~= "dict" and type(t) ~= "string" and pcall(function()
    return #t
  end) then
    return t, #t
  end
  error(
    ("bad argument #2 to '%s' (list or iterator expected, got %s)"):format(what, core.typename(t)),
    0
  )
end

Run.items_of = items_of

--- what: the call's name, for messages. flags: of its jobs.
function Run.new(pool, what, f, t, policy, flags)
  local items, n = items_of(t, what)
  if policy.on_error == "stop" then
    flags = flags | Submitter.STOP | (policy.retries and 0 or Submitter.STOP_LOST)
  end
  if n > MOST and flags & Submitter.NONE == 0 then
    error(("%d results are too many for a list (see each, imap and reduce)"):format(n), 0)
  end
  return setmetatable({
    pool = pool,
    policy = policy,
    label = policy.label,
    plan = n > 0 and pool:plan(f, policy, flags) or nil,
    items = items,
    total = n,
    fed = 0, -- items in jobs
    jobs = {}, -- from head on: not read to the end
    head = 1,
    tail = 0,
    finished = 0, -- tasks read
    consumed = 0, -- those of jobs read to the end
    reporter = policy.progress and Progress.new(policy.progress) or nil,
    failed = 0,
    results = flags & Submitter.NONE == 0 and core.new_list(n) or nil,
    errors = {},
    outputs = pool.captures and {} or nil,
  }, Run)
end

-- Invariant: the jobs from head to tail are there whatever instant Ctrl-C raises
-- an error at.

-- Feeding --------------------------------------------------------------------

function Run:feed_one()
  local items, at = self.items, self.fed
  local job, n
  if getmetatable(items) == ranges.Range then
    job, n = self.plan:range(items.first + at * items.step, items.step, self.total - at, at)
  else
    job, n = self.plan:list(items, at + 1, self.total, at)
  end
  if not job then
    self.pool:check_running()
    blame.raise "pool not running"
  end
  self.jobs[self.tail + 1] = { job = job, n = n, base = at, at = 0 }
  self.tail = self.tail + 1
  self.fed = at + n
end

--- Makes jobs of the items: of all, or as many as the window allows.
function Run:feed(all)
  while self.fed < self.total and (all or self.tail - self.head < WINDOW) do
    local ok, err = pcall(self.feed_one, self)
    if not ok then
      self:stop()
      if type(err) == "string" then
        err = err:gsub("^[^\n]-cannot send item", "cannot send item " .. self.plan:at())
        err = err:gsub("^[^\n]-run%.lua:%d+: ", "")
      end
      error(err, 0)
    end
  end
  if self.fed == self.total then
    self.items, self.plan = nil, nil
  end
end

--- No further task is begun.
function Run:stop()
  for i = self.head, self.tail do
    self.jobs[i].job:stop()
  end
  self.total = self.fed
end

-- Reading --------------------------------------------------------------------

function Run:finish(state, value)
  if state == "failed" then
    self:stop()
  end
  self.jobs, self.head, self.tail = {}, 1, 0
  self.items, self.plan = nil, nil
  return self:settle(state, value)
end

-- A task has no result: whether it is over all the same. May settle the run.
function Run:deal_with(entry, index, err)
  local position = entry.base + index + 1
  local policy = self.policy
  local word = policy.on_error
  if err.kind == "stop" then
    self:stop()
    self:finish("done", err.value)
    return false
  end
  if word == "ask" then
    word = policy.decide(err, position)
    if word == "retry" then
      entry.job:retry(index, 0)
      return false
    end
  end
  self.failed = self.failed + 1
  if word == "stop" then
    self:finish("failed", err)
    return false
  elseif word == "collect" then
    self.errors[#self.errors + 1] = position
    if self.results then
      self.results[position] = err
    end
  elseif word ~= "skip" then
    self:finish(
      "failed",
      ("on_error must return 'stop', 'skip' or 'retry', not '%s'"):format(tostring(word))
    )
    return false
  end
  return true
end

-- Whether the task is over without a result; "done" if it has one. May settle
-- the run.
function Run:take(entry, index)
  local position = entry.base + index + 1
  local state, err = outcome.judge(
    self.pool,
    self.policy,
    entry.job,
    index,
    position,
    self.label,
    entry.job:result(index)
  )
  if state == "done" or state == "printed" then
    return "done"
  elseif state == "open" then
    return false
  elseif self.pool:is_doomed() then
    self:finish("failed", err)
    return false
  end
  return self:deal_with(entry, index, err)
end

-- The first error in time ends a run that stops at errors.
function Run:look_for_failure()
  for i = self.head, self.tail do
    local entry = self.jobs[i]
    local _, failures, _, first = entry.job:look()
    if failures > 0 and first then
      self:take(entry, first)
      if self.state then
        return
      end
    end
  end
end

--- Reads what is there; whether the run is settled.
function Run:look()
  if self.policy.on_error == "stop" then
    self:look_for_failure()
  end
  while self.state == nil and self.head <= self.tail do
    local entry = self.jobs[self.head]
    local at, how = entry.job:collect(self.results, entry.at, entry.n, entry.base, self.outputs)
    self.finished = self.finished + at - entry.at
    entry.at = at
    if how == "end" then
      self.consumed = self.consumed + entry.n
      self.head = self.head + 1
      self.jobs[self.head - 1] = nil
      entry.job:close()
      if self.fed < self.total and not self.async then
        self:feed()
      end
    else
      local over = self:take(entry, at)
      if over == "done" then -- in this very moment: it is read like the others
        over = true
      elseif over then
        entry.at = at + 1
        self.finished = self.finished + 1
      end
      if not over then
        break
      end
    end
  end
  if self.state == nil and self.head > self.tail and self.fed == self.total then
    local results = self.results
    if results then
      results.n, results.outputs = self.total, self.outputs
      if self.policy.on_error == "collect" then
        results.errors = self.errors
      end
    end
    self:settle("done", results)
  end
  self:tell()
  return self.state ~= nil
end

--- Sleeps, not long.
function Run:sleep(deadline)
  local entry = self.jobs[self.head]
  if self.policy.on_error == "stop" and self.policy.retries then
    self.pool:sleep(entry.job, nil, (entry.job:look()), deadline)
  else
    self.pool:sleep(entry.job, math.min(entry.n - 1, entry.at + STEP), 0, deadline)
  end
end

--- Reports progress, when it is due.
function Run:tell()
  local over = self.state ~= nil
  if self.reporter and (over or self.reporter:is_due()) then
    local done = self.consumed
    for i = self.head, self.tail do
      done = done + self.jobs[i].job:look()
    end
    if self.state == "done" then
      done = self.total
    end
    self.reporter:tell(done, self.total, self.failed, over)
    if over then
      self.reporter = nil
    end
  end
end

function Run:watched()
  local entry = self.jobs[self.head]
  return entry and entry.job
end

--- Nobody wants the rest; tasks that are being done are interrupted.
function Run:give_up()
  local jobs, head, tail = self.jobs, self.head, self.tail
  self:finish("failed", outcome.cancelled(self.finished + 1, self.label))
  for i = head, tail do
    jobs[i].job:give_up()
  end
end

--- Gives up what is not done.
function Run:cancel()
  if self:check() then
    return false
  end
  local how = "queued"
  for i = self.head, self.tail do
    if self.jobs[i].job:look() > 0 then
      how = "running"
    end
  end
  self:give_up()
  return how
end

local function feed_and_get(self)
  self:feed()
  return self:get()
end

--- Waits for the end, in the caller's own time; the results, or raises. Results
-- that nobody waits for any more, because of Ctrl-C or of a callback that
-- raised, are given up.
function Run:complete()
  local ok, results = pcall(feed_and_get, self)
  if not ok then
    if self.state == nil then
      self:give_up()
    end
    error(results, 0)
  end
  return results
end

--- Submits everything now.
function Run:submit()
  self.async = true
  self:feed(true)
  if self.total == 0 then
    self:look()
  end
  return self
end

return Run
