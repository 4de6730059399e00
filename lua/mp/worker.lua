--- A pool's worker, in its own process: the tasks that fail, and whatever a
-- task may ask for beside being called.

local core = require "mp.core"
local Error = require "mp.error"

local worker = {}

-- What this process is as a worker: { handle =, pool =, number =, name = }.
local current
local hooks = {} -- of at_worker_start

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
  return "a " .. core.typename(v)
end

local function summary(...)
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

--- What becomes of a task whose call ended with the status and the error: the
-- error for its submitter, or in how many seconds it is tried again.
function host.failed(status, err, note, number, attempts)
  if not Error.is(err) then
    err = Error.new {
      kind = status == OUT_OF_MEMORY and "memory" or "error",
      message = type(err) == "string" and err or Error.text(err),
      value = err,
    }
  end
  local policy = policies[note] or {}
  if policy.retries and attempts < policy.retries then
    if not policy.when or policy.when(err, attempts + 1) then
      return (policy.backoff or 0) * 2 ^ attempts
    end
  end
  err.traceback = trim(err.traceback or "")
  err.process, err.pid = err.process or current.name, err.pid or current.pid
  err.index = err.index or number + 1
  err.attempts = attempts + 1
  err.label = err.label or policy.label
  local ok, text = pcall(function()
    return summary(current.handle:arguments())
  end)
  err.arguments = err.arguments or ok and text or nil
  return err
end

--- The worker's whole life.
function worker.main(pool, seat, options)
  current = {
    pool = pool:id(),
    name = options.name,
    pid = core.getpid(),
  }
  local ok, err = xpcall(function()
    for _, hook in ipairs(options.hooks) do
      hook()
    end
    if options.initializer then
      local args = options.initargs
      options.initializer(table.unpack(args, 1, args.n or #args))
    end
  end, Error.catch)
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
  handle:run(host)
  handle:leave()
  return "left"
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

worker.hooks = hooks

return worker
