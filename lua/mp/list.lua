--- Shared lists: `mp.list([t [, options]])`. `l[i]`, `#l`, `ipairs(l)` and
-- `pairs(l)` (a snapshot) are as a table's, everything else is a method. Plain
-- tables that are put into one become shared themselves.
--
--     local l = mp.list { 3, 1, 2 }
--     mp.spawn(function() l:append(0) end):join()
--     l:sort()

local blame = require "mp.blame"
local core = require "mp.core"
local share = require "mp.share"

local TRIES <const> = 8 -- to order, before the list is reserved

--- A new list with the items of t. options: name, for messages.
local function new(t, options)
  local name
  if options ~= nil and type(options) ~= "table" then
    blame.raise("bad argument #2 to 'list' (table expected, got %s)", core.typename(options))
  end
  for k, v in pairs(options or {}) do
    if k ~= "name" then
      blame.raise("bad argument #2 to 'list' (invalid option '%s')", tostring(k))
    elseif type(v) ~= "string" then
      blame.raise("bad argument #2 to 'list' (field 'name' must be a string)")
    elseif v:find("\0", 1, true) then
      blame.raise("bad argument #2 to 'list' (field 'name' must not contain '\\0')")
    end
    name = v
  end
  if t ~= nil and type(t) ~= "table" and core.type(t) ~= "list" then
    blame.raise("bad argument #1 to 'list' (table expected, got %s)", core.typename(t))
  end
  local l <const> = core.list.new(name)
  if t then
    local n <const> = type(t) == "table" and math.type(t.n) == "integer" and t.n or #t
    local ok <const>, message <const> = pcall(share.fill_list, l, t, n, { [t] = l })
    if not ok then
      blame.raise(message)
    end
  end
  return l
end

local methods <const> = core.list.methods

local function check(l, name)
  if core.type(l) ~= "list" then
    blame.raise("bad argument #1 to '%s' (mp.list expected, got %s)", name, core.typename(l))
  end
end

-- Puts the items in the order that make(values, n) gives: order[i] is the index
-- of what comes to i.
local function arrange(l, make)
  local function try()
    local values <const>, n <const>, version <const> = core.list.values(l)
    return core.list.arrange(l, version, make(values, n), n)
  end
  for _ = 1, TRIES do
    if try() then
      return
    end
  end
  repeat
    local _ <close> = core.list.reserve(l)
  until try()
end

local function less(a, b)
  return a < b
end

--- Sorts the list by before(a, b), or by <. Equal items keep their order. The
-- function runs with nothing held; if others change the list meanwhile, it runs
-- again.
function methods.sort(l, before)
  check(l, "sort")
  if before ~= nil and type(before) ~= "function" then
    blame.raise("bad argument #2 to 'sort' (function expected, got %s)", core.typename(before))
  end
  before = before or less
  return blame.call("sort", arrange, l, function(values, n)
    local order <const> = {}
    for i = 1, n do
      order[i] = i
    end
    table.sort(order, function(i, j)
      if before(values[i], values[j]) then
        return true
      end
      return i < j and not before(values[j], values[i])
    end)
    return order
  end)
end

--- Turns the list round.
function methods.reverse(l)
  check(l, "reverse")
  arrange(l, function(_, n)
    local order <const> = {}
    for i = 1, n do
      order[i] = n + 1 - i
    end
    return order
  end)
end

--- A plain table with the same items, tables in it too.
function methods.copy(l)
  check(l, "copy")
  return share.copy(l)
end

return { new = new }
