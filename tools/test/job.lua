-- One part of `./dev test`, run in a process of its own by run.lua:
--   lua5.4 job.lua DIR KIND NAME METHOD [FILTER]
-- Bounded in time; its output is shown when it failed; its counts are left in
-- DIR for run.lua. Kinds: layers, ctest, spec, example. METHOD is the start
-- method that specs use where they name none.
local dir, kind, name, method, filter = table.unpack(arg)
local lua <const> = os.getenv "MP_LUA"
local env <const> = os.getenv "MP_LUA_ENV" or "" -- what only Lua's process gets
local label <const> = name .. (method == "fork" and "" or "-" .. method)
local stem <const> = dir .. "/" .. label:gsub("[^%w_.-]", "_")
local log_path <const> = stem .. ".log"
local report_path <const> = stem .. ".report"

local limits <const> = { layers = 60, ctest = 1800, spec = 120, example = 60 }

local function quote(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a") or ""
end

-- How the collector runs meanwhile: spec/helper/collecting.lua. A file for which
-- that is nothing says so, and why: `collector: not forced, …`.
local unforced <const> = read(name):sub(1, 1000):match("collector: (not forced[^\n]*)")
local gc <const> = (kind == "spec" or kind == "example") and os.getenv "MP_GC" or nil
local forced <const> = gc and not unforced

-- A file that needs longer says so in its first lines: `time limit: 300 s`.
local function limit_of(path)
  local own = read(path):sub(1, 1000):match("time limit: (%d+) s")
  return (tonumber(own) or limits[kind]) * (forced and 5 or 1)
end

local function under_lua(words)
  local init <const> = forced and " LUA_INIT=@$PWD/spec/helper/collecting.lua" or ""
  local all <const> = env .. init
  return (all ~= "" and "env " .. all .. " " or "") .. quote(lua) .. " " .. words
end

local commands <const> = {
  layers = function()
    return quote(lua) .. " " .. quote(name)
  end,
  ctest = function()
    return ("ctest --test-dir %s --output-on-failure --no-tests=ignore%s"):format(
      quote(os.getenv "MP_BUILD"),
      filter and " -R " .. quote(filter) or ""
    )
  end,
  spec = function()
    local choice = filter and " --filter=" .. quote(filter) or ""
    return under_lua("tools/test/busted.lua" .. choice .. " " .. quote(name))
  end,
  example = function()
    return under_lua(quote(name))
  end,
}

-- Where we may mount, /dev/shm is the file's own: two runs on one machine do not
-- see each other's names.
local function with_own_names()
  if os.execute "unshare -m mount -t tmpfs tmpfs /dev/shm 2>/dev/null" then
    return [[unshare -m sh -c 'mount -t tmpfs tmpfs /dev/shm && exec "$@"' sh ]]
  end
  return ""
end

-- SIGINT first, to Lua alone: the stock interpreter turns it into an error with
-- a traceback, so the log tells where it hung, and the tests behind may still
-- run. Ten seconds later SIGKILL for the whole process group.
local function run()
  local limit = limit_of(name)
  local form <const> = "MP_TEST_REPORT=%s MP_METHOD=%s exec %stimeout -s KILL %d "
    .. "timeout --foreground -s INT %d %s </dev/null >%s 2>&1"
  local before = os.time()
  local ok, how, code = os.execute(form:format(
    quote(report_path), method, with_own_names(), limit + 10, limit, commands[kind](),
    quote(log_path)))
  local late = code == 124 or os.time() - before >= limit
  return {
    ok = ok,
    why = late and ("cut off after %d s"):format(limit)
      or how == "signal" and ("killed by signal %d"):format(code)
      or code > 128 and ("killed by signal %d"):format(code - 128)
      or ("exit code %d"):format(code),
  }
end

-- Whoever is still there a second after the end was left behind: killed and
-- counted, however the test itself ended.
local function clear_away(result)
  local helper <const> = require "spec.helper.run"
  local system <const> = require "system"
  local mark <const> = "MP_TEST_REPORT=" .. report_path
  local deadline <const> = system.monotime() + 1
  local left = helper.marked(mark)
  while next(left) and system.monotime() < deadline do
    system.sleep(0.02)
    left = helper.marked(mark)
  end
  for pid in pairs(left) do
    result.left = true
    result.notes[#result.notes + 1] = ("failed: process %d was left behind"):format(pid)
    os.execute("kill -KILL " .. pid .. " 2>/dev/null")
  end
end

local function count_events(result)
  local count = { pass = 0, fail = 0, skip = 0 }
  local running
  for event, text in read(report_path):gmatch("(%l+) ([^\n]*)\n") do
    if event == "start" then
      running = text
    else
      count[event] = count[event] + 1
      running = nil
      if event == "skip" then
        result.notes[#result.notes + 1] = "skipped: " .. text:gsub("\t", ": ")
      elseif event == "fail" then
        result.notes[#result.notes + 1] = "failed: " .. text
      end
    end
  end
  if running then
    count.fail = count.fail + 1
    result.notes[#result.notes + 1] = "failed: " .. running .. ": " .. result.why
  elseif not result.ok and count.fail == 0 then
    count.fail = 1
    result.notes[#result.notes + 1] = "failed: " .. label .. ": " .. result.why
  elseif not filter and count.pass + count.fail + count.skip == 0 then
    count.fail = 1
    result.notes[#result.notes + 1] = "failed: " .. name .. ": no test in it"
  end
  return count
end

local function count_ctest(result)
  local count = { pass = 0, fail = 0, skip = 0 }
  for test, dots in read(log_path):gmatch("Test%s+#%d+: (%S+) ([^\n]*)\n") do
    if dots:find("Passed", 1, true) then
      count.pass = count.pass + 1
    else
      count.fail = count.fail + 1
      result.notes[#result.notes + 1] = "failed: " .. test .. ": " .. dots:gsub("^[.*]+", "")
    end
  end
  if not result.ok and count.fail == 0 then
    count.fail = 1
    result.notes[#result.notes + 1] = "failed: ctest: " .. result.why
  end
  return count
end

local function count_one(result)
  if not result.ok then
    result.notes[#result.notes + 1] = "failed: " .. label .. ": " .. result.why
  end
  return { pass = result.ok and 1 or 0, fail = result.ok and 0 or 1, skip = 0 }
end

local counters <const> = { spec = count_events, ctest = count_ctest }

os.remove(report_path)
local started = os.time()
local result = run()
result.notes = {}
if kind == "spec" or kind == "example" then
  clear_away(result)
end
if gc and unforced then
  result.notes[#result.notes + 1] = "collector " .. unforced
end
local count = (counters[kind] or count_one)(result)
if result.left then
  count.fail = count.fail + 1
end

local out = {}
if count.fail > 0 then
  out[#out + 1] = ("---- output of %s\n%s----\n"):format(label, read(log_path))
end
out[#out + 1] = ("%-44s %4d passed%s%s  %d s\n"):format(
  label, count.pass,
  count.fail > 0 and (", %d failed"):format(count.fail) or "",
  count.skip > 0 and (", %d skipped"):format(count.skip) or "",
  os.time() - started
)
for _, note in ipairs(result.notes) do
  out[#out + 1] = "  " .. note .. "\n"
end

-- Under a lock, so that two jobs never write into each other's lines.
do
  local shown <close> = assert(io.popen(("flock %s cat"):format(quote(dir .. "/lock")), "w"))
  shown:write(table.concat(out))
end
local counts <close> = assert(io.open(stem .. ".count", "w"))
counts:write(count.pass, " ", count.fail, " ", count.skip, "\n")
