--- A pool's worker, in its own process: the tasks that fail, and whatever a
-- task may ask for beside being called.

local core = require "mp.core"
local Error = require "mp.error"

local worker = {}

-- What this process is as a worker: { handle =, pool =, number =, name = }.
local current

-- By the number of a job's note: what its tasks have in common beside f.
local policies = {}

local host = { catch = Error.catch }

--- "module.function" names a function of a module.
local function resolve(name)
  local module, key = name:match "^(.*)%.([^.]+)$"
  local f = module and require(module)[key]
  if f == nil then
    error(("there is no function '%s' here"):format(name), 0)
  end
  return f
end

--- What is called for f: a function, or the name of one.
function worker.callable(f)
  return type(f) == "string" and resolve(f) or f
end

function host.load(note, f, policy)
  policies[note] = policy or {}
  return worker.callable(f)
end

function host.forget()
  policies = {}
end

-- A value in an error message: short, and never by user code.
local function brief(v)
  if type(v) == "string" then
    return #v <= 24 and ("%q"):format(v):gsub("\\\n", "\\n") or ("%q…"):format(v:sub(1, 20))
  elseif type(v) == "number" or type(v) == "boolean" or v == nil then
    return tostring(v)
  end
  local name = core.typename(v)
  return (name:find "^[aeiou]" or name:find "^mp%.") and "an " .. name or "a " .. name
end

--- The arguments of a task for a message.
function worker.summary(...)
  local list = table.pack(...)
  local parts = {}
  for i = 1, math.min(list.n, 4) do
    parts[i] = brief(list[i])
  end
  if list.n > 4 then
    parts[5] = "…"
  end
  return "(" .. table.concat(parts, ", ") .. ")"
end

-- What stands below the task in a stack is of no interest to its author.
local function trim(traceback)
  local cut = traceback:find "\n\t[^\n]*in method 'run'"
    or traceback:find "\n\t[^\n]*in method 'help'"
    or traceback:find "\n\t[^\n]*mp/worker%.lua:"
  if cut then
    traceback = traceback:sub(1, cut - 1)
    traceback = traceback:gsub("\n\t%[C%]: in [^\n]*$", "")
  end
  if traceback == "stack traceback:" then
    return ""
  end
  return traceback
end

local OUT_OF_MEMORY <const> = 4 -- LUA_ERRMEM

--- A task in a message: those of a map have numbers.
function worker.task_name(number, label)
  return label and ("task '%s'"):format(label)
    or number and ("task %d"):format(number)
    or "the task"
end

--- The error of a task that took longer than so many seconds. Its limit of nothing
-- at all is a nanosecond.
function worker.too_long(number, timeout)
  local seconds = timeout > 1e-9 and timeout or 0
  return Error.new {
    kind = "timeout",
    message = ("%s took longer than %g s"):format(worker.task_name(number), seconds),
  }
end

--- What a hook raises in a task that should end.
function host.interrupted(why, number, timeout)
  if why == "time" then
    return worker.too_long(number, timeout)
  end
  return Error.new {
    kind = "cancelled",
    message = why == "end" and "the pool was terminated" or "the task was cancelled",
  }
end

-- What was printed since the last time, where that is kept.
local function printed()
  if current.output == "capture" then
    return core.kept_output()
  elseif current.output == "group" then
    local out, err = core.kept_output()
    if out ~= "" or err ~= "" then
      local _ <close> = current.output_lock:hold()
      core.write_real(1, out)
      core.write_real(2, err)
    end
  end
end

