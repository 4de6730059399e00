--- imap: results one by one, while the items are still being pulled. It never
-- runs further ahead of its reader than 2 × workers × chunk items, so a source
-- without end and a slow reader keep memory flat.

local blame = require "mp.blame"
local core = require "mp.core"
local outcome = require "mp.outcome"
local ranges = require "mp.range"
local Result = require "mp.result"

local Imap = { __name = "mp.Imap" }
Imap.__index = Imap

local CHUNK_MAX <const> = 64
-- Chunks grow until they take about so long.
local CHUNK_SECONDS <const> = 200e-6

--- items: a list or range with its length n, or (n nil) an iterator.
function Imap.new(pool, items, n, plan, policy, ordered)
  return setmetatable({
    pool = pool,
    items = items,
    total = n,
    plan = plan,
    policy = policy,
    ordered = ordered,
    chunk = policy.chunk or 1,
    adaptive = not policy.chunk,
    pulled = 0, -- items
    over = n == 0, -- nothing is left to be pulled
    returned = 0, -- results
    jobs = {}, -- from head on, each { job =, base =, n =, left = }
    head = 1,
    tail = 0,
    at = 0, -- ordered: the next task of the first job
  }, Imap)
end

-- Pulling -------------------------------------------------------------------------

-- Invariant: the jobs from head to tail are there whatever instant Ctrl-C raises
-- an error at.
function Imap:add_job(job, n)
  self.jobs[self.tail + 1] = { job = job, base = self.pulled, n = n, left = n }
  self.tail = self.tail + 1
  self.pulled = self.pulled + n
end

-- A slice of a list or range: a job of its own.
function Imap:pull_slice(most)
  local items, at = self.items, self.pulled
  local last = math.min(self.total, at + most)
  local job, n
  if getmetatable(items) == ranges.Range then
    job, n = self.plan:range(items.first + at * items.step, items.step, last - at, at)
  else
    job, n = self.plan:list(items, at + 1, last, at)
  end
  if not job then
    blame.raise "pool not running"
  end
  self:add_job(job, n)
  if self.pulled == self.total then
    self.over = true
  end
end

-- Items of an iterator go into the last job while there is room.
function Imap:pull_items(most)
  local entry = self.jobs[self.tail]
  if not entry or entry.full then
    local room = math.max(64, math.min(4 * self.chunk * self.pool.size, 4096))
    self:add_job(self.plan:open(room, nil, self.pulled), 0)
    entry = self.jobs[self.tail]
  end
  local job, before = entry.job, entry.n
  if not self.next_item then
    local items = self.items
    function self.next_item()
      local left = self.left_over
      if left ~= nil then
        self.left_over = nil
        return left
      end
      local v = items()
      return v
    end
  end
  local ok, n, over, left = pcall(job.pull, job, self.plan, self.next_item, most)
  if not ok then
    -- What came before is done, and then the error comes out.
    job:publish()
    self.source_error, self.over = n, true
    if type(n) == "string" then
      self.source_error = n:gsub("^cannot send item", "%0 " .. self.pulled + 1)
    end
    n = job:count() - before
  elseif n == nil then
    blame.raise "pool not running"
  end
  self.over = self.over or over
  self.left_over = left
  entry.full = left ~= nil or job:room() == 0
  entry.n, entry.left = before + n, entry.left + n
  self.pulled = self.pulled + n
  if self.over or entry.full then
    job:seal()
  end
end

