--- What a worker left behind for a task that has no result, as an error object.

local core = require "mp.core"
local Error = require "mp.error"
local log = require "mp.log"
local policies = require "mp.policy"
local worker = require "mp.worker"

local outcome = {}

local function seconds(s)
  return s < 10 and ("%.2f s"):format(s) or ("%.0f s"):format(s)
end

--- A task whose worker died. pool: the pool's state; index counts from 1.
function outcome.lost(pool, index, label, number, pid, exitcode, late, kills, attempts, ran)
  local name = pool:worker_name(number)
  local e = Error.new {
    kind = "lost",
    process = name,
    worker = name,
    pid = pid,
    index = index,
    label = label,
    exitcode = exitcode,
    attempts = attempts + 1,
    kills = kills,
    seconds = ran,
    log = log.last_words(pid),
  }
  local task = worker.task_name(index, label)
  if exitcode and exitcode < 0 then
    e.signo = -exitcode
    e.signal = core.signal_name(e.signo)
  end
  if late then
    e.kind = "timeout"
    e.message = ("%s took too long and was ended after %s (%s, pid %d)"):format(
      task,
      seconds(ran),
      name,
      pid
    )
  elseif not exitcode then
    e.message = ("%s was lost: %s (pid %d) ended after %s"):format(task, name, pid, seconds(ran))
  elseif exitcode < 0 then
    if e.signal == "SIGKILL" and pool:was_out_of_memory() then
      e.out_of_memory = true
    end
    e.message = ("%s was lost: %s (pid %d) was ended by %s after %s%s"):format(
      task,
      name,
      pid,
      e.signal,
      seconds(ran),
      e.out_of_memory and ", out of memory" or ""
    )
  else
    e.kind = "exit"
    e.message = ("%s was lost: %s (pid %d) ended with exit code %d"):format(
      task,
      name,
      pid,
      exitcode
    )
  end
  if pool.keeps_output then
    e.message = e.message .. "; what it printed was lost, too"
  end
  return e
end

--- A task that will not be done.
function outcome.cancelled(index, label, why)
  local task = worker.task_name(index, label)
  return Error.new {
    kind = "cancelled",
    message = ("%s was cancelled%s"):format(task, why and ": " .. why or ""),
    index = index,
    label = label,
  }
end

--- A failed task's error, as the worker sent it.
function outcome.failed(value, index, label)
  if Error.is(value) then
    value.index = value.index or index
    value.label = value.label or label
    return value
  end
  return Error.new {
    kind = value == "no memory" and "memory" or "error",
    message = Error.text(value),
    value = value,
    index = index,
    label = label,
  }
end

--- What job:result said of a task: "done", its worker's number and the values;
-- "printed", and before the values what it printed;
-- "open", also when it is tried again; or "failed" and the error.
function outcome.judge(pool, policy, job, index, position, label, state, number, ...)
  if state == "done" or state == "printed" then
    return state, number, ...
  elseif state == "open" then
    local err = pool:doom(job, position, label)
    if err == nil then
      return state
    end
    return "failed", err
  elseif state == "failed" then
    return "failed", outcome.failed((...), position, label)
  elseif state == "cancelled" then
    return "failed", outcome.cancelled(position, label)
  end
  local _, _, _, kills, attempts = ...
  local err = outcome.lost(pool, position, label, number, ...)
  local known, arguments = pcall(function()
    return worker.summary(job:arguments(index))
  end)
  err.arguments = known and arguments or nil
  local delay = policies.retry(policy, err, attempts + 1, kills)
  if delay then
    job:retry(index, delay)
    return "open"
  end
  return "failed", err
end

return outcome
