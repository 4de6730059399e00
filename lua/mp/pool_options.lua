--- The options of mp.Pool, checked.

local core = require "mp.core"
local policies = require "mp.policy"
local worker = require "mp.worker"

local pool_options = {}

local DEEPEST <const> = 8 -- pools in workers of pools in workers …

local function refuse(message, ...)
  error(message:format(...), 0)
end

local function integer(name, value, least, most)
  if type(value) ~= "number" then
    refuse("%s must be a number", name)
  end
  local n = math.tointeger(value) or refuse("%s must be an integer", name)
  if least and n < least then
    refuse(least == 0 and "%s must not be negative" or "%s must be at least %d", name, least)
  elseif most and n > most then
    refuse("%s must be at most %d", name, most)
  end
  return n
end

local check = {}

function check.processes(o, v)
  o.processes = integer("number of processes", v, 0, 2000)
end

function check.initializer(o, v)
  o.initializer = policies.callable(v) and v or refuse "initializer must be a function"
end

function check.initargs(o, v)
  o.initargs = type(v) == "table" and v or refuse "initargs must be a table"
end

function check.maxtasksperchild(o, v)
  if math.type(v) ~= "integer" or v < 1 then
    refuse "maxtasksperchild must be a positive integer or nil"
  end
  o.maxtasksperchild = v
end

function check.name(o, v)
  o.name = type(v) == "string" and v or refuse "name must be a string"
  if v:find("\0", 1, true) then
    refuse "name must not contain '\\0'"
  end
end

function check.seed(o, v)
  o.seed = integer("seed", v)
end

function check.max_mem(o, v)
  o.max_mem = integer("max_mem", v, 1)
end

function check.nice(o, v)
  o.nice = integer("nice", v, -20, 19)
end

local OUTPUT <const> = { inherit = true, line = true, tag = true, group = true, capture = true }

function check.output(o, v)
  if not OUTPUT[v] then
    refuse(
      "output must be 'inherit', 'line', 'tag', 'group' or 'capture', not '%s'",
      tostring(v)
    )
  end
  o.output = v
end

-- "spread": one CPU each; a list of CPUs: for all; a list of lists: one each.
function check.affinity(o, v)
  if v == "spread" then
    local lists = {}
    for i, cpu in ipairs(core.affinity()) do
      lists[i] = { cpu }
    end
    o.affinity = lists
    return
  elseif type(v) ~= "table" or #v == 0 then
    refuse "affinity must be 'spread' or a list of CPU numbers, or of such lists"
  end
  o.affinity = type(v[1]) == "table" and v or { v }
  for _, list in ipairs(o.affinity) do
    if type(list) ~= "table" then
      refuse "affinity must be 'spread' or a list of CPU numbers, or of such lists"
    end
    for _, cpu in ipairs(list) do
      integer("a CPU number in affinity", cpu, 0, 1023)
    end
  end
end

function check.context(o, v)
  if type(v) ~= "table" or not v.Process then
    refuse "context must be a context"
  end
  o.context = v
end

-- Pools inside workers share what there is: with one worker a CPU, and one more
-- for each level, nobody is starved. Where nothing is left, tasks run in the
-- caller.
local function default_size(depth)
  local cpus = core.cpu_count()
  if depth == 0 then
    return cpus
  end
  return math.max(0, math.min(cpus, cpus + depth - core.worker_count()))
end

--- options: a number of workers, a table, or nil. Raises without a position.
function pool_options.of(options)
  local o = { initargs = {} }
  if options ~= nil and type(options) ~= "table" then
    options = { processes = options }
  end
  for name, value in pairs(options or {}) do
    local f = check[name]
    if not f then
      refuse("invalid option '%s'", tostring(name))
    end
    f(o, value)
  end
  o.depth = worker.depth()
  if o.depth > DEEPEST then
    refuse("pools are nested too deep (at most %d)", DEEPEST)
  end
  o.processes = o.processes or default_size(o.depth)
  return o
end

return pool_options
