-- time limit: 300 s
local core = require "mp.core"
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 500

local function kill(p)
  p:kill()
  p:join()
end

describe("mp.Semaphore", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("the constructor", function()
    it("takes the number of units and options", within(5, function()
      local one <close> = mp.Semaphore()
      assert.equal(1, one.value)
      local s <close> = mp.Semaphore(3, { name = "slots" })
      assert.equal(3, s.value)
      assert.equal("Semaphore", mp.type(s))
      assert.matches("^mp%.Semaphore: 0x%x+ %('slots', 3 units left%)$", tostring(s))
      local named <close> = mp.Semaphore { name = "slots" }
      assert.equal(1, named.value)
      local none <close> = mp.Semaphore(0)
      assert.same({ nil, "timeout" }, { none:acquire(0) })
    end))

    it("refuses what is no number of units", function()
      assert.error_matches(function() mp.Semaphore(-1) end,
        "bad argument #1 to 'Semaphore' %(initial value must not be negative%)")
      assert.error_matches(function() mp.Semaphore(1 << 31) end, "initial value is too large")
      assert.error_matches(function() mp.Semaphore(1.5) end, "no integer representation")
      assert.error_matches(function() mp.Semaphore "x" end, "bad argument #1 to 'Semaphore'")
      assert.error_matches(function() mp.Semaphore(1, { bound = 3 }) end, "invalid option 'bound'")
    end)
  end)

  it("lets so many in, and no more", within(5, function()
    local s <close> = mp.Semaphore(2)
    assert.is_false(s:locked())
    assert.is_true(s:acquire())
    assert.is_true(s:acquire(0))
    assert.is_true(s:locked())
    assert.equal(0, s.value)
    assert.same({ nil, "timeout" }, { s:acquire(0) })
    assert.same({ nil, "timeout" }, { s:acquire(0.01) })
    s:release()
    assert.equal(1, s.value)
    assert.is_true(s:acquire(0))
  end))

  it("may be released by anybody, beyond what it began with", within(10, function()
    local s <close> = mp.Semaphore(0)
    local p = mp.spawn(function()
      for _ = 1, 3 do s:release() end
    end)
    for _ = 1, 3 do assert.is_true(s:acquire(5)) end
    p:join()
    local full <close> = mp.Semaphore((1 << 31) - 1)
    assert.error_matches(function() full:release() end, "semaphore released too many times")
    assert.equal((1 << 31) - 1, full.value)
  end))

  it("gives units back at the end of a guard's scope", within(5, function()
    local s <close> = mp.Semaphore(2)
    do
      local _ <close> = s:hold()
      local _ <close> = s:hold(1)
      assert.equal(0, s.value)
      assert.same({ nil, "timeout" }, { s:hold(0) })
    end
    assert.equal(2, s.value)
    assert.same({ 0, "x" }, { s:with(function()
      local _ <close> = s:hold()
      return s.value, "x"
    end) })
    assert.is_false(pcall(s.with, s, error))
    assert.equal(2, s.value)
  end))

  it("is one of the things mp.wait waits for", within(10, function()
    local a <close>, b = mp.Semaphore(0), mp.Semaphore(0)
    local _ <close> = b
    assert.same({}, mp.wait({ a, b }, 0))
    local p = mp.spawn(function() b:release() end)
    assert.same({ b }, mp.wait({ a, b }, 5))
    p:join()
  end))

  it("travels, and says there what it is", within(10, function()
    local s <close>, b = mp.Semaphore(2), mp.BoundedSemaphore(2)
    local _ <close> = b
    local p = mp.get_context("spawn").Process(function(s1, b1)
      s1:acquire()
      return mp.type(s1), mp.type(b1)
    end, s, b):start()
    assert.same({ "Semaphore", "BoundedSemaphore" }, { p:result() })
    assert.equal(1, s.value)
  end))

  it("raises when it is closed", within(5, function()
    local s = mp.Semaphore()
    do local _ <close> = s end
    for _, method in ipairs { "acquire", "release", "hold", "locked" } do
      assert.error_matches(function() s[method](s) end, "attempt to use a closed Semaphore")
    end
    assert.error_matches(function() return s.value end, "attempt to use a closed Semaphore")
    assert.matches("%(closed%)$", tostring(s))
  end))

  describe("when a process is killed", function()
    it("gets back what it held, but not what it acquired", within(20, function()
      local s <close> = mp.Semaphore(3)
      local event <close> = mp.Event()
      local p = mp.spawn(function()
        local _ <close> = s:hold()
        local _ <close> = s:hold()
        s:acquire()
        event:set()
        mp.sleep(1000)
      end)
      assert.is_true(event:wait(10))
      assert.same({ nil, "timeout" }, { s:acquire(0.1) })
      p:kill()
      local begun <const> = mp.time()
      assert.same({ true, "abandoned" }, { s:acquire(10) })
      assert.is_true(mp.time() - begun < 1)
      assert.same({ true }, { s:acquire(0) })
      assert.same({ nil, "timeout" }, { s:acquire(0) })
      p:join()
    end))

    it("counts exactly, wherever that was", within(100, function()
      local s <close> = mp.Semaphore(2)
      local nth = 0
      repeat
        nth = nth + 1
        local p = mp.spawn(function()
          core.testpoint("*", nth)
          for _ = 1, 2 do
            local _ <close> = s:hold()
            local _ <close> = s:hold()
          end
          core.testpoint()
        end)
        p:join()
        assert.equal(2, s.value)
        assert.equal(0, core.check())
      until p.exitcode == 0
      assert.is_true(nth > 10)
    end))

    it("counts exactly, at random", within(250, function()
      helper.seed()
      local s <close> = mp.Semaphore(2)
      local turns <close> = mp.RawArray("q", 4)
      local function work(i)
        while true do
          local _ <close> = s:hold()
          turns[i] = turns[i] + 1
        end
      end
      local p = {}
      for i = 1, 4 do p[i] = mp.spawn(work, i) end
      for _ = 1, ROUNDS do
        local victim <const> = math.random(4)
        local witness <const> = victim % 4 + 1
        mp.sleep(math.random() * 0.002)
        kill(p[victim])
        local seen <const> = turns[witness]
        helper.eventually(10, function() return turns[witness] > seen end)
        p[victim] = mp.spawn(work, victim)
      end
      for i = 1, 4 do kill(p[i]) end
      assert.equal(2, s.value)
    end))
  end)

  it("gives back what a process holds when it closes its object", within(10, function()
    local s <close> = mp.Semaphore(2)
    local p = mp.spawn(function()
      local guard = s:hold()
      do local _ <close> = s end
      return tostring(guard) ~= nil
    end)
    assert.is_true(p:result())
    assert.equal(2, s.value)
  end))

  for _, n in ipairs { 2, 4, 8 } do
    it(("never lets more in than there are units: %d processes"):format(n), within(60, function()
      local s <close>, lock = mp.Semaphore(2), mp.Lock()
      local _ <close> = lock
      local inside <close>, most = mp.RawValue("i", 0), mp.RawValue("i", 0)
      local _ <close> = most
      local p = {}
      for i = 1, n do
        p[i] = mp.spawn(function()
          for k = 1, 500 do
            local guard <close> = k % 2 == 0 and s:hold() or s:acquire() and nil
            inside:add(1)
            lock:with(function() most.value = math.max(most.value, inside.value) end)
            inside:add(-1)
            if not guard then
              s:release()
            end
          end
        end)
      end
      for i = 1, n do
        p[i]:join()
        assert.equal(0, p[i].exitcode)
      end
      assert.equal(2, s.value)
      assert.is_true(most.value <= 2)
    end))
  end
end)

describe("mp.BoundedSemaphore", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("is a semaphore", within(5, function()
    local s <close> = mp.BoundedSemaphore(2, { name = "slots" })
    assert.equal("BoundedSemaphore", mp.type(s))
    assert.matches("^mp%.BoundedSemaphore: 0x%x+ %('slots', 2 of 2 units left%)$", tostring(s))
    assert.is_true(s:acquire())
    assert.equal(1, s.value)
    s:release()
    s:with(function() assert.equal(1, s.value) end)
    assert.equal(2, s.value)
    local one <close> = mp.BoundedSemaphore()
    assert.equal(1, one.value)
  end))

  it("refuses to be released beyond its first value", within(5, function()
    local s <close> = mp.BoundedSemaphore(1)
    assert.error_matches(function() s:release() end, "semaphore released too many times")
    assert.equal(1, s.value)
    s:acquire()
    s:release()
    assert.error_matches(function() s:release() end, "semaphore released too many times")
  end))
end)
