--- What the options of a call on a pool mean: checked, and in the units of the
-- runtime.

local core = require "mp.core"

local policy = {}

local function fail(name, expected, value)
  error(("option '%s': %s expected, got %s"):format(name, expected, core.typename(value)), 0)
end

local function number(name, value, least)
  if type(value) ~= "number" then
    fail(name, "number", value)
  elseif value ~= value then
    error(("option '%s' must not be NaN"):format(name), 0)
  elseif value < least then
    error(("option '%s' must not be less than %d"):format(name, least), 0)
  end
  return value
end

local function integer(name, value, least)
  local whole = math.tointeger(number(name, value, least))
  return whole or error(("option '%s' must be an integer"):format(name), 0)
end

local function callable(value)
  if type(value) == "function" then
    return true
  end
  local mt = getmetatable(value)
  return type(mt) == "table" and type(mt.__call) == "function"
end

local function callback(name, value)
  if not callable(value) then
    fail(name, "function", value)
  end
  return value
end

local function nanoseconds(name, value)
  number(name, value, 0)
  return value > 1e9 and math.maxinteger or math.max(1, math.floor(value * 1e9))
end

local RETRIES <const> = { max = true, backoff = true, when = true, quarantine = true }

local parse = {}

function parse.chunksize(p, v)
  p.chunk = integer("chunksize", v, 1)
end

function parse.timeout(p, v)
  p.timeout = nanoseconds("timeout", v)
end

function parse.grace(p, v)
  p.grace = nanoseconds("grace", v)
end

function parse.retries(p, v)
  if type(v) == "table" then
    for key in pairs(v) do
      if not RETRIES[key] then
        error(("invalid option 'retries.%s'"):format(tostring(key)), 0)
      end
    end
    p.retries = v.max == nil and 1 or integer("retries.max", v.max, 0)
    p.backoff = v.backoff and number("retries.backoff", v.backoff, 0)
    p.when = v.when and callback("retries.when", v.when)
    p.fearless = v.quarantine == false
  else
    p.retries = integer("retries", v, 0)
  end
  p.retries = math.min(p.retries, 200)
end

local WORDS <const> = { stop = true, collect = true }

function parse.on_error(p, v)
  if callable(v) then
    p.on_error, p.decide = "ask", v
  elseif WORDS[v] then
    p.on_error = v
  elseif type(v) == "string" then
    error(("option 'on_error': invalid word '%s'"):format(v), 0)
  else
    fail("on_error", "function or string", v)
  end
end

function parse.progress(p, v)
  if v == true or callable(v) then
    p.progress = v
  elseif v ~= false then
    fail("progress", "function or boolean", v)
  end
end

function parse.label(p, v)
  p.label = type(v) == "string" and v or fail("label", "string", v)
end

function parse.priority(p, v)
  p.priority = integer("priority", v, -20)
  if p.priority > 20 then
    error("option 'priority' must not be more than 20", 0)
  end
end

function parse.callback(p, v)
  p.callback = callback("callback", v)
end

function parse.error_callback(p, v)
  p.error_callback = callback("error_callback", v)
end

local function set(...)
  local t = {}
  for _, name in ipairs { ... } do
    t[name] = parse[name]
  end
  return t
end

local ALLOWED <const> = {
  apply = set("timeout", "grace", "retries", "priority", "label", "callback", "error_callback"),
  map = set(
    "chunksize",
    "timeout",
    "grace",
    "retries",
    "on_error",
    "progress",
    "label",
    "priority",
    "callback",
    "error_callback"
  ),
  imap = set("chunksize", "timeout", "grace", "retries", "on_error", "label", "priority"),
}

local DEFAULT <const> = { on_error = "stop" }

--- The policy of a call: of its options, or its chunk size. what: "apply",
-- "map" or "imap". Raises without a position.
function policy.of(what, options)
  if options == nil then
    return DEFAULT
  elseif type(options) == "number" and what ~= "apply" then
    options = { chunksize = options }
  elseif type(options) ~= "table" then
    error(("options expected in a table, got %s"):format(core.typename(options)), 0)
  end
  local p = { on_error = "stop" }
  for name, value in pairs(options) do
    local f = ALLOWED[what][name]
    if not f then
      error(("invalid option '%s'"):format(tostring(name)), 0)
    end
    f(p, value)
  end
  return p
end

--- What of a policy the workers must know, or nil.
function policy.for_workers(p)
  if p.retries or p.label then
    return { retries = p.retries, backoff = p.backoff, when = p.when, label = p.label }
  end
end

--- Whether a task that was lost is done once more, and in how many seconds:
-- after so many attempts, of which so many killed their worker.
function policy.retry(p, err, attempts, kills)
  if not p.retries or attempts > p.retries then
    return false
  elseif kills >= 2 and not p.fearless then
    err.quarantined = true
    return false
  elseif p.when and not p.when(err, attempts) then
    return false
  end
  return (p.backoff or 0) * 2 ^ (attempts - 1)
end

policy.callable = callable

return policy
