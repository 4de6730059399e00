--- AsyncResult: what a task, or a map, will have come to. Two kinds share this
-- face: one task of a job, and a run of many (mp.run).
--
-- A result is settled when its value or error is known here; its callbacks
-- are called once after that, in a wait of this process.

local blame = require "mp.blame"
local core = require "mp.core"
local Error = require "mp.error"
local outcome = require "mp.outcome"
local policies = require "mp.policy"
local pollable = require "mp.pollable"

local Result = { __name = "mp.AsyncResult" }
Result.__index = Result

-- timeout: argument n of a call.
local function deadline_of(timeout, name, n)
  if timeout == nil then
    return nil
  elseif type(timeout) ~= "number" then
    local got = core.typename(timeout)
    blame.raise("bad argument #%d to '%s' (number expected, got %s)", n, name, got)
  elseif timeout ~= timeout then
    blame.raise("bad argument #%d to '%s' (timeout must not be NaN)", n, name)
  end
  return core.time() + math.max(timeout, 0)
end

--- Whether it is settled; tries to settle it.
function Result:check()
  return self.state ~= nil or self:look()
end

function Result:settle(state, ...)
  self.state = state
  self.n = select("#", ...)
  if self.n == 1 then
    self.value = ...
  else
    self.values = { ... }
  end
  self.job = nil
  return true
end

local function wait(self, deadline)
  while not self:check() do
    if deadline and core.time() >= deadline then
      return nil, "timeout"
    end
    -- Callbacks run in there: they may settle this one, too.
    self.pool:attend(core.time())
    if self.state == nil then
      self:sleep(deadline)
    end
  end
  if self.listeners then
    self:announce()
  end
  return true
end

--- Waits: true, or nil, "timeout".
function Result:wait(timeout)
  return wait(self, deadline_of(timeout, "wait", 1))
end

local function values(self)
  if self.n == 1 then
    return self.value
  end
  return table.unpack(self.values, 1, self.n)
end

--- The value (all of them); raises the task's error; nil, "timeout".
function Result:get(timeout)
  if self.state == nil or self.listeners then
    local ok, why = wait(self, deadline_of(timeout, "get", 1))
    if not ok then
      return nil, why
    end
  end
  if self.state == "failed" then
    error(self.value, 0)
  end
  return values(self)
end

--- true and the value; false and the error; nil, "timeout".
function Result:pget(timeout)
  if self.state == nil or self.listeners then
    local ok, why = wait(self, deadline_of(timeout, "pget", 1))
    if not ok then
      return nil, why
    end
  end
  if self.state == "failed" then
    return false, self.value
  end
  return true, values(self)
end

function Result:ready()
  return self:check()
end

--- Whether there is a value; raises when it is not known yet.
function Result:successful()
  if not self:check() then
    blame.raise("result is not ready")
  end
  return self.state == "done"
end

--- f(result) is called once it is settled, in a wait of this process.
function Result:on_done(f)
  if not policies.callable(f) then
    blame.raise("bad argument #1 to 'on_done' (function expected, got %s)", core.typename(f))
  end
  self:listen(f)
  return self.face or self
end

function Result:listen(f)
  if self.listeners then
    table.insert(self.listeners, f)
    return
  end
  self.listeners = { f }
  -- Without a job it is settled, or a run: the next wait looks at those anyway.
  self.pool:watch(self, self.job)
end

local function complain(err)
  warn("mp: a callback failed: ", tostring(Error.is(err) and err or Error.text(err)))
end

--- Calls its callbacks, which cannot hurt.
function Result:announce()
  local listeners = self.listeners
  self.listeners = nil
  for _, f in ipairs(listeners or {}) do
    local ok, err = pcall(f, self.face or self)
    if not ok then
      complain(err)
    end
  end
end

--- The callbacks of a policy.
function Result:obey(policy)
  if policy.callback then
    self:listen(function(r)
      if r.state == "done" then
        policy.callback(values(r))
      end
    end)
  end
  if policy.error_callback then
    self:listen(function(r)
      if r.state == "failed" then
        policy.error_callback(r.value)
      end
    end)
  end
end

function Result:__tostring()
  local what = self.state or "pending"
  return ("mp.AsyncResult: %p (%s%s)"):format(
    self,
    what,
    self.label and ", " .. self.label or ""
  )
end

pollable.by_result(Result)

Result.__waitable = function(self)
  return self:watched()
end

Result.__mp_pack = function()
  error("cannot send an AsyncResult", 0)
end

-- One task ------------------------------------------------------------------

local Task = setmetatable({}, { __index = Result })
for k, v in pairs(Result) do
  if type(k) == "string" and k:match "^__" then
    Task[k] = v
  end
end
Task.__index = Task

function Task:watched()
  return self.job
end

function Task:sleep(deadline)
  self.pool:sleep(self.job, self.index, 0, deadline)
end

local NO_POLICY <const> = {}

function Task:judged(state, what, ...)
  if state == "done" then
    self.worker = self.pool:worker_name(what)
    return self:settle("done", ...)
  elseif state == "printed" then
    self.worker = self.pool:worker_name(what)
    self.output = ...
    return self:settle("done", select(2, ...))
  elseif state == "open" then
    return false
  end
  self.worker, self.output = what.process, what.output
  if what.kind == "stop" then
    return self:settle("done", what.value)
  end
  return self:settle("failed", what)
end

function Task:look()
  local job, index = self.job, self.index
  local policy = self.policy or NO_POLICY
  return self:judged(
    outcome.judge(self.pool, policy, job, index, nil, self.label, job:result(index))
  )
end

--- Gives the task up: "queued" when it had not begun, "running" when it had,
-- false when it is over.
function Task:cancel()
  if self.state ~= nil then
    return false
  end
  local job = self.job
  local how, seat = job:cancel(self.index)
  if not how then
    return false
  end
  if how == "running" then
    self.pool:interrupt(job, self.index, seat)
  end
  self:settle("failed", outcome.cancelled(nil, self.label))
  return how
end

-- Users hold small userdata, of which these are the inside (lua/core/task.c).
core.task_class(Task)

Result.Task = Task
Result.deadline_of = deadline_of

return Result
