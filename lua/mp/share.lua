--- Plain tables and shared ones: a plain table that is put into a shared dict
-- or list becomes shared itself, with all the plain tables in it; copies of
-- shared tables are plain.

local blame = require "mp.blame"
local core = require "mp.core"

local dict <const> = core.dict
local list <const> = core.list

local share = {}

local function is_sequence(t)
  local n <const> = #t
  local count = 0
  for k in next, t do
    if math.type(k) ~= "integer" or k < 1 or k > n then
      return false
    end
    count = count + 1
  end
  return n > 0 and count == n
end

local function is_plain(value)
  return type(value) == "table" and getmetatable(value) == nil
end

--- Raises at the caller unless k can be a key of a shared dict.
function share.check_key(k)
  local kind <const> = type(k)
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
    local what <const> = kind == "nil" and kind or "a " .. kind
    blame.raise("key must be a string, number or boolean, not " .. what)
  elseif k ~= k then
    blame.raise "key must not be NaN"
  end
end

local function key_text(k)
  if type(k) == "string" and k:match "^[%a_][%w_]*$" then
    return "." .. k
  end
  return ("[%s]"):format(type(k) == "string" and ("%q"):format(k) or tostring(k))
end

-- Runs fill(keep), which says by keep(key) where it is, in the table to which
-- way leads (of several keys). An error then tells the way to the value
-- (`cannot send value.cfg[3] (a thread)`), and no place in this file.
local function located(way, fill)
  local key
  local ok <const>, message = pcall(fill, function(k)
    key = k
  end)
  if ok then
    return
  elseif type(message) ~= "string" then
    error(message, 0)
  end
  message = message:gsub("^.-share%.lua:%d+: ", "")
  local start <const>, rest <const> = message:match "^(.-value)(.*)"
  if start == "cannot send value" or start and start:find " %(in value$" then
    message = start .. (way and way() or "") .. (key == nil and "" or key_text(key)) .. rest
  elseif way and message:find "^key must" then
    message = message .. " (in value" .. way() .. ")"
  end
  error(message, 0)
end

local function set_all(d, t, memo, keep)
  for k, v in next, t do
    keep(k)
    dict.set(d, k, memo[v] or v)
  end
end

local function add_all(l, t, memo, keep)
  local items <const> = { n = #t }
  for i = 1, items.n do
    items[i] = memo[t[i]] or t[i]
  end
  keep(nil) -- extend tells which item is refused
  l:extend(items)
end

-- The plain tables in root and root itself, each after that in which it was
-- met, with an empty shared table for each in memo. There is no recursion in
-- this: no depth of nesting is too deep.
local function gather(root, memo)
  local met <const>, above <const>, keys <const> = { root }, {}, {}
  local count, i = 1, 0
  memo[root] = is_sequence(root) and list.new() or dict.new()
  while i < count do
    i = i + 1
    for k, v in next, met[i] do
      if is_plain(v) and not memo[v] then
        memo[v] = is_sequence(v) and list.new() or dict.new()
        above[v], keys[v] = met[i], k
        count = count + 1
        met[count] = v
      end
    end
  end
  return met, function(t)
    local way = {}
    while above[t] do
      way[#way + 1] = key_text(keys[t])
      t = above[t]
    end
    for k = 1, #way // 2 do
      way[k], way[#way + 1 - k] = way[#way + 1 - k], way[k]
    end
    return table.concat(way)
  end
end

--- What stands for the value in a shared table: for a plain table (one without
-- a metatable) a shared dict or, if it has the keys 1 to n > 0 and no others, a
-- shared list. memo has what stands for each plain table that was met: each
-- becomes one shared table, however often it is met.
function share.share(value, memo)
  if not is_plain(value) then
    return value
  end
  memo = memo or {}
  if not memo[value] then
    local met <const>, way_to <const> = gather(value, memo)
    local t
    local function way()
      return way_to(t)
    end
    located(way, function(keep)
      for i = #met, 1, -1 do
        t = met[i]
        local fill <const> = core.type(memo[t]) == "list" and add_all or set_all
        fill(memo[t], t, memo, keep)
      end
    end)
  end
  return memo[value]
end

--- Sets the pairs of t, one after the other.
function share.fill_dict(d, t, memo)
  located(nil, function(keep)
    for k, v in pairs(t) do
      keep(k)
      dict.set(d, k, share.share(v, memo))
    end
  end)
end

--- Adds the first n items of t, all at once.
function share.fill_list(l, t, n, memo)
  local items <const> = { n = n }
  located(nil, function(keep)
    for i = 1, n do
      keep(i)
      items[i] = share.share(t[i], memo)
    end
    keep(nil)
    l:extend(items)
  end)
end

local function is_shared(value)
  local kind <const> = core.type(value)
  return kind == "dict" or kind == "list"
end

--- A plain copy of the value: of shared tables their contents, those in them
-- too, each once.
function share.copy(value)
  if not is_shared(value) then
    return value
  end
  local copies <const> = { [value] = {} }
  local met <const> = { value }
  local count, i = 1, 0
  while i < count do
    i = i + 1
    local t <const> = copies[met[i]]
    for k, v in pairs(met[i]) do
      if is_shared(v) and not copies[v] then
        copies[v] = {}
        count = count + 1
        met[count] = v
      end
      t[k] = copies[v] or v
    end
  end
  return copies[value]
end

local MOST <const> = 20 -- pairs or items that are shown of a table
local DEPTH <const> = 4 -- tables within tables

local show

local function show_key(key)
  if type(key) == "string" and key:match "^[%a_][%w_]*$" then
    return key
  end
  return "[" .. show(key) .. "]"
end

local function show_table(t, kind, above)
  local parts <const> = {}
  local count = 0
  above[t] = true
  for k, v in pairs(t) do
    count = count + 1
    if count <= MOST then
      local text <const> = show(v, above)
      parts[count] = kind == "list" and text or show_key(k) .. " = " .. text
    end
  end
  above[t] = nil
  if count > MOST then
    parts[MOST + 1] = ("... %d more"):format(count - MOST)
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

function show(value, above)
  local kind <const> = core.type(value)
  if type(value) == "string" then
    return (("%q"):format(value):gsub("\\\n", "\\n"))
  elseif kind ~= "dict" and kind ~= "list" then
    return tostring(value)
  end
  local depth = 0
  for _ in next, above do
    depth = depth + 1
  end
  if above[value] or depth == DEPTH then
    return "{...}"
  end
  return show_table(value, kind, above)
end

core.set_half("mp.share", share.share)
core.set_half("mp.show", function(value)
  local kind <const> = core.type(value)
  return "mp." .. kind .. ": " .. show_table(value, kind, {})
end)

return share
