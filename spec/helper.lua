-- What specs share.
--
--   local helper = require "spec.helper"
--   local within <const> = helper.within
--
--   describe("mp.Queue", function()
--     before_each(helper.baseline)
--     after_each(helper.leaks)
--
--     it("returns nil, 'timeout' when the deadline passes", within(5, function()
--       …
--     end))
--   end)
--
-- A spec file that needs more than 120 s says so in its first lines, `time
-- limit: 300 s`; one that must not share the machine with another (it looks at
-- names in /dev/shm, it measures) says `runs alone`. One that says `under every
-- start method` is run thrice: mp.spawn and mp.Process mean another method each
-- time, in the scripts of run_lua too. What needs a certain method names it by
-- mp.get_context.
local busted = require "busted"
local leaks = require "spec.helper.leaks"
local run = require "spec.helper.run"
local system = require "system"

local helper = {
  baseline = leaks.baseline,
  leaks = leaks.check,
  left = leaks.left,
  run_lua = run.lua,
  alive = run.alive,
}

-- Seconds of a monotonic clock, from no particular zero.
helper.now = system.monotime

-- The start method of whatever names none.
helper.method = os.getenv "MP_METHOD" or "fork"
if helper.method ~= "fork" then
  local mp <const> = require "mp"
  mp.set_start_method(helper.method)
  mp.spawn(function() end):join() -- the fork server belongs to the file, not to a test
  leaks.baseline()
end

-- MP_GC: how the collector runs during a test. Everything takes longer then.
local collecting <const> = package.loaded["spec.helper.collecting"]
local patience <const> = collecting and 20 or 1

local in_test = false
busted.subscribe({ "test", "start" }, function()
  in_test = true
  if collecting then
    collecting.start()
  end
  return nil, true
end)
busted.subscribe({ "test", "end" }, function()
  in_test = false
  if collecting then
    collecting.stop()
  end
  return nil, true
end)

local function bounded(seconds, f, ...)
  local deadline <const> = system.monotime() + seconds * patience
  local before <const> = table.pack(debug.gethook())
  debug.sethook(function()
    if system.monotime() > deadline then
      error(("not done within %g s"):format(seconds), 2)
    end
  end, "", 10000)
  local results <const> = table.pack(xpcall(f, debug.traceback, ...))
  debug.sethook(table.unpack(before, 1, 3))
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

-- A function for `it` that runs f and fails when f is not done in time; inside
-- a running test, f is run at once. Lua code is interrupted; a C function that
-- never returns is cut off by the file's own limit (tools/test/job.lua), which
-- names the test it was in.
function helper.within(seconds, f)
  assert(type(seconds) == "number" and type(f) == "function", "within(seconds, function)")
  if in_test then
    return bounded(seconds, f)
  end
  return function(...)
    return bounded(seconds, f, ...)
  end
end

-- Waits until f returns something true, and returns it: for what happens soon
-- but tells nobody. Raises after so many seconds.
function helper.eventually(seconds, f, ...)
  local deadline <const> = system.monotime() + seconds * patience
  while true do
    local result = f(...)
    if result then
      return result
    elseif system.monotime() > deadline then
      error(("did not happen within %g s"):format(seconds), 2)
    end
    system.sleep(0.005)
  end
end

-- Seeds math.random for a random test: by MP_SEED if it is set. The log of a
-- failed file shows the seed.
function helper.seed()
  local given <const> = os.getenv "MP_SEED"
  local seed <const> = given and assert(math.tointeger(tonumber(given)), "MP_SEED is not a number")
    or os.time() * 1000 + run.pid() % 1000
  print("MP_SEED=" .. seed)
  math.randomseed(seed)
  return seed
end

-- A file's bytes, or nil and why not.
helper.read_file = run.read_file

return helper
