--- Plain tables and shared ones: a plain table that is put into a shared dict
-- or list becomes shared itself, with all the plain tables in it; copies of
-- shared tables are plain.

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

--- What stands for the value in a shared table: for a plain table (one without
-- a metatable) a shared dict or, if it has the keys 1 to n > 0 and no others, a
-- shared list. memo has what stands for each plain table that was met: each
-- becomes one shared table, however often it is met.
function share.share(value, memo)
  if type(value) ~= "table" or getmetatable(value) ~= nil then
    return value
  end
  memo = memo or {}
  if memo[value] then
    return memo[value]
  elseif is_sequence(value) then
    local l <const> = list.new()
    memo[value] = l
    share.fill_list(l, value, #value, memo)
    return l
  end
  local d <const> = dict.new()
  memo[value] = d
  share.fill_dict(d, value, memo)
  return d
end

local function key_text(k)
  if type(k) == "string" and k:match "^[%a_][%w_]*$" then
    return "." .. k
  end
  return ("[%s]"):format(type(k) == "string" and ("%q"):format(k) or tostring(k))
end

-- Runs fill(keep), which says by keep(key) where it is: an error then tells the
-- way to the value (`cannot send value.cfg[3] (a thread)`), and no place in
-- this file.
local function located(fill)
  local key
  local ok <const>, message = pcall(fill, function(k)
    key = k
  end)
  if not ok then
    if type(message) == "string" then
      message = message:gsub("^.-share%.lua:%d+: ", "")
      message = message:gsub("^cannot send value", function(text)
        return text .. key_text(key)
      end)
    end
    error(message, 0)
  end
end

function share.fill_dict(d, t, memo)
  located(function(keep)
    for k, v in pairs(t) do
      keep(k)
      dict.set(d, k, share.share(v, memo))
    end
  end)
end

function share.fill_list(l, t, n, memo)
  local items <const> = { n = n }
  located(function(keep)
    for i = 1, n do
      keep(i)
      items[i] = share.share(t[i], memo)
    end
  end)
  l:extend(items)
end

--- A plain copy of the value: of shared tables their contents, those in them
-- too, each once.
function share.copy(value, memo)
  local kind <const> = core.type(value)
  if kind ~= "dict" and kind ~= "list" then
    return value
  end
  memo = memo or {}
  if memo[value] then
    return memo[value]
  end
  local t <const> = {}
  memo[value] = t
  for k, v in pairs(value) do
    t[k] = share.copy(v, memo)
  end
  return t
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
