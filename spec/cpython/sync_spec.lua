-- What Python's users know of locks and the like, under each start method.
local helper = require "spec.helper"
local methods = require "spec.helper.methods"

local within <const> = helper.within

local function join_all(list)
  for _, p in ipairs(list) do
    p:join()
    assert.equal(0, p.exitcode)
  end
end

describe("between processes", function()
  methods.each(function(ctx)
    it("a lock tells who has it", within(20, function()
      local lock <close> = ctx.Lock()
      local has <close> = ctx.Event()
      local go <close> = ctx.Event()
      assert.is_false(lock:locked())
      assert.is_nil(lock:owner())
      lock:acquire()
      assert.is_true(lock:locked())
      assert.equal("MainProcess", (lock:owner()))
      assert.same({ nil, "timeout" }, { lock:acquire(0) })
      lock:release()
      local p = ctx.Process {
        name = "P1",
        target = function(l)
          l:acquire()
          has:set()
          go:wait()
          l:release()
        end,
        args = { lock },
      }
      p:start()
      assert.is_true(has:wait(15))
      assert.is_true(lock:locked())
      assert.same({ "P1", p.pid }, { lock:owner() })
      assert.same({ nil, "timeout" }, { lock:acquire(0.02) })
      go:set()
      assert.is_true(lock:acquire(15))
      lock:release()
      join_all { p }
      assert.is_false(lock:locked())
      assert.error_matches(function() lock:release() end, "release")
    end))

    it("a recursive lock is let go as often as it was taken", within(20, function()
      local lock <close> = ctx.RLock()
      for _ = 1, 3 do
        assert.is_true(lock:acquire())
      end
      local p = ctx.spawn(function(l) return l:locked(), l:acquire(0) end, lock)
      assert.same({ true, nil, "timeout", n = 3 }, table.pack(p:result()))
      for _ = 1, 3 do
        assert.is_true(lock:locked())
        lock:release()
      end
      assert.is_false(lock:locked())
      assert.error_matches(function() lock:release() end, "release")
      p = ctx.spawn(function(l) return l:acquire(0), l:release() end, lock)
      assert.is_true((p:result()))
    end))

    it("a semaphore is counted by all", within(20, function()
      local s <close> = ctx.Semaphore(2)
      local p = ctx.spawn(function(its)
        local seen = { its.value }
        for i = 2, 3 do
          its:acquire()
          seen[i] = its.value
        end
        seen[4] = select(2, its:acquire(0))
        seen[5] = select(2, its:acquire(0.01))
        its:release()
        return seen
      end, s)
      assert.same({ 2, 1, 0, "timeout", "timeout" }, (p:result()))
      assert.equal(1, s.value)
      s:release()
      s:release()
      assert.equal(3, s.value)
      assert.equal(3, s:get_value())
    end))

    it("a bounded semaphore is not released beyond its first value", within(20, function()
      local s <close> = ctx.BoundedSemaphore(2)
      s:acquire()
      s:release()
      assert.error_matches(function() s:release() end, "release")
      local p = ctx.spawn(function(its) return pcall(its.release, its) end, s)
      assert.is_false((p:result()))
      assert.equal(2, s.value)
    end))

    it("notify wakes one, n or all of those who wait", within(30, function()
      local cond <close> = ctx.Condition()
      local sleeping <close> = ctx.Semaphore(0)
      local woken <close> = ctx.Semaphore(0)
      local list = {}
      for i = 1, 6 do
        list[i] = ctx.spawn(function()
          cond:acquire()
          sleeping:release()
          cond:wait()
          woken:release()
          cond:release()
        end)
      end
      for _ = 1, 6 do
        sleeping:acquire()
      end
      assert.equal(0, woken.value)
      cond:with(function() cond:notify() end)
      assert.is_true(woken:acquire(15))
      assert.equal(0, woken.value)
      cond:with(function() cond:notify(2) end)
      assert.is_true(woken:acquire(15))
      assert.is_true(woken:acquire(15))
      assert.equal(0, woken.value)
      cond:with(function() cond:notify_all() end)
      for _ = 1, 3 do
        assert.is_true(woken:acquire(15))
      end
      cond:with(function() cond:notify(3) end)
      join_all(list)
      assert.equal(0, woken.value)
    end))

    it("those whose wait timed out are not notified", within(20, function()
      local cond <close> = ctx.Condition()
      local list = {}
      for i = 1, 3 do
        list[i] = ctx.spawn(function()
          local _ <close> = cond:hold()
          local ok, why = cond:wait(0.02)
          assert(ok == nil and why == "timeout")
        end)
      end
      join_all(list)
      local ready <close> = ctx.Semaphore(0)
      local waiter = ctx.spawn(function(c)
        local _ <close> = c:hold()
        ready:release()
        return c:wait(15)
      end, cond)
      ready:acquire()
      cond:acquire()
      cond:notify()
      cond:release()
      assert.is_true((waiter:result()))
    end))

    it("wait_for passes a state to and fro", within(20, function()
      local cond <close> = ctx.Condition()
      local state <close> = ctx.Value("i", -1)
      local p = ctx.spawn(function(c, s)
        local _ <close> = c:hold()
        s.value = 0
        c:notify()
        local ok = c:wait_for(function() return s.value == 4 end)
        assert(ok == true and s.value == 4)
      end, cond, state)
      cond:acquire()
      assert.is_true(cond:wait_for(function() return state.value == 0 end))
      cond:release()
      for _ = 1, 4 do
        local _ <close> = cond:hold()
        state:add(1)
        cond:notify()
      end
      join_all { p }
    end))

    it("wait_for gives up in time, however often it is woken", within(20, function()
      local cond <close> = ctx.Condition()
      local ready <close> = ctx.Semaphore(0)
      local p = ctx.spawn(function(c)
        ready:release()
        local _ <close> = c:hold()
        local before = require("mp").time()
        local ok, why = c:wait_for(function() return false end, 0.1)
        return ok, why, require("mp").time() - before >= 0.1
      end, cond)
      ready:acquire()
      while p:is_alive() do
        cond:with(function() cond:notify() end)
      end
      assert.same({ nil, "timeout", true, n = 3 }, table.pack(p:result()))
    end))

    it("an event is set by a child", within(20, function()
      local event <close> = ctx.Event()
      assert.is_false(event:is_set())
      assert.same({ nil, "timeout" }, { event:wait(0) })
      assert.same({ nil, "timeout" }, { event:wait(0.02) })
      local p = ctx.spawn(function(e) e:set() end, event)
      assert.is_true(event:wait())
      assert.is_true(event:is_set())
      assert.is_true(event:wait(0))
      join_all { p }
      event:clear()
      assert.is_false(event:is_set())
    end))

    it("a barrier is passed in step, and can be reset", within(40, function()
      local n <const> = 3
      local barrier <close> = ctx.Barrier(n)
      local before <close> = ctx.Value("i", 0)
      local after <close> = ctx.Value("i", 0)
      local broken <close> = ctx.Value("i", 0)
      local passed <close> = ctx.Value("i", 0)
      local function party(b)
        for i = 1, 5 do
          before:add(1)
          assert(after.value == (i - 1) * n)
          b:wait()
          after:add(1)
          assert(before.value == i * n)
          b:wait()
        end
        if b:wait() == 1 then
          while b.n_waiting < n - 1 do
            require("mp").sleep(0.001)
          end
          b:reset()
        else
          local ok, why = b:wait()
          assert(ok == nil and why == "broken")
          broken:add(1)
        end
        assert(b:wait())
        passed:add(1)
      end
      local list = {}
      for i = 1, n do
        list[i] = ctx.spawn(party, barrier)
      end
      join_all(list)
      assert.equal(n - 1, broken.value)
      assert.equal(n, passed.value)
      assert.is_false(barrier.broken)
    end))

    it("a barrier that is aborted is broken for all until it is reset", within(40, function()
      local n <const> = 3
      local barrier <close> = ctx.Barrier(n)
      local meet <close> = ctx.Barrier(n)
      local results <close> = ctx.Queue()
      local function party(b, other)
        if b:wait() == 2 then
          b:abort()
          results:put "abort"
        else
          results:put((select(2, b:wait())))
        end
        assert(b.broken)
        if other:wait() == 1 then
          b:reset()
        end
        other:wait()
        results:put(math.type(b:wait()))
      end
      local list = {}
      for i = 1, n do
        list[i] = ctx.spawn(party, barrier, meet)
      end
      join_all(list)
      local seen = {}
      for _ = 1, 2 * n do
        local word <const> = results:get(0)
        seen[word] = (seen[word] or 0) + 1
      end
      assert.same({ abort = 1, broken = n - 1, integer = n }, seen)
    end))

    it("a barrier calls its action once a pass", within(40, function()
      local passes <close> = ctx.Value("i", 0)
      local barrier <close> = ctx.Barrier(3, function() passes:add(1) end)
      local list = {}
      for i = 1, 3 do
        list[i] = ctx.spawn(function(b)
          for pass = 1, 4 do
            b:wait()
            assert(passes.value == 2 * pass - 1)
            b:wait()
            assert(passes.value == 2 * pass)
          end
        end, barrier)
      end
      for _, p in ipairs(list) do
        p:join()
      end
      assert.equal(8, passes.value)
    end))
  end)
end)
