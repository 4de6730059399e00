--- Errors that come from other processes: objects that print as the original
-- message followed by the remote traceback, and say what happened where.
--
-- Fields: `value` the original error value · `traceback` · `kind` ("error"
-- "lost" "timeout" "exit" "cancelled" "memory") · `process`, `pid` · `signal`,
-- `signo`, `exitcode` · `label`.

local core = require "mp.core"
local family = require "mp.family"

local Error = { __name = "mp.Error" }
Error.__index = Error

function Error:__tostring()
  if self.traceback and self.traceback ~= "" then
    return self.message .. "\n" .. self.traceback
  end
  return self.message
end

-- `"failed: " .. err` reads as with a string.
function Error.__concat(a, b)
  return tostring(a) .. tostring(b)
end

--- Makes an error object of a table of its fields; `message` is needed.
function Error.new(fields)
  return setmetatable(fields, Error)
end

--- Whether a value is such an object.
function Error.is(value)
  return getmetatable(value) == Error
end

--- tostring of any error value: one whose __tostring fails has a name too.
local function text(value)
  local ok, s = pcall(tostring, value)
  if ok then
    return s
  end
  return ("(error object is a %s value whose __tostring fails)"):format(type(value))
end

Error.text = text

-- The stack above level. To go to the bottom of one that overflowed takes
-- seconds: of that, the top is enough.
local DEEP <const>, SHOWN <const> = 250, 22

local function traceback(level)
  level = level + 1
  if not debug.getinfo(DEEP, "l") then
    return debug.traceback(nil, level) or ""
  end
  local lines = { "stack traceback:" }
  for i = level, level + SHOWN do
    local info = debug.getinfo(i, "Sln")
    local what = info.namewhat == "" and "function" or info.namewhat
    local name = info.name and ("%s '%s'"):format(what, info.name)
      or info.what == "main" and "main chunk"
      or ("function <%s:%d>"):format(info.short_src, info.linedefined)
    local place = info.what == "C" and "[C]:" or ("%s:%d:"):format(info.short_src, info.currentline)
    lines[#lines + 1] = ("\n\t%s in %s"):format(place, name)
  end
  lines[#lines + 1] = "\n\t...\t(more levels than are of use)"
  return table.concat(lines)
end

-- A global that is nil here may be one that the script has set.
local function explain(message)
  local name = not family.has_globals and message:match "a nil value %(global '([^']+)'%)"
  return name
      and ("%s (this process was not forked, so it has no globals of the script's: "
        .. "make '%s' a local, or require what defines it)"):format(message, name)
    or message
end

--- A message handler for xpcall: keeps the value and the place it came from.
-- An error that came from another process keeps its own fields and gains the
-- stack it passed through here.
function Error.catch(value)
  local message = text(value)
  local here = traceback(2)
  if Error.is(value) then
    local copy = {}
    for k, v in pairs(value) do
      copy[k] = v
    end
    local before = value.traceback
    copy.traceback = before and before ~= "" and before .. "\n" .. here or here
    return Error.new(copy)
  end
  return Error.new { kind = "error", message = explain(message), value = value, traceback = here }
end

--- The error of a process that ended without saying anything.
function Error.lost(name, pid, exitcode)
  if exitcode and exitcode < 0 then
    local signal = core.signal_name(-exitcode)
    return Error.new {
      kind = "lost",
      message = ("process '%s' (pid %d) was ended by %s"):format(name, pid, signal),
      process = name,
      pid = pid,
      exitcode = exitcode,
      signo = -exitcode,
      signal = signal,
    }
  end
  return Error.new {
    kind = "exit",
    message = ("process '%s' (pid %d) ended with exit code %d"):format(name, pid, exitcode or 255),
    process = name,
    pid = pid,
    exitcode = exitcode,
  }
end

--- mp.stop(v): inside a task, ends the whole call, which returns v.
function Error.stop(value)
  error(Error.new {
    kind = "stop",
    message = "mp.stop was called outside of a task",
    value = value,
  }, 0)
end

core.class("mp.Error", Error)

return Error