--- What becomes of a task whose call ended with the status and the error: the
-- error for its submitter, or in how many seconds it is tried again.
function host.failed(status, err, note, number, attempts, late, timeout)
  local output = printed()
  if not Error.is(err) then
    err = Error.new {
      kind = status == OUT_OF_MEMORY and "memory" or "error",
      message = type(err) == "string" and err or Error.text(err),
      value = err,
    }
  end
  if err.value == "not enough memory" then
    err.kind = "memory"
  end
  if err.kind == "memory" then
    collectgarbage()
  end
  if late and err.kind ~= "timeout" then
    -- What it raised instead of the error of its time limit.
    local first = host.interrupted("time", number, timeout)
    err.kind, err.message = first.kind, first.message .. ": " .. err.message
  end
  local policy = policies[note] or {}
  if policy.retries and attempts < policy.retries then
    local again, fault = err.kind ~= "stop", nil
    if again and policy.when then
      local ok, answer = pcall(policy.when, err, attempts + 1)
      again, fault = ok and answer, not ok and answer
    end
    if again then
      return (policy.backoff or 0) * 2 ^ attempts
    elseif fault then
      err.message = ("%s (and its retries.when raised: %s)"):format(err.message, Error.text(fault))
    end
  end
  err.traceback = trim(err.traceback or "")
  err.process, err.pid = err.process or current.name, err.pid or current.pid
  err.index = err.index or number
  err.attempts = attempts + 1
  err.label = err.label or policy.label
  err.output = err.output or output
  local ok, text = pcall(function()
    return worker.summary(current.handle:arguments())
  end)
  err.arguments = err.arguments or ok and text or nil
  return err
end

--- Before a task that asks for more than to be called.
function host.before(_, number, seed, limited)
  if seed ~= 0 then
    math.randomseed(seed, number)
  end
  if limited then
    core.track_coroutines()
  end
  if current.affinity then -- a library may have changed it
    core.set_affinity(current.affinity)
  end
end

--- After it: what it printed, or nil.
function host.after()
  return printed()
end

-- A worker's life ----------------------------------------------------------------

local function must(ok, message)
  if not ok then
    error(message, 0)
  end
end

local function settle_in(options)
  local output = options.output
  if output == "tag" then
    must(core.tag_output(("[%s] "):format(options.name)))
  elseif output == "group" or output == "capture" then
    must(core.keep_output(output == "group"))
  elseif output == "line" then
    core.line_buffered()
  end
  if options.nice then
    must(core.add_nice(options.nice))
  end
  if options.affinity then
    local ok, message = core.set_affinity(options.affinity)
    local cpus = table.concat(options.affinity, ", ")
    must(ok, ("cannot run on CPU %s: %s"):format(cpus, message))
  end
  if options.initializer then
    local args = options.initargs
    options.initializer(table.unpack(args, 1, args.n or #args))
  end
end

--- The worker's whole life.
function worker.main(pool, seat, options)
  current = {
    pool = pool:id(),
    name = options.name,
    pid = core.getpid(),
    depth = options.depth,
    output = options.output,
    output_lock = options.output_lock,
    affinity = options.affinity,
  }
  local ok, err = xpcall(settle_in, Error.catch, options)
  if not ok then
    err.process, err.pid = options.name, current.pid
    err.traceback = trim(err.traceback)
    return "failed", err
  end
  local handle, why = core.Worker(pool, seat, options.maxtasksperchild)
  if not handle then
    return "failed", Error.new { kind = "error", message = why }
  end
  current.handle = handle
  if current.affinity or current.output == "group" or current.output == "capture" then
    handle:care()
  end
  if options.max_mem then
    handle:limit_memory(options.max_mem)
  end
  handle:run(host)
  handle:leave()
  return "left"
end

--- How deep the pools made here would be: 0 in a process that is no worker.
function worker.depth()
  return current and current.depth or 0
end

--- The worker that this process is, if it is one of that pool.
function worker.of(pool_id)
  return current and current.pool == pool_id and current.handle and current or nil
end

--- Inside a task: does other tasks, of the job or any.
function worker.help(job)
  return current.handle:help(host, job)
end

--- Whether this process is a worker of any pool.
function worker.is_one()
  return current ~= nil
end

return worker
