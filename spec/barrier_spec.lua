-- time limit: 300 s
local core = require "mp.core"
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 500

-- n children that wait once; those that returned say what.
local function parties(barrier, n, timeout)
  local p = {}
  for i = 1, n do
    p[i] = mp.spawn(function() return barrier:wait(timeout) end)
  end
  return p
end

local function until_waiting(barrier, n)
  helper.eventually(10, function() return barrier.n_waiting == n end)
end

describe("mp.Barrier", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("the constructor", function()
    it("takes the number of parties, an action, a timeout, options", within(5, function()
      local b <close> = mp.Barrier(3, print, 5, { name = "gate" })
      assert.equal("Barrier", mp.type(b))
      assert.equal(3, b.parties)
      assert.equal(0, b.n_waiting)
      assert.is_false(b.broken)
      assert.matches("^mp%.Barrier: 0x%x+ %('gate', 0 of 3 waiting%)$", tostring(b))
      local named <close> = mp.Barrier(1, { name = "gate" })
      assert.matches("'gate'", tostring(named))
      local acting <close> = mp.Barrier(1, print, { name = "gate" })
      assert.matches("'gate'", tostring(acting))
    end))

    it("refuses what cannot be", function()
      assert.error_matches(function() mp.Barrier() end, "bad argument #1 to 'Barrier'")
      assert.error_matches(function() mp.Barrier(0) end, "at least one party expected")
      assert.error_matches(function() mp.Barrier(-1) end, "at least one party expected")
      assert.error_matches(function() mp.Barrier(1 << 24) end, "too many parties")
      assert.error_matches(function() mp.Barrier(1, 5) end, "function expected, got number")
      assert.error_matches(function() mp.Barrier(1, nil, "x") end, "number expected, got string")
      assert.error_matches(function() mp.Barrier(1, nil, nil, { nme = "" }) end,
        "invalid option 'nme'")
    end)
  end)

  it("of one party never waits", within(5, function()
    local b <close> = mp.Barrier(1)
    for _ = 1, 3 do assert.equal(1, b:wait(0)) end
  end))

  it("gives each party an index of its own", within(20, function()
    local b <close> = mp.Barrier(4)
    local p = parties(b, 3)
    local seen = { [b:wait(10)] = true }
    for i = 1, 3 do seen[p[i]:result()] = true end
    assert.same({ true, true, true, true }, seen)
    assert.equal(0, b.n_waiting)
    assert.is_false(b.broken)
  end))

  it("tells how many wait", within(20, function()
    local b <close> = mp.Barrier(3)
    local p = parties(b, 2)
    until_waiting(b, 2)
    assert.matches("2 of 3 waiting", tostring(b))
    b:wait(5)
    assert.equal(0, b.n_waiting)
    for i = 1, 2 do p[i]:join() end
  end))

  for _, n in ipairs { 2, 4, 8 } do
    it(("keeps %d processes in step"):format(n), within(60, function()
      local b <close>, rounds = mp.Barrier(n), mp.RawArray("q", n)
      local _ <close> = rounds
      local p = {}
      for i = 1, n do
        p[i] = mp.spawn(function()
          for round = 1, 200 do
            rounds[i] = round
            assert(b:wait(30))
            for k = 1, n do
              assert(rounds[k] == round or rounds[k] == round + 1)
            end
          end
        end)
      end
      for i = 1, n do
        p[i]:join()
        assert.equal(0, p[i].exitcode)
      end
    end))
  end

  describe("with an action", function()
    it("calls it once, in the last to come, before any goes on", within(20, function()
      local done <close> = mp.RawValue("i", 0)
      local b <close> = mp.Barrier(3, function()
        mp.sleep(0.05)
        done:add(1)
      end)
      local p = {}
      for i = 1, 2 do
        p[i] = mp.spawn(function()
          b:wait()
          return done.value
        end)
      end
      until_waiting(b, 2)
      assert.equal(3, b:wait())
      assert.equal(1, done.value)
      for i = 1, 2 do assert.equal(1, p[i]:result()) end
    end))

    it("is broken by an error in it, which the last to come raises", within(20, function()
      local b <close> = mp.Barrier(2, function() error { code = 7 } end)
      local p = parties(b, 1)
      until_waiting(b, 1)
      local ok <const>, err = pcall(b.wait, b)
      assert.is_false(ok)
      assert.equal(7, err.code)
      assert.same({ nil, "broken" }, { p[1]:result() })
      assert.is_true(b.broken)
      assert.equal(0, b.n_waiting)
    end))

    it("is broken when the last to come is killed in it", within(20, function()
      local event <close> = mp.Event()
      local b <close> = mp.Barrier(2, function()
        event:set()
        mp.sleep(1000)
      end)
      local p = parties(b, 1)
      until_waiting(b, 1)
      local q = parties(b, 1)
      assert.is_true(event:wait(10))
      q[1]:kill()
      assert.same({ nil, "broken" }, { p[1]:result() })
      q[1]:join()
    end))

    it("takes it along to wherever the barrier goes", within(20, function()
      local told <close> = mp.RawValue("i", 0)
      local b <close> = mp.Barrier(2, function() told.value = told.value + 42 end)
      local forked <const> = parties(b, 1)
      until_waiting(b, 1)
      local p = mp.get_context("spawn").Process(function(mine) return mine:wait() end, b):start()
      assert.equal(2, p:result())
      assert.equal(42, told.value)
      assert.equal(1, forked[1]:result())
    end))

    it("that cannot travel, says so there", within(20, function()
      local file <close> = io.tmpfile()
      local b <close> = mp.Barrier(2, function() return file end)
      local forked <const> = parties(b, 1)
      until_waiting(b, 1)
      local p = mp.get_context("spawn").Process(function(mine)
        return pcall(mine.wait, mine)
      end, b):start()
      local ok <const>, err = p:result()
      assert.is_false(ok)
      assert.matches("cannot send action", err)
      assert.same({ nil, "broken" }, { forked[1]:result() })
    end))

    it("lets it yield", within(5, function()
      local b <close> = mp.Barrier(1, function() coroutine.yield "in between" end)
      local co <const> = coroutine.wrap(function() return b:wait() end)
      assert.equal("in between", co())
      assert.equal(1, co())
    end))
  end)

  describe("is broken", function()
    it("by a party whose time is up, for all, and for late comers", within(20, function()
      local b <close> = mp.Barrier(4)
      local p = parties(b, 2)
      until_waiting(b, 2)
      assert.same({ nil, "broken" }, { b:wait(0.05) })
      for i = 1, 2 do assert.same({ nil, "broken" }, { p[i]:result() }) end
      assert.is_true(b.broken)
      assert.matches("broken", tostring(b))
      assert.same({ nil, "broken" }, { b:wait() })
    end))

    it("at once by a wait of 0 seconds that is not the last", within(5, function()
      local b <close> = mp.Barrier(2)
      assert.same({ nil, "broken" }, { b:wait(0) })
      assert.is_true(b.broken)
    end))

    it("by the time the barrier itself sets", within(5, function()
      local b <close> = mp.Barrier(2, nil, 0.02)
      assert.same({ nil, "broken" }, { b:wait() })
      b:reset()
      assert.same({ nil, "broken" }, { b:wait(nil) })
    end))

    it("by abort, in any process", within(20, function()
      local b <close> = mp.Barrier(4)
      local p = parties(b, 2)
      until_waiting(b, 2)
      mp.spawn(function() b:abort() end):join()
      for i = 1, 2 do assert.same({ nil, "broken" }, { p[i]:result() }) end
      b:abort()
      assert.is_true(b.broken)
    end))

    it("by a party that is killed inside, within a second", within(20, function()
      local b <close> = mp.Barrier(4)
      local p = parties(b, 3)
      until_waiting(b, 3)
      p[2]:kill()
      local begun <const> = mp.time()
      for _, i in ipairs { 1, 3 } do
        assert.same({ nil, "broken" }, { p[i]:result() })
      end
      assert.is_true(mp.time() - begun < 2)
      p[2]:join()
    end))

    it("by a signal's error in a party", within(20, function()
      local result <const> = helper.run_lua([[
        local mp = require "mp"
        local b = mp.Barrier(3)
        local p = mp.spawn(function() return b:wait() end)
        local parent = mp.current_process().pid
        local q = mp.spawn(function()
          while b.n_waiting < 2 do mp.sleep(0.001) end
          os.execute("kill -INT " .. parent)
        end)
        local ok, err = pcall(b.wait, b)
        print(ok, err)
        print(p:result())
        q:join()
      ]], { timeout = 15 })
      assert.matches("^false\t[^\n]*interrupted!\nnil\tbroken\n$", result.out)
    end))
  end)

  describe("reset", function()
    it("breaks it for those who wait, and makes it whole", within(20, function()
      local b <close> = mp.Barrier(3)
      local p = parties(b, 2)
      until_waiting(b, 2)
      b:reset()
      assert.is_false(b.broken)
      for i = 1, 2 do assert.same({ nil, "broken" }, { p[i]:result() }) end
      p = parties(b, 2)
      until_waiting(b, 2)
      assert.equal(3, b:wait(10))
      for i = 1, 2 do p[i]:join() end
    end))

    it("repairs a broken one", within(10, function()
      local b <close> = mp.Barrier(2)
      b:abort()
      b:reset()
      assert.is_false(b.broken)
      local p = parties(b, 1)
      assert.is_number(b:wait(10))
      p[1]:join()
      b:reset()
      assert.is_false(b.broken)
    end))
  end)

  it("raises when it is closed", within(5, function()
    local b = mp.Barrier(2)
    do local _ <close> = b end
    for _, method in ipairs { "wait", "abort", "reset" } do
      assert.error_matches(function() b[method](b) end, "attempt to use a closed Barrier")
    end
    assert.error_matches(function() return b.parties end, "attempt to use a closed Barrier")
    assert.matches("%(closed%)$", tostring(b))
  end))

  it("survives kill -9 at each test point", within(120, function()
    local b <close> = mp.Barrier(1)
    local nth = 0
    repeat
      nth = nth + 1
      local p = mp.spawn(function()
        core.testpoint("*", nth)
        for _ = 1, 2 do b:wait() end
        b:abort()
        b:reset()
        core.testpoint()
      end)
      p:join()
      b:reset()
      assert.equal(1, b:wait(5))
      assert.equal(0, core.check())
    until p.exitcode == 0
    assert.is_true(nth > 5)
  end))

  it("is broken in time whatever dies inside", within(250, function()
    helper.seed()
    for _ = 1, ROUNDS // 5 do
      local b <close>, rounds = mp.Barrier(3), mp.RawArray("q", 3)
      local _ <close> = rounds
      local p = {}
      for i = 1, 3 do
        p[i] = mp.spawn(function()
          while b:wait() do rounds[i] = rounds[i] + 1 end
          return "broken"
        end)
      end
      helper.eventually(10, function() return rounds[1] > 0 end)
      mp.sleep(math.random() * 0.002)
      p[2]:kill()
      local begun <const> = mp.time()
      -- Killed between two waits, it is not inside, and leaves the others alone.
      while not b.broken and mp.time() - begun < 1 do mp.sleep(0.001) end
      b:abort()
      assert.equal("broken", p[1]:result())
      assert.equal("broken", p[3]:result())
      p[2]:join()
    end
  end))
end)
