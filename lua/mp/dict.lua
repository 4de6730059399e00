--- Shared dicts: `mp.dict([t])`. `d[k]`, `d[k] = v`, `#d` and `pairs(d)` are
-- theirs; everything else is a function of this module, so that no key is
-- taken. Plain tables put into one become shared themselves.

local core = require "mp.core"

local dict = {}

local function check(d, name)
  if core.type(d) ~= "dict" then
    error(
      ("bad argument #1 to '%s' (mp.dict expected, got %s)"):format(name, core.typename(d)),
      3
    )
  end
end

--- A plain table, made shared: tables within it too, each once. A sequence
-- (keys 1..n and nothing else, n > 0) becomes a list where there are lists.
local function share(value, memo)
  if type(value) ~= "table" or getmetatable(value) ~= nil then
    return value
  end
  memo = memo or {}
  if memo[value] then
    return memo[value]
  end
  local n = #value
  local count = 0
  for _ in next, value do
    count = count + 1
  end
  if n > 0 and n == count and dict.list then
    return dict.list(value, memo)
  end
  local d = core.dict_new()
  memo[value] = d
  for k, v in next, value do
    core.dict_set(d, k, share(v, memo))
  end
  return d
end

dict.share = share

local OPTIONS = { name = true }

function dict.new(t, options)
  if t ~= nil and type(t) ~= "table" then
    error(("bad argument #1 to 'dict' (table expected, got %s)"):format(core.typename(t)), 2)
  end
  for k in pairs(options or {}) do
    if not OPTIONS[k] then
      error(("invalid option '%s'"):format(tostring(k)), 2)
    end
  end
  local d = core.dict_new(options and options.name)
  local memo = t and { [t] = d }
  for k, v in pairs(t or {}) do
    core.dict_set(d, k, share(v, memo))
  end
  return d
end

--- d[k], or default.
function dict.get(d, k, default)
  check(d, "get")
  if select("#", core.dict_get(d, k)) == 0 then
    return default
  end
  return (core.dict_get(d, k))
end

--- Stores v; it counts as absent after ttl seconds, if given.
function dict.set(d, k, v, ttl)
  check(d, "set")
  core.dict_set(d, k, share(v), ttl)
end

--- The value of k, which becomes default (nil: none) if there was none.
function dict.setdefault(d, k, default)
  check(d, "setdefault")
  local v = d[k]
  if v == nil and default ~= nil then
    core.dict_insert(d, k, share(default))
    v = d[k]
  end
  return v
end

--- Removes k and returns its value, or default.
function dict.pop(d, k, default)
  check(d, "pop")
  local v = core.dict_take(d, k)
  if v == nil then
    return default
  end
  return v
end

--- Removes some pair and returns it: the youngest, or nothing.
function dict.popitem(d)
  check(d, "popitem")
  return core.dict_pop(d)
end

--- Adds n (1) to the number at k, or to init (0), and returns the sum.
function dict.incr(d, k, n, init)
  check(d, "incr")
  return core.dict_incr(d, k, n, init)
end

--- d[k] = f(d[k]) as one step: f runs with nothing held, and again when another
-- process was faster. Returns the new value.
function dict.update(d, k, f)
  check(d, "update")
  if type(f) ~= "function" then
    error(
      ("bad argument #3 to 'update' (function expected, got %s)"):format(core.typename(f)),
      2
    )
  end
  return core.dict_update(d, k, f, share)
end

--- How many keys.
function dict.len(d)
  check(d, "len")
  return core.dict_len(d)
end

function dict.clear(d)
  check(d, "clear")
  core.dict_clear(d)
end

function dict.keys(d)
  check(d, "keys")
  return (core.dict_snapshot(d))
end

function dict.values(d)
  check(d, "values")
  local _, values = core.dict_snapshot(d)
  return values
end

--- A list of {key, value}, as they were at one instant.
function dict.items(d)
  check(d, "items")
  local keys, values, n = core.dict_snapshot(d)
  for i = 1, n do
    keys[i] = { keys[i], values[i] }
  end
  return keys
end

--- Sets all of t's pairs.
function dict.merge(d, t)
  check(d, "merge")
  for k, v in pairs(t) do
    core.dict_set(d, k, share(v))
  end
end

-- A plain deep copy of what may be shared.
local function plain(value, memo)
  local kind = core.type(value)
  if memo[value] then
    return memo[value]
  elseif kind == "dict" then
    local t = {}
    memo[value] = t
    local keys, values, n = core.dict_snapshot(value)
    for i = 1, n do
      t[keys[i]] = plain(values[i], memo)
    end
    return t
  elseif kind == "list" and dict.list_items then
    local t = {}
    memo[value] = t
    for i, v in ipairs(dict.list_items(value)) do
      t[i] = plain(v, memo)
    end
    return t
  end
  return value
end

dict.plain = plain

--- A plain table with all of it, shared tables within it too.
function dict.copy(d)
  check(d, "copy")
  return plain(d, {})
end

-- What the userdata's metamethods call.

local function border(d)
  local n = 0
  local step = 1
  while d[n + step] ~= nil do
    n, step = n + step, step * 2
  end
  while step > 1 do
    step = step // 2
    if d[n + step] ~= nil then
      n = n + step
    end
  end
  return n
end

local function each(d)
  local keys, values, n = core.dict_snapshot(d)
  local i = 0
  return function()
    i = i + 1
    if i <= n then
      return keys[i], values[i]
    end
  end
end

local MOST <const> = 20 -- pairs that are printed

local function show(value, depth)
  if type(value) == "string" then
    return ("%q"):format(value):gsub("\\\n", "\\n")
  elseif core.type(value) == "dict" then
    return depth > 3 and "{…}" or dict.show(value, depth + 1)
  elseif core.type(value) == "list" then
    return depth > 3 and "{…}" or dict.list_show(value, depth + 1)
  end
  return tostring(value)
end

dict.show_value = show

function dict.show(d, depth)
  local keys, values, n = core.dict_snapshot(d)
  local parts = {}
  for i = 1, math.min(n, MOST) do
    local k = keys[i]
    if type(k) ~= "string" or not k:match "^[%a_][%w_]*$" then
      k = "[" .. show(k, depth) .. "]"
    end
    parts[i] = k .. " = " .. show(values[i], depth)
  end
  if n > MOST then
    parts[#parts + 1] = ("… %d more"):format(n - MOST)
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

core.set_half("mp.share", share)
core.set_half("mp.dict.border", border)
core.set_half("mp.dict.pairs", each)
core.set_half("mp.dict.tostring", function(d)
  return "mp.dict: " .. dict.show(d, 1)
end)

return setmetatable(dict, {
  __call = function(_, ...)
    return dict.new(...)
  end,
})
