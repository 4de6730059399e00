-- time limit: 300 s
local core = require "mp.core"
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 500

describe("mp.RLock", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("has a name, a type and a state", within(5, function()
    local lock <close> = mp.RLock { name = "db" }
    assert.equal("RLock", mp.type(lock))
    assert.matches("^mp%.RLock: 0x%x+ %('db', free%)$", tostring(lock))
    lock:acquire()
    assert.matches("%('db', held by MainProcess, pid %d+%)$", tostring(lock))
    lock:acquire()
    assert.matches("held by MainProcess, pid %d+, 2 times%)$", tostring(lock))
    assert.error_matches(function() mp.RLock { naem = "x" } end, "invalid option 'naem'")
  end))

  it("is acquired again by its owner, and released as often", within(10, function()
    local lock <close> = mp.RLock()
    for _ = 1, 3 do assert.is_true(lock:acquire(0)) end
    local p = mp.spawn(function() return lock:acquire(0) end)
    assert.same({ nil, "timeout" }, { p:result() })
    for _ = 1, 2 do lock:release() end
    assert.is_true(lock:locked())
    lock:release()
    assert.is_false(lock:locked())
    assert.is_nil(lock:owner())
  end))

  it("is the coroutine's of the same state too", within(5, function()
    local lock <close> = mp.RLock()
    lock:acquire()
    coroutine.wrap(function()
      assert.is_true(lock:acquire(0))
      lock:release()
    end)()
    lock:release()
  end))

  describe("release", function()
    it("raises for a free one, and once too often", within(5, function()
      local lock <close> = mp.RLock()
      local what <const> = "attempt to release an RLock that is not owned"
      assert.error_matches(function() lock:release() end, what)
      lock:acquire()
      lock:release()
      assert.error_matches(function() lock:release() end, what)
    end))

    it("raises in a process that does not own it, and changes nothing", within(10, function()
      local lock <close> = mp.RLock()
      lock:acquire()
      local p = mp.spawn(function() return pcall(lock.release, lock) end)
      local ok <const>, err = p:result()
      assert.is_false(ok)
      assert.matches("not owned", err)
      lock:release()
      assert.is_false(lock:locked())
    end))
  end)

  describe("hold and with", function()
    it("nest", within(5, function()
      local lock <close> = mp.RLock()
      do
        local _ <close> = lock:hold()
        lock:with(function()
          local _ <close> = lock:hold(0)
          assert.matches("3 times", tostring(lock))
        end)
        assert.is_true(lock:locked())
        assert.is_false(pcall(lock.with, lock, error))
        assert.is_true(lock:locked())
      end
      assert.is_false(lock:locked())
    end))
  end)

  it("whose owner was killed three deep goes to the next within 100 ms", within(20, function()
    local lock <close> = mp.RLock()
    local event <close> = mp.Event()
    local p = mp.spawn(function()
      for _ = 1, 3 do lock:acquire() end
      event:set()
      mp.sleep(1000)
    end)
    assert.is_true(event:wait(10))
    assert.same({ p.name, p.pid }, { lock:owner() })
    p:kill()
    local begun <const> = mp.time()
    assert.same({ true, "abandoned" }, { lock:acquire(10) })
    assert.is_true(mp.time() - begun < 1, "far later than 100 ms")
    lock:release()
    assert.is_false(lock:locked())
    p:join()
  end))

  it("ended by its owner's normal end is abandoned", within(10, function()
    local lock <close> = mp.RLock()
    mp.spawn(function()
      lock:acquire()
      lock:acquire()
    end):join()
    assert.same({ true, "abandoned" }, { lock:acquire(0) })
    lock:release()
    assert.is_false(lock:locked())
  end))

  for _, n in ipairs { 2, 4, 8 } do
    it(("counts exactly with %d processes"):format(n), within(60, function()
      local lock <close> = mp.RLock()
      local value <close> = mp.RawValue("q", 0)
      local processes = {}
      for i = 1, n do
        processes[i] = mp.spawn(function()
          for _ = 1, 1000 do
            local _ <close> = lock:hold()
            lock:with(function() value.value = value.value + 1 end)
          end
        end)
      end
      for _, p in ipairs(processes) do p:join() end
      assert.equal(1000 * n, value.value)
    end))
  end

  it("survives random kill -9 of owners and waiters", within(250, function()
    helper.seed()
    local lock <close> = mp.RLock()
    local turns <close> = mp.RawArray("q", 3)
    local function work(i)
      while true do
        local _ <close> = lock:hold()
        local _ <close> = lock:hold()
        turns[i] = turns[i] + 1
      end
    end
    local p = {}
    for i = 1, 3 do p[i] = mp.spawn(work, i) end
    for _ = 1, ROUNDS do
      local victim <const> = math.random(3)
      local witness <const> = victim % 3 + 1
      mp.sleep(math.random() * 0.002)
      p[victim]:kill()
      p[victim]:join()
      local seen <const> = turns[witness]
      helper.eventually(10, function() return turns[witness] > seen end)
      p[victim] = mp.spawn(work, victim)
    end
    for i = 1, 3 do
      p[i]:kill()
      p[i]:join()
    end
    assert.is_true(lock:acquire(5))
    lock:release()
    assert.is_false(lock:locked())
    assert.equal(0, core.check())
  end))

  it("in a cycle of three is reported by one of them", within(30, function()
    local locks, p = {}, {}
    for i = 1, 3 do locks[i] = mp.RLock { name = "lock-" .. i } end
    local all <close> = mp.Barrier(3)
    for i = 1, 3 do
      p[i] = mp.Process {
        name = "worker-" .. i,
        target = function()
          local _ <close> = locks[i]:hold()
          all:wait()
          return pcall(function()
            local _ <close> = locks[i % 3 + 1]:hold()
          end)
        end,
      }:start()
    end
    local failed = 0
    for i = 1, 3 do
      local ok <const>, err = p[i]:result()
      if not ok then
        failed = failed + 1
        for k = 1, 3 do
          assert.matches(("worker-%d holds 'lock-%d' and waits for 'lock-%d'")
            :format(k, k, k % 3 + 1):gsub("%-", "%%-"), err)
        end
      end
    end
    assert.equal(1, failed)
    for i = 1, 3 do local _ <close> = locks[i] end
  end))
end)
