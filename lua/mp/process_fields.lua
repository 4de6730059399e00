--- The fields of a Process: those of our own, and those that users read and
-- write, some of which are looked up when they are.
--
-- A process is two tables: the object, on which a subclass or a user may put
-- what they like, and behind the key STATE what we know of it:
--
--     name, path, daemon, target, args, method    as constructed
--     object     the first table; nil in a child nobody asked for it in
--     creator    what family.here was where it was made
--     handle     false until the start
--     exitcode   false until it is known
--     worker     true: a pool's
--     remote     true: it was sent here by its creator
--     closed, results, pid (of the main process)

local blame = require "mp.blame"
local family = require "mp.family"

local fields = { STATE = {} }

local STATE <const> = fields.STATE

--- Makes the object of a state.
function fields.wrap(s, class)
  s.object = setmetatable({ [STATE] = s }, class.__metatable_of_objects)
  return s.object
end

local function check_open(s)
  if s.closed then
    blame.raise("attempt to use a closed process")
  end
end

local readable = {}

function readable.name(s)
  return s.name
end

function readable.daemon(s)
  return s.daemon
end

function readable.pid(s)
  check_open(s)
  return s.pid or s.handle and s.handle:pid() or nil
end

readable.ident = readable.pid

function readable.exitcode(s)
  check_open(s)
  if not s.exitcode and s.handle then
    s.exitcode = s.handle:exitcode() or false
    if s.exitcode then
      family.children[s.handle:pid()] = nil
    end
  end
  return s.exitcode or nil
end

function readable.sentinel(s)
  check_open(s)
  if not s.handle then
    blame.raise("process not started")
  end
  local fd, message = s.handle:sentinel()
  if not fd then
    blame.raise(message)
  end
  return fd
end

local writable = {}

function writable.name(s, value)
  if type(value) ~= "string" then
    blame.raise("name must be a string")
  elseif value:find("\0", 1, true) then
    blame.raise "name must not contain '\\0'"
  end
  s.name = value
end

function writable.daemon(s, value)
  if s.handle or s.remote then
    blame.raise("process has already started")
  end
  if type(value) ~= "boolean" then
    blame.raise("daemon must be a boolean")
  end
  s.daemon = value
end

for _, name in ipairs { "pid", "ident", "exitcode", "sentinel" } do
  writable[name] = function()
    blame.raise("field '%s' cannot be assigned", name)
  end
end

--- The __index of a class's objects.
function fields.index_of(class)
  return function(self, key)
    local read = readable[key]
    if read then
      return read(rawget(self, STATE))
    end
    return class[key]
  end
end

--- Their __newindex.
function fields.newindex(self, key, value)
  local write = writable[key]
  if write then
    write(rawget(self, STATE), value)
  else
    rawset(self, key, value)
  end
end

--- Their __tostring.
function fields.describe(self)
  local s = rawget(self, STATE)
  local what
  if s.closed then
    what = "closed"
  elseif not s.handle and not s.remote then
    what = "initial"
  elseif s.creator ~= family.here and not s.remote then
    what = "unknown"
  elseif s.handle:alive() then
    what = ("pid %d, started"):format(s.handle:pid())
  else
    local code = readable.exitcode(s)
    what = ("pid %d, stopped, exit code %s"):format(s.handle:pid(), code or "unknown")
  end
  return ("mp.Process: %s (%s%s)"):format(s.name, what, s.daemon and ", daemon" or "")
end

return fields
