-- busted's output handler for tools/test/run.lua: failures in full on stdout,
-- and one line per event in the file MP_TEST_REPORT, written at once, so that
-- the runner knows what was going on when it had to cut a file off.
--
--   start NAME · pass NAME · fail NAME · skip NAME<tab>REASON
local base = require "busted.outputHandlers.base"
local busted = require "busted"

local function text(message)
  if message == nil then
    return "nil"
  elseif type(message) == "table" and not (getmetatable(message) or {}).__tostring then
    return require "pl.pretty".write(message)
  end
  return tostring(message)
end

local function line(s)
  return (s:gsub("%s+", " "))
end

return function()
  local handler = base()
  local path = os.getenv "MP_TEST_REPORT"
  local report <const> = path and assert(io.open(path, "a")) or io.stdout
  report:setvbuf("no")

  local function note(event, name, detail)
    report:write(event, " ", line(name), detail and "\t" .. line(detail) or "", "\n")
  end

  local function explain(t)
    local trace = t.trace or {}
    io.write(("\n%s\n  %s\n"):format(t.name, text(t.message):gsub("\n", "\n  ")))
    if trace.traceback then
      io.write("  ", (trace.traceback:gsub("^\n", ""):gsub("\n", "\n  ")), "\n")
    end
    io.flush()
  end

  local last -- the test that ran, or is running

  local function test_start(element)
    last = handler.getFullName(element)
    note("start", last)
    return nil, true
  end

  local function test_end(element, _, status)
    local name = handler.getFullName(element)
    if status == "success" then
      note("pass", name)
    elseif status == "pending" then
      local t = handler.pendings[#handler.pendings]
      local reason <const> = text(t.message or "no reason given"):gsub("^%S+:%d+: ", "")
      note("skip", name, reason)
    else
      note("fail", name)
      local list = status == "failure" and handler.failures or handler.errors
      explain(list[#list])
    end
    return nil, true
  end

  -- Errors outside of any test: a file that does not load, a failing hook.
  local function error_outside(element)
    if element.descriptor ~= "it" then
      local t = handler.errors[#handler.errors]
      if element.descriptor == "after_each" and last then
        t.name = "after_each of " .. last
      end
      note("fail", t.name)
      explain(t)
    end
    return nil, true
  end

  busted.subscribe({ "test", "start" }, test_start, { predicate = handler.cancelOnPending })
  busted.subscribe({ "test", "end" }, test_end, { predicate = handler.cancelOnPending })
  busted.subscribe({ "error" }, error_outside)
  busted.subscribe({ "failure" }, error_outside)
  return handler
end
