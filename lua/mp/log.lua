--- Logging: mp.get_logger and mp.log_to_stderr.
--
--     local logger = mp.log_to_stderr "info"
--     logger:info("%d rows", n)          --> [INFO/Process-1] 12 rows
--
-- Each record goes into a ring in shared memory, from which logger:recent
-- reads what a process said that may be dead by now, and to the handlers of
-- the process it came from. Children have the level and the stderr handler of
-- their parent; handlers that are functions stay where they were added.

local blame = require "mp.blame"
local core = require "mp.core"
local family = require "mp.family"

local log = {}

local LEVELS <const> = { debug = 10, info = 20, warning = 30, error = 40, critical = 50 }
local WORDS <const> = {}
for word, number in pairs(LEVELS) do
  WORDS[number] = word
end

-- What this process knows; ring nil: nobody asked for a logger yet.
local ring
local level = LEVELS.warning
local to_stderr = false
local handlers, owner = {}, nil -- functions, and the process that added them
local handling -- the coroutines that are in a handler

local Logger = {} -- methods
local Class = { __name = "mp.Logger" }
local logger = setmetatable({}, Class)

local function number_of(word, name, n)
  local number = type(word) == "string" and LEVELS[word]
  if not number then
    local what = type(word) == "string" and ("invalid level '%s'"):format(word)
      or ("level expected, got %s"):format(core.typename(word))
    blame.raise("bad argument #%d to '%s' (%s)", n, name, what)
  end
  return number
end

local function begin()
  if not ring then
    ring = assert(core.Log())
    family.log = log
  end
  return logger
end

-- Handlers that a forked child inherited are its parent's, also one in which
-- it was forked.
local function own_handlers()
  if owner ~= core.getpid() then
    handlers, owner = {}, core.getpid()
    handling = setmetatable({}, { __mode = "k" })
  end
  return handlers
end

-- Whether a handler called what runs now, perhaps through other coroutines. One
-- that waits in a handler is no caller.
local function in_handler()
  for co in pairs(handling) do
    local status = coroutine.status(co)
    if status == "running" or status == "normal" then
      return true
    end
  end
  return false
end

-- A record of a handler is kept and written, but goes to no handler.
local function emit(number, message)
  local name = family.here.name
  local time = ring:write(number, name, message)
  if to_stderr then
    ring:line(("[%s/%s] %s\n"):format(WORDS[number]:upper(), name, message))
  end
  local list = { table.unpack(own_handlers()) } -- a handler may change them
  if in_handler() then
    return
  end
  local co = coroutine.running()
  handling[co] = true
  for _, handler in ipairs(list) do
    local ok, err = pcall(handler, {
      level = WORDS[number],
      message = message,
      process = name,
      pid = core.getpid(),
      time = time,
    })
    if not ok then
      core.report("error in a log handler: " .. tostring(err))
    end
  end
  handling[co] = nil
end

local function check_self(self, name)
  if self ~= logger then
    blame.raise("bad argument #1 to '%s' (mp.Logger expected, got %s)", name, core.typename(self))
  end
end

--- logger:info(message), logger:info(format, ...): as string.format does.
for word, number in pairs(LEVELS) do
  Logger[word] = function(self, message, ...)
    check_self(self, word)
    if number < level then
      return
    end
    if select("#", ...) > 0 then
      local ok, text = pcall(string.format, message, ...)
      if not ok then
        blame.raise(text)
      end
      message = text
    end
    emit(number, tostring(message))
  end
end

--- What is less urgent is neither kept nor handled.
function Logger:set_level(word)
  check_self(self, "set_level")
  level = number_of(word, "set_level", 1)
end

--- f gets { level =, message =, process =, pid =, time = } of each record of
-- this process.
function Logger:add_handler(f)
  check_self(self, "add_handler")
  local mt = getmetatable(f)
  if type(f) ~= "function" and not (type(mt) == "table" and mt.__call) then
    blame.raise("bad argument #1 to 'add_handler' (function expected, got %s)", core.typename(f))
  end
  table.insert(own_handlers(), f)
  return f
end

--- Takes a handler away: whether it was there.
function Logger:remove_handler(f)
  check_self(self, "remove_handler")
  for i, handler in ipairs(own_handlers()) do
    if handler == f then
      table.remove(handlers, i)
      return true
    end
  end
  return false
end

local function recent(pid, n)
  local list = ring:recent(pid, n)
  for i = 1, #list // 2 do
    list[i], list[#list + 1 - i] = list[#list + 1 - i], list[i]
  end
  for _, record in ipairs(list) do
    record.level = WORDS[record.level]
  end
  return list
end

--- The last n records of the process, or of all (pid nil), the oldest first;
-- there are at most 256, and long ones are cut.
function Logger:recent(pid, n)
  check_self(self, "recent")
  return blame.call("recent", recent, pid, n)
end

--- How many records found no place in the ring.
function Logger:dropped()
  check_self(self, "dropped")
  return ring:dropped()
end

function Class.__index(_, key)
  if key == "level" then
    return WORDS[level]
  end
  return Logger[key]
end

function Class.__newindex(_, key)
  blame.raise("field '%s' cannot be assigned", tostring(key))
end

function Class.__tostring()
  return ("mp.Logger: %s%s"):format(WORDS[level], to_stderr and ", stderr" or "")
end

-- Other processes --------------------------------------------------------------------

--- What a child is told, or nil when there is nothing to tell.
function log.order()
  return ring and { ring, level, to_stderr }
end

--- In the child.
function log.take(order)
  ring, level, to_stderr = order[1], order[2], order[3]
  family.log = log
end

Class.__mp_pack = log.order

-- A process has one logger: a second one that arrives is that one.
function Class.__mp_unpack(packed)
  if not ring then
    log.take(packed)
  end
  return logger
end

core.class("mp.Logger", Class)

-- Functions of mp -----------------------------------------------------------------------

--- The logger of this process and its children. Without a handler nothing is
-- written.
function log.get_logger()
  return begin()
end

--- The same, writing to the standard error, one line for each record.
function log.log_to_stderr(word)
  local number = word ~= nil and number_of(word, "log_to_stderr", 1, 2)
  begin()
  level = number or level
  to_stderr = true
  return logger
end

--- Something that mp itself did.
function log.event(word, ...)
  if ring and LEVELS[word] >= level then
    emit(LEVELS[word], string.format(...))
  end
end

--- The end of what a process said, for the error of its death; nil: nothing.
function log.last_words(pid)
  local list = ring and logger:recent(pid, 20)
  return list and list[1] and list or nil
end

return log