function Imap:pull()
  local window = 2 * self.pool.size * self.chunk
  local ahead = self.pulled - self.returned
  if self.over or ahead > window // 2 then
    return
  end
  if self.adaptive and self.tail >= self.head then
    local pace = self.jobs[self.head].job:pace()
    if pace > 0 then
      self.chunk = math.max(1, math.min(CHUNK_MAX, CHUNK_SECONDS // pace // 1 | 0))
      window = 2 * self.pool.size * self.chunk
    end
  end
  if self.total then
    self:pull_slice(math.max(1, window - ahead))
  else
    self:pull_items(math.max(1, window - ahead))
  end
end

-- Reading ----------------------------------------------------------------------------

-- A task of the entry was returned.
function Imap:count(entry)
  self.returned = self.returned + 1
  entry.left = entry.left - 1
  -- Jobs that are read to the end go, from the first on.
  while self.head <= self.tail do
    local first = self.jobs[self.head]
    if first.left > 0 or not self.total and not first.full and not self.over then
      break
    end
    self.head = self.head + 1
    self.jobs[self.head - 1] = nil
    first.job:close()
    self.at = 0
  end
end

-- What to do about a task that failed: its index and error object as value, or
-- raises; nil: go on.
function Imap:fail(entry, index, err)
  local position = entry.base + index + 1
  local word = self.policy.on_error
  if err.kind == "stop" then
    self:close()
    return nil
  elseif word == "ask" then
    word = self.policy.decide(err, position)
  end
  if word == "retry" then
    entry.job:retry(index, 0)
    if not self.ordered then
      entry.job:give_back(index)
    end
    return nil
  end
  if self.ordered then
    self.at = index + 1
  end
  self:count(entry)
  if word == "skip" then
    return nil
  elseif word == "collect" then
    return position, err
  end
  error(err, 0)
end

-- The next result in order: index, value; nil: not there yet.
function Imap:take_ordered()
  local entry = self.jobs[self.head]
  if not entry then
    return nil
  end
  local index = self.at
  local ok, v = entry.job:value(index)
  if ok then
    self.at = index + 1
    self:count(entry)
    return entry.base + index + 1, v
  elseif index >= entry.n then
    return nil
  end
  local position = entry.base + index + 1
  local state, err, _, value = outcome.judge(
    self.pool,
    self.policy,
    entry.job,
    index,
    position,
    self.policy.label,
    entry.job:result(index)
  )
  if state == "failed" then
    return self:fail(entry, index, err)
  elseif state == "printed" then
    self.at = index + 1
    self:count(entry)
    return position, value
  end
  return nil
end

function Imap:judge_any(entry, index, state, number, ...)
  if state == "done" or state == "printed" then
    self:count(entry)
    return entry.base + index + 1, (select(state == "done" and 1 or 2, ...))
  end
  local position = entry.base + index + 1
  local what, err = outcome.judge(
    self.pool,
    self.policy,
    entry.job,
    index,
    position,
    self.policy.label,
    state,
    number,
    ...
  )
  if what == "failed" then
    return self:fail(entry, index, err)
  end
  entry.job:give_back(index)
  return nil
end

-- Any result that is there.
function Imap:take_any()
  for i = self.head, self.tail do
    local entry = self.jobs[i]
    if entry.left > 0 then
      local index, state, number, v = entry.job:any()
      if state == "done" then
        self:count(entry)
        return entry.base + index + 1, v
      elseif index then
        return self:judge_any(entry, index, state, number, v, select(4, entry.job:result(index)))
      end
    end
  end
  return nil
end

-- Nothing more comes of a pool that was ended.
function Imap:check_doom()
  if self.pool:is_doomed() then
    local entry = self.jobs[self.head]
    local err = entry and self.pool:doom(entry.job, self.returned + 1, self.policy.label)
    if err then
      self:close()
      error(err, 0)
    end
  end
end

function Imap:sleep(deadline)
  local entry = self.jobs[self.head]
  if self.ordered then
    self.pool:sleep(entry.job, self.at, 0, deadline)
    return
  end
  local jobs = {}
  for i = self.head, self.tail do
    if self.jobs[i].left > 0 then
      jobs[#jobs + 1] = self.jobs[i].job
    end
  end
  self.pool:sleep_any(jobs, deadline)
end

local function advance(self, deadline)
  while not self.closed do
    self:pull()
    local i, v
    if self.ordered then
      i, v = self:take_ordered()
    else
      i, v = self:take_any()
    end
    if i then
      return i, v
    elseif self.closed then
      return nil
    elseif self.over and self.returned == self.pulled then
      local err = self.source_error
      self:close()
      if err ~= nil then
        error(err, 0)
      end
      return nil
    elseif self.pulled > self.returned then
      self:check_doom()
      if deadline and core.time() >= deadline then
        return nil, "timeout"
      end
      self.pool:attend(core.time())
      if not self.closed then
        self:sleep(deadline)
      end
    end
  end
  return nil
end

--- The next index and value; nothing at the end; nil, "timeout".
function Imap:next(timeout)
  blame.check_self(self, Imap, "next")
  return advance(self, Result.deadline_of(timeout, "next", 1))
end

function Imap:__call()
  return advance(self)
end

--- Gives up the rest; tasks that are being done are interrupted.
function Imap:close()
  blame.check_self(self, Imap, "close")
  if self.closed then
    return
  end
  self.closed = true
  for i = self.head, self.tail do
    local job = self.jobs[i].job
    job:give_up()
    job:close()
  end
  self.jobs, self.items, self.plan, self.next_item, self.left_over = {}, nil, nil, nil, nil
end

Imap.__close = Imap.close

-- Dropped: nobody will read what is not begun.
function Imap:__gc()
  if not self.closed and self.pool.pid == core.getpid() then
    self:close()
  end
end

function Imap:__tostring()
  return ("mp.Imap: %p (%s, %d returned)"):format(
    self,
    self.closed and "closed" or "open",
    self.returned
  )
end

Imap.__mp_pack = function()
  error("cannot send an iterator of a pool", 0)
end

return Imap
