--- Shared lists: `mp.list([t])`. `l[i]`, `#l`, `ipairs(l)`, and methods. Plain
-- tables put into one become shared themselves.

local core = require "mp.core"
local dict = require "mp.dict"

local list = {}

local share = dict.share

--- A shared list of the sequence t; memo: what is shared already.
local function of(t, memo)
  local l = core.list_new()
  memo[t] = l
  for i = 1, #t do
    core.list_insert(l, 0, share(t[i], memo))
  end
  return l
end

local OPTIONS = { name = true }

function list.new(t, options)
  if t ~= nil and type(t) ~= "table" then
    error(("bad argument #1 to 'list' (table expected, got %s)"):format(core.typename(t)), 2)
  end
  for k in pairs(options or {}) do
    if not OPTIONS[k] then
      error(("invalid option '%s'"):format(tostring(k)), 2)
    end
  end
  local l = core.list_new(options and options.name)
  local memo = t and { [t] = l }
  for i = 1, t and (t.n or #t) or 0 do
    core.list_insert(l, 0, share(t[i], memo))
  end
  return l
end

local methods = {}

function methods.append(l, value)
  core.list_insert(l, 0, share(value))
end

--- l:insert(i, value): before the item at i; l:insert(value): at the end.
function methods.insert(l, ...)
  if select("#", ...) == 1 then
    return methods.append(l, ...)
  end
  local i, value = ...
  if math.type(i) ~= "integer" then
    error(
      ("bad argument #1 to 'insert' (integer expected, got %s)"):format(core.typename(i)),
      2
    )
  end
  if i < 1 or i > #l + 1 then
    error("bad argument #1 to 'insert' (position out of bounds)", 2)
  end
  core.list_insert(l, i > #l and 0 or i, share(value))
end

--- Removes and returns the item at i, or the last; nil when there is none.
function methods.pop(l, i)
  if i == nil then
    return core.list_take(l, 0)
  end
  return core.list_take(l, i)
end

--- Removes the first item that is equal: whether there was one.
function methods.remove(l, value)
  return core.list_remove(l, value)
end

function methods.extend(l, t)
  local items = core.type(t) == "list" and core.list_snapshot(t) or t
  if type(items) ~= "table" then
    error(("bad argument #1 to 'extend' (table expected, got %s)"):format(core.typename(t)), 2)
  end
  for i = 1, items.n or #items do
    core.list_insert(l, 0, share(items[i]))
  end
end

--- The place of the first equal item, from place `from` on; nil: none.
function methods.index(l, value, from)
  local i = core.list_find(l, from or 1, value)
  return i > 0 and i or nil
end

function methods.count(l, value)
  return core.list_count(l, value)
end

function methods.clear(l)
  core.list_clear(l)
end

--- A plain table with all of it, shared tables within it too.
function methods.copy(l)
  return dict.plain(l, {})
end

local TRIES <const> = 8

-- Orders the items as `arranged(items, n)` says: again when others changed the
-- list meanwhile, in the end with the others kept out.
local function arrange(l, arranged)
  for _ = 1, TRIES do
    local items, n, version = core.list_snapshot(l)
    if core.list_arrange(l, version, arranged(items, n), n) then
      return
    end
  end
  core.list_reserve(l)
  local ok, err = pcall(function()
    local items, n, version = core.list_snapshot(l)
    core.list_arrange(l, version, arranged(items, n), n)
  end)
  core.list_release(l)
  if not ok then
    error(err, 0)
  end
end

local function numbers(n)
  local order = {}
  for i = 1, n do
    order[i] = i
  end
  return order
end

--- Sorts the list, with < or the given function.
function methods.sort(l, less)
  less = less or function(a, b)
    return a < b
  end
  arrange(l, function(items, n)
    local order = numbers(n)
    table.sort(order, function(a, b)
      return less(items[a], items[b])
    end)
    return order
  end)
end

function methods.reverse(l)
  arrange(l, function(_, n)
    local order = {}
    for i = 1, n do
      order[i] = n + 1 - i
    end
    return order
  end)
end

local MOST <const> = 20 -- items that are printed

function list.show(l, depth)
  local items, n = core.list_snapshot(l)
  local parts = {}
  for i = 1, math.min(n, MOST) do
    parts[i] = dict.show_value(items[i], depth)
  end
  if n > MOST then
    parts[#parts + 1] = ("… %d more"):format(n - MOST)
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

dict.list = of
dict.list_items = core.list_snapshot
dict.list_show = list.show
core.set_half("mp.list.methods", methods)
core.set_half("mp.list.tostring", function(l)
  return "mp.list: " .. list.show(l, 1)
end)

return setmetatable(list, {
  __call = function(_, ...)
    return list.new(...)
  end,
})
