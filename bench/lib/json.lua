-- JSON, as much as the results need: objects with string keys, arrays,
-- strings, numbers, booleans.
local json = {}

local escapes <const> = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t" }

local function quoted(s)
  return '"' .. s:gsub('[%c"\\]', function(c)
    return escapes[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

-- A table with a first element, or an empty one, is an array.
function json.encode(v)
  local kind <const> = type(v)
  if kind == "string" then
    return quoted(v)
  elseif kind == "number" then
    return math.type(v) == "integer" and tostring(v) or ("%.6g"):format(v)
  elseif kind == "boolean" then
    return tostring(v)
  end
  assert(kind == "table", "cannot encode a " .. kind)
  local parts = {}
  if v[1] ~= nil or next(v) == nil then
    for i, item in ipairs(v) do
      parts[i] = json.encode(item)
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, item in pairs(v) do
    parts[#parts + 1] = quoted(tostring(key)) .. ":" .. json.encode(item)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

local decode_value

local function skip(s, at)
  return s:match("^%s*()", at)
end

local function decode_string(s, at)
  local parts = {}
  at = at + 1
  while true do
    local plain <const>, next_at <const> = s:match('^([^"\\]*)()', at)
    parts[#parts + 1] = plain
    local c <const> = s:sub(next_at, next_at)
    if c == '"' then
      return table.concat(parts), next_at + 1
    end
    local escape <const> = s:sub(next_at + 1, next_at + 1)
    if escape == "u" then
      parts[#parts + 1] = utf8.char(tonumber(s:sub(next_at + 2, next_at + 5), 16))
      at = next_at + 6
    else
      assert(escape ~= "", "a string without an end")
      parts[#parts + 1] = ({ n = "\n", t = "\t" })[escape] or escape
      at = next_at + 2
    end
  end
end

local function decode_list(s, at, close, item)
  at = skip(s, at + 1)
  if s:sub(at, at) == close then
    return at + 1
  end
  while true do
    at = skip(s, item(at))
    local c <const> = s:sub(at, at)
    if c == close then
      return at + 1
    end
    assert(c == ",", "',' expected")
    at = skip(s, at + 1)
  end
end

function decode_value(s, at)
  local c <const> = s:sub(at, at)
  local result
  if c == '"' then
    return decode_string(s, at)
  elseif c == "{" then
    result = {}
    at = decode_list(s, at, "}", function(from)
      local key <const>, colon <const> = decode_string(s, from)
      local value
      value, from = decode_value(s, s:match("^%s*:%s*()", colon))
      result[key] = value
      return from
    end)
    return result, at
  elseif c == "[" then
    result = {}
    at = decode_list(s, at, "]", function(from)
      result[#result + 1], from = decode_value(s, from)
      return from
    end)
    return result, at
  end
  local word <const>, after <const> = s:match("^([%w.+-]+)()", at)
  assert(word, "a value expected")
  if word == "true" or word == "false" then
    return word == "true", after
  end
  return assert(tonumber(word), "a number expected"), after
end

function json.decode(s)
  return (decode_value(s, skip(s, 1)))
end

return json
