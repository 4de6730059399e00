-- How the collector runs while specs and examples do, by MP_GC:
--
--   stress        a full collection at every growth of memory, in the middle of
--                 whatever asks for it: 300 times a test or script, then 300
--                 times at every second growth, at every fourth, and so on
--                 (tools/test/collector.c)
--   incremental   always underway, in the smallest steps
--   generational  a minor collection as often as Lua can
--
-- tools/test/job.lua makes this file LUA_INIT, so every interpreter that a spec
-- starts runs it first. In the one of the specs themselves it is for the tests
-- only: busted is not what is tried.
local mode <const> = os.getenv "MP_GC"
local dense <const> = 300
local here <const> = debug.getinfo(1, "S").source:match "^@(.*/)"
local collector <const> = dofile(here .. "collector.lua")

local collecting = {}
local pause -- before it was forced

local function force(n)
  collecting.c = collecting.c or assert(package.loadlib(
    assert(os.getenv "MP_BUILD") .. "/tests/collector.so", "luaopen_collector"))()
  collecting.c.force(n)
end

local starts <const> = {
  stress = function()
    collectgarbage("incremental")
    pause = collector.set("pause", 0)
    force(dense)
  end,
  incremental = function()
    collectgarbage("incremental", 0, 100, 3)
    pause = collector.set("pause", 0)
  end,
  generational = function()
    collectgarbage("generational", 1, 10)
  end,
}

function collecting.start()
  starts[mode]()
end

function collecting.stop()
  if mode == "stress" then
    force(0)
  end
  collectgarbage("incremental", 200, 100, 13) -- 5.5 looks at the first only
  if pause then
    collector.set("pause", pause)
  end
end

assert(starts[mode], "MP_GC is stress, incremental or generational")
package.loaded["spec.helper.collecting"] = collecting
if not (arg and arg[0] or ""):find("tools/test/", 1, true) then
  collecting.start()
end
