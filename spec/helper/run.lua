-- Running Lua scripts in a process of their own, bounded in time.
local lfs = require "lfs"
local system = require "system"

local run = {}

function run.read_file(path)
  local file <close>, why = io.open(path, "rb")
  if not file then
    return nil, why
  end
  return file:read("a")
end

function run.pid()
  return math.tointeger(tonumber(run.read_file("/proc/self/stat"):match("^%d+")))
end

local function quote(s)
  return "'" .. tostring(s):gsub("'", "'\\''") .. "'"
end

local function temporary(text)
  local path <const> = os.tmpname()
  if text then
    local file <close> = assert(io.open(path, "wb"))
    file:write(text)
  end
  return path
end

local function take(path)
  local text <const> = run.read_file(path)
  os.remove(path)
  return text
end

-- A script that names no start method has that of the file, as its default.
local function with_method(code)
  local method <const> = os.getenv "MP_METHOD"
  if not method or method == "fork" or not code:find "require *%(?[\"']mp[\"']"
    or code:find("set_start_method", 1, true) or code:find("get_context", 1, true) then
    return code
  end
  return ("require'mp'.set_start_method'%s' "):format(method) .. code
end

-- Runs a Lua script and waits for it. code: its text, or the path of a file
-- that ends in .lua. Options:
--   args     list of arguments
--   env      table of variables; false removes one
--   stdin    what it reads (nothing)
--   timeout  seconds until it is killed, with its process group (20)
--   lua      the interpreter (MP_LUA)
-- Returns { out=, err=, code= or signal=, timed_out=, seconds=, mark= }.
function run.lua(code, options)
  options = options or {}
  local is_file <const> = code:match("%.lua$") and not code:find("\n", 1, true)
  local script <const> = is_file and code or temporary(with_method(code))
  local input <const> = options.stdin and temporary(options.stdin)
  local out <const>, err <const> = temporary(), temporary()
  local timeout <const> = (options.timeout or 20) * (os.getenv "MP_GC" and 20 or 1)
  local mark <const> = "MP_TEST_RUN=" .. out

  local words = { "exec env", mark }
  for name, value in pairs(options.env or {}) do
    words[#words + 1] = value and quote(name .. "=" .. value) or "-u " .. quote(name)
  end
  words[#words + 1] = ("timeout -k 1 %g"):format(timeout)
  words[#words + 1] = quote(options.lua or os.getenv "MP_LUA" or "lua5.4")
  words[#words + 1] = quote(script)
  for _, arg in ipairs(options.args or {}) do
    words[#words + 1] = quote(arg)
  end
  words[#words + 1] = ("<%s >%s 2>%s"):format(quote(input or "/dev/null"), out, err)

  local start <const> = system.monotime()
  local _, how, status = os.execute(table.concat(words, " "))
  local seconds <const> = system.monotime() - start

  if not is_file then
    os.remove(script)
  end
  if input then
    os.remove(input)
  end
  return {
    out = take(out),
    err = take(err),
    code = how == "exit" and status or nil,
    signal = how == "signal" and status or nil,
    timed_out = seconds >= timeout and (status == 124 or how == "signal"),
    seconds = seconds,
    mark = mark,
  }
end

-- The processes, by pid, whose environment had this variable ("NAME=VALUE")
-- when they, or the one they were forked from, last called exec. The dead that
-- nobody has waited for are not among them.
function run.marked(mark)
  local found = {}
  local needle <const> = "\0" .. mark .. "\0"
  for entry in lfs.dir("/proc") do
    if entry:match("^%d+$") then
      local environ <const> = run.read_file("/proc/" .. entry .. "/environ")
      if environ and ("\0" .. environ):find(needle, 1, true) then
        found[math.tointeger(tonumber(entry))] = true
      end
    end
  end
  return found
end

-- Who of a script that run.lua ran is still there: a list of pids.
function run.alive(result)
  local list = {}
  for pid in pairs(run.marked(result.mark)) do
    list[#list + 1] = pid
  end
  table.sort(list)
  return list
end

return run
