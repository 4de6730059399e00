--- Shared dicts: `mp.dict([t [, options]])`. `d[k]`, `d[k] = v`, `#d` and
-- `pairs(d)` are as a table's; everything else is a function of this module, as
-- with Lua's `table`, so that no key is taken. Plain tables that are put into
-- one become shared themselves.
--
--     local d = mp.dict { count = 0, seen = {} }
--     mp.spawn(function() d.seen.child = true end):join()
--     mp.dict.incr(d, "count")

local blame = require "mp.blame"
local core = require "mp.core"
local share = require "mp.share"

local TRIES <const> = 8 -- of an update, before the key is reserved

--- A new dict with the pairs of t. options: name, for messages.
local function new(t, options)
  local name
  if options ~= nil and type(options) ~= "table" then
    blame.raise("bad argument #2 to 'dict' (table expected, got %s)", core.typename(options))
  end
  for k, v in pairs(options or {}) do
    if k ~= "name" then
      blame.raise("bad argument #2 to 'dict' (invalid option '%s')", tostring(k))
    elseif type(v) ~= "string" then
      blame.raise("bad argument #2 to 'dict' (field 'name' must be a string)")
    elseif v:find("\0", 1, true) then
      blame.raise("bad argument #2 to 'dict' (field 'name' must not contain '\\0')")
    end
    name = v
  end
  if t ~= nil and type(t) ~= "table" and core.type(t) ~= "dict" then
    blame.raise("bad argument #1 to 'dict' (table expected, got %s)", core.typename(t))
  end
  local d <const> = core.dict.new(name)
  local ok <const>, message = pcall(share.fill_dict, d, t or {}, t and { [t] = d })
  if not ok then
    blame.raise(message)
  end
  return d
end

local dict <const> = {
  get = core.dict.get,
  set = core.dict.set,
  setdefault = core.dict.setdefault,
  pop = core.dict.pop,
  popitem = core.dict.popitem,
  incr = core.dict.incr,
  len = core.dict.len,
  clear = core.dict.clear,
  keys = core.dict.keys,
  values = core.dict.values,
  items = core.dict.items,
}

local function check(d, name)
  if core.type(d) ~= "dict" then
    blame.raise("bad argument #1 to '%s' (mp.dict expected, got %s)", name, core.typename(d))
  end
end

local function try(d, k, f)
  local old <const>, token <const> = core.dict.fetch(d, k)
  local value <const> = f(old)
  local ok <const>, v <const> = pcall(share.share, value)
  if not ok then
    blame.raise(v)
  end
  return core.dict.replace(d, k, token, v), v
end

--- d[k] = f(d[k]), as one step: f runs with nothing held, and again when
-- another process was faster; when that happens often, others wait. Returns the
-- new value; nil removes the key. An error in f changes nothing.
function dict.update(d, k, f)
  check(d, "update")
  share.check_key(k)
  if type(f) ~= "function" then
    blame.raise("bad argument #3 to 'update' (function expected, got %s)", core.typename(f))
  end
  for _ = 1, TRIES do
    local done <const>, v <const> = try(d, k, f)
    if done then
      return v
    end
  end
  while true do
    -- Another key may be reserved: then this one is tried without.
    local _ <close> = core.dict.reserve(d, k)
    local done <const>, v <const> = try(d, k, f)
    if done then
      return v
    end
  end
end

--- Sets the pairs of t, one after the other.
function dict.merge(d, t)
  check(d, "merge")
  if type(t) ~= "table" and core.type(t) ~= "dict" then
    blame.raise("bad argument #2 to 'merge' (table expected, got %s)", core.typename(t))
  end
  local ok <const>, message <const> = pcall(share.fill_dict, d, t, {})
  if not ok then
    blame.raise(message)
  end
end

--- A plain table with the same contents, tables in it too.
function dict.copy(d)
  check(d, "copy")
  return share.copy(d)
end

return setmetatable(dict, {
  __call = function(_, ...)
    return new(...)
  end,
})
