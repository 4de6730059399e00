--- What is wrong with a call is raised where it was called: at the innermost
-- line that is not the library's, however deep in the library it was found.

local core = require "mp.core"

local blame = {}

local FOLDER <const> = debug.getinfo(1, "S").source:match "^@(.*)blame%.lua$"

-- Whether the path is of a module of the library. A user's mp/x.lua is none.
local function is_ours(path)
  local name = path:match "([%w_]+)%.lua$"
  return name
    and path == FOLDER .. name .. ".lua"
    and (name == "init" or package.loaded["mp." .. name] ~= nil)
end

--- The line that called the library, as a prefix of a message.
function blame.where()
  local level = 2
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then
      return ""
    elseif info.currentline > 0 and not is_ours(info.source:sub(2)) then
      return ("%s:%d: "):format(info.short_src, info.currentline)
    end
    level = level + 1
  end
end

--- Raises the message (an error object: as it is) at the caller of the library.
-- With more arguments it is a format.
function blame.raise(message, ...)
  if type(message) ~= "string" then
    error(message, 0)
  elseif select("#", ...) > 0 then
    message = message:format(...)
  end
  error(blame.where() .. message, 0)
end

--- Raises unless the object, the first argument of the method, is of the class.
function blame.check_self(self, class, method)
  if type(self) ~= "table" or getmetatable(self) ~= class then
    local got = core.typename(self)
    blame.raise("bad argument #1 to '%s' (%s expected, got %s)", method, class.__name, got)
  end
end

-- The message without a place in the library: Lua cuts long paths in front.
local function without_place(message)
  local place, rest = message:match "^([^\n:]+%.lua):%d+: (.*)$"
  local cut = place and place:match "^%.%.%.(.*)$"
  local name = place and place:match "([%w_]+)%.lua$"
  local path = name and FOLDER .. name .. ".lua"
  if path and (place == path or cut and path:sub(-#cut) == cut) and is_ours(path) then
    return rest
  end
  return message
end

--- Passes the results of pcall on. An error whose message has no place, or one in
-- the library, is raised at the caller; any other as it is.
function blame.pass(ok, ...)
  if ok then
    return ...
  end
  local err = ...
  if type(err) ~= "string" then
    error(err, 0)
  end
  local bare = without_place(err)
  if bare == err and err:find "^[^\n:]+:%d+: " then
    error(err, 0)
  end
  error(blame.where() .. bare, 0)
end

local function renamed(name, ok, ...)
  local err = ...
  if ok or type(err) ~= "string" then
    return blame.pass(ok, ...)
  end
  local argument = ("bad argument #%%1 to '%s'"):format(name)
  return blame.pass(false, (err:gsub("bad argument #(%d+) to '[^'\n]*'", argument, 1)))
end

--- Calls f(…), which is given what the caller gave to the function of that name.
function blame.call(name, f, ...)
  return renamed(name, pcall(f, ...))
end

return blame
