-- under every start method
-- time limit: 200 s
local core = require "mp.core"
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 500

describe("mp.Event", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("has a name, a type and a state", within(5, function()
    local e <close> = mp.Event { name = "go" }
    assert.equal("Event", mp.type(e))
    assert.matches("^mp%.Event: 0x%x+ %('go', not set%)$", tostring(e))
    e:set()
    assert.matches("%('go', set%)$", tostring(e))
    assert.error_matches(function() mp.Event { x = 1 } end, "invalid option 'x'")
  end))

  it("is set and cleared, as often as one likes", within(5, function()
    local e <close> = mp.Event()
    assert.is_false(e:is_set())
    e:clear()
    e:set()
    e:set()
    assert.is_true(e:is_set())
    e:clear()
    e:clear()
    assert.is_false(e:is_set())
  end))

  describe("wait", function()
    it("returns true at once when it is set", within(5, function()
      local e <close> = mp.Event()
      e:set()
      assert.is_true(e:wait())
      assert.is_true(e:wait(0))
      assert.equal(1, select("#", e:wait(1)))
    end))

    it("returns nil, 'timeout' when the deadline passes", within(5, function()
      local e <close> = mp.Event()
      assert.same({ nil, "timeout" }, { e:wait(0) })
      assert.same({ nil, "timeout" }, { e:wait(-1) })
      assert.same({ nil, "timeout" }, { e:wait(0.02) })
      assert.error_matches(function() e:wait(0 / 0) end, "NaN")
    end))

    it("wakes in every process, also when it is cleared at once", within(20, function()
      for _, pulse in ipairs { false, true } do
        local e <close>, waiting = mp.Event(), mp.Semaphore(0)
        local _ <close> = waiting
        local p = {}
        for i = 1, 4 do
          p[i] = mp.spawn(function()
            waiting:release()
            return e:wait(10)
          end)
        end
        for _ = 1, 4 do waiting:acquire() end
        mp.sleep(0.1)
        e:set()
        if pulse then
          e:clear()
        end
        for i = 1, 4 do assert.is_true(p[i]:result()) end
      end
    end))
  end)

  it("may be set in a debug hook, also while it is waited for", within(10, function()
    local e <close> = mp.Event()
    local calls = 0
    debug.sethook(function()
      calls = calls + 1
      e:set()
    end, "", 100)
    for _ = 1, 1000 do
      e:clear()
      e:set()
    end
    debug.sethook()
    assert.is_true(calls > 0)
    assert.is_true(e:wait(5))
  end))

  it("is one of the things mp.wait waits for, and event loops", within(10, function()
    local a <close>, b = mp.Event(), mp.Event()
    local _ <close> = b
    assert.same({}, mp.wait({ a, b }, 0.01))
    local p = mp.spawn(function()
      mp.sleep(0.02)
      b:set()
    end)
    assert.same({ b }, mp.wait({ a, b }, 5))
    p:join()
    assert.equal("r", a:events())
    assert.is_true(a:pollfd() >= 0)
    assert.is_nil(a:timeout())
    assert.equal(0, b:timeout())
    assert.is_true(b:dirty())
  end))

  it("raises when it is closed", within(5, function()
    local e = mp.Event()
    do local _ <close> = e end
    for _, method in ipairs { "set", "clear", "is_set", "wait" } do
      assert.error_matches(function() e[method](e) end, "attempt to use a closed Event")
    end
    assert.matches("%(closed%)$", tostring(e))
  end))

  it("answers a thousand times, none lost", within(30, function()
    local ping <close>, pong = mp.Event(), mp.Event()
    local _ <close> = pong
    local p = mp.spawn(function()
      for _ = 1, 1000 do
        assert(ping:wait(10))
        ping:clear()
        pong:set()
      end
    end)
    for _ = 1, 1000 do
      ping:set()
      assert(pong:wait(10))
      pong:clear()
    end
    p:join()
    assert.equal(0, p.exitcode)
  end))

  it("survives kill -9 at each test point", within(60, function()
    local e <close> = mp.Event()
    local nth = 0
    repeat
      nth = nth + 1
      local p = mp.spawn(function()
        core.testpoint("*", nth)
        e:set()
        e:wait()
        e:clear()
        e:wait(0.002)
        core.testpoint()
      end)
      p:join()
      e:set()
      assert.is_true(e:wait(0))
      e:clear()
    until p.exitcode == 0
    assert.is_true(nth > 2)
  end))

  it("is set in time whatever dies while waiting", within(180, function()
    helper.seed()
    for _ = 1, ROUNDS // 2 do
      local e <close> = mp.Event()
      local p = {}
      for i = 1, 3 do
        p[i] = mp.spawn(function() return e:wait(10) end)
      end
      mp.sleep(math.random() * 0.002)
      local dead <const> = math.random(3)
      p[dead]:kill()
      local begun <const> = mp.time()
      e:set()
      assert.is_true(mp.time() - begun < 0.5)
      for i = 1, 3 do
        if i ~= dead then
          assert.is_true(p[i]:result())
        end
        p[i]:join()
      end
    end
  end))
end)
