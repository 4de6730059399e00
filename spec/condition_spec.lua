-- time limit: 300 s
local core = require "mp.core"
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 500

-- A child that waits once; waiting counts those that do. A third argument is
-- its timeout.
local function waiter(condition, waiting, timeout)
  return mp.spawn(function()
    local _ <close> = condition:hold()
    waiting:release()
    return condition:wait(timeout)
  end)
end

-- Until n children wait: whoever then owns the lock knows that they do.
local function all_wait(condition, waiting, n)
  for _ = 1, n do assert(waiting:acquire(10)) end
  return condition:hold()
end

describe("mp.Condition", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("the constructor", function()
    it("makes an RLock of its own", within(5, function()
      local c <close> = mp.Condition { name = "items" }
      assert.equal("Condition", mp.type(c))
      assert.matches("^mp%.Condition: 0x%x+ %('items', free%)$", tostring(c))
      c:acquire()
      assert.is_true(c:acquire(0))
      assert.matches("'items', held by MainProcess, pid %d+, 2 times", tostring(c))
      assert.equal("MainProcess", c:owner())
      c:release()
      c:release()
      assert.is_false(c:locked())
    end))

    it("takes a Lock or an RLock", within(5, function()
      for _, class in ipairs { "Lock", "RLock" } do
        local lock <close> = mp[class]()
        local c <close> = mp.Condition(lock, { name = "items" })
        lock:acquire()
        assert.is_true(c:locked())
        assert.equal(0, c:notify())
        c:release()
        assert.is_false(lock:locked())
      end
    end))

    it("refuses anything else", within(5, function()
      assert.error_matches(function() mp.Condition(5) end,
        "bad argument #1 to 'Condition' %(mp.Lock or mp.RLock expected, got number%)")
      local s <close> = mp.Semaphore()
      assert.error_matches(function() mp.Condition(s) end, "mp.Lock or mp.RLock expected")
      assert.error_matches(function() mp.Condition { lock = 1 } end, "invalid option 'lock'")
      local lock = mp.Lock()
      do local _ <close> = lock end
      assert.error_matches(function() mp.Condition(lock) end, "lock is closed")
    end))
  end)

  describe("without the lock", function()
    it("raises", within(10, function()
      local c <close> = mp.Condition()
      local what <const> = "attempt to %s a condition whose lock is not owned"
      assert.error_matches(function() c:wait() end, what:format "wait for")
      assert.error_matches(function() c:wait(0) end, what:format "wait for")
      assert.error_matches(function() c:notify() end, what:format "notify")
      assert.error_matches(function() c:notify_all() end, what:format "notify")
      assert.error_matches(function() c:release() end, "not owned")
      local _ <close> = c:hold()
      local p = mp.spawn(function() return pcall(c.notify, c) end)
      assert.is_false(p:result())
    end))
  end)

  describe("wait", function()
    it("returns nil, 'timeout' when the deadline passes, and owns the lock again", within(5,
      function()
        local c <close> = mp.Condition()
        local _ <close> = c:hold()
        assert.same({ nil, "timeout" }, { c:wait(0) })
        assert.same({ nil, "timeout" }, { c:wait(0.02) })
        assert.is_true(c:locked())
        assert.error_matches(function() c:wait(0 / 0) end, "NaN")
        assert.error_matches(function() c:wait "x" end, "number expected, got string")
      end))

    it("gives up every level, and takes them back", within(10, function()
      local c <close>, waiting = mp.Condition(), mp.Semaphore(0)
      local _ <close> = waiting
      local p = mp.spawn(function()
        for _ = 1, 3 do c:acquire() end
        waiting:release()
        assert(c:wait(10))
        for _ = 1, 3 do c:release() end
        return c:locked(), pcall(c.release, c)
      end)
      do
        local _ <close> = all_wait(c, waiting, 1)
        assert.equal(1, c:notify())
      end
      local locked <const>, released = p:result()
      assert.is_false(locked)
      assert.is_false(released)
    end))

    it("is not woken by what was notified before", within(5, function()
      local c <close> = mp.Condition()
      local _ <close> = c:hold()
      assert.equal(0, c:notify(5))
      assert.equal(0, c:notify_all())
      assert.same({ nil, "timeout" }, { c:wait(0.01) })
    end))
  end)

  describe("notify", function()
    it("wakes as many as it is told, longest waiting first", within(20, function()
      local c <close>, waiting = mp.Condition(), mp.Semaphore(0)
      local _ <close> = waiting
      local p = {}
      for i = 1, 5 do
        p[i] = waiter(c, waiting)
        local _ <close> = all_wait(c, waiting, 1)
      end
      for _, n in ipairs { 1, 2 } do
        local _ <close> = c:hold()
        assert.equal(n, c:notify(n))
      end
      for i = 1, 3 do assert.is_true(p[i]:result()) end
      for i = 4, 5 do assert.is_true(p[i]:is_alive()) end
      do
        local _ <close> = c:hold()
        assert.equal(2, c:notify(100))
        assert.equal(0, c:notify_all())
        assert.equal(0, c:notify(0))
        assert.error_matches(function() c:notify(-1) end, "count must not be negative")
        assert.error_matches(function() c:notify(1.5) end, "no integer representation")
      end
      for i = 1, 5 do p[i]:join() end
    end))

    it("counts neither the dead nor those whose time is up", within(20, function()
      local c <close>, waiting = mp.Condition(), mp.Semaphore(0)
      local _ <close> = waiting
      local p = {}
      for i = 1, 4 do p[i] = waiter(c, waiting, i == 2 and 0.01 or nil) end
      do
        local _ <close> = all_wait(c, waiting, 4)
        p[1]:kill()
        p[1]:join()
        mp.sleep(0.1)
        assert.equal(1, c:notify())
        assert.equal(1, c:notify(10))
      end
      assert.same({ nil, "timeout" }, { p[2]:result() })
      assert.is_true(p[3]:result())
      assert.is_true(p[4]:result())
    end))

    it("goes to another when the waiter dies before it comes out of wait", within(20, function()
      local c <close>, waiting = mp.Condition(), mp.Semaphore(0)
      local _ <close> = waiting
      local p = mp.spawn(function()
        core.testpoint("condition.woken", 1)
        local _ <close> = c:hold()
        waiting:release()
        c:wait()
      end)
      do local _ <close> = all_wait(c, waiting, 1) end
      local q = waiter(c, waiting)
      do
        local _ <close> = all_wait(c, waiting, 1)
        assert.equal(1, c:notify())
      end
      assert.is_true(q:result(10))
      p:join()
      assert.equal(-9, p.exitcode)
    end))
  end)

  describe("wait_for", function()
    it("waits until the predicate says something true, and returns it", within(10, function()
      local c <close>, value = mp.Condition(), mp.RawValue("i", 0)
      local _ <close> = value
      local p = mp.spawn(function()
        local _ <close> = c:hold()
        return c:wait_for(function() return value.value > 2 and value.value end, 10)
      end)
      for i = 1, 3 do
        local _ <close> = c:hold()
        value.value = i
        c:notify_all()
      end
      assert.equal(3, p:result())
    end))

    it("does not even look at the lock when it is true at once", within(5, function()
      local c <close> = mp.Condition()
      assert.equal("yes", c:wait_for(function() return "yes" end))
      assert.error_matches(function() c:wait_for(function() end) end, "lock is not owned")
    end))

    it("returns nil, 'timeout' when the deadline passes", within(5, function()
      local c <close> = mp.Condition()
      local _ <close> = c:hold()
      local calls = 0
      local function never()
        calls = calls + 1
        return false
      end
      assert.same({ nil, "timeout" }, { c:wait_for(never, 0) })
      assert.equal(1, calls)
      assert.same({ nil, "timeout" }, { c:wait_for(never, 0.02) })
      assert.is_true(c:locked())
      assert.error_matches(function() c:wait_for(5) end, "bad argument #1 to 'wait_for'")
      assert.error_matches(function() c:wait_for(function() error "no idea" end) end, "no idea")
    end))
  end)

  it("in a script takes the lock back before Ctrl-C is raised", within(20, function()
    local result <const> = helper.run_lua([[
      local mp = require "mp"
      local c = mp.Condition()
      local parent = mp.current_process().pid
      mp.spawn(function()
        mp.sleep(0.3)
        os.execute("kill -INT " .. parent)
      end)
      c:acquire()
      local ok, err = pcall(c.wait, c)
      io.stdout:write(tostring(ok), " ", tostring(err), " ", c:owner(), "\n")
      c:release()
      io.stdout:write(tostring(c:locked()), "\n")
    ]], { timeout = 15 })
    assert.matches("^false [^\n]*interrupted! MainProcess\nfalse\n$", result.out)
    assert.is_true(result.seconds < 10)
  end))

  it("whose lock's owner was killed says so to who waits", within(20, function()
    local c <close>, waiting = mp.Condition(), mp.Semaphore(0)
    local _ <close> = waiting
    local p = mp.spawn(function()
      local _ <close> = c:hold()
      waiting:release()
      local ok, how = c:wait(10)
      return ok, how
    end)
    local q = mp.spawn(function()
      local _ <close> = all_wait(c, waiting, 1)
      c:notify()
      core.testpoint("*", 1)
      c:notify()
      mp.sleep(1000)
    end)
    mp.sleep(0.3)
    q:kill()
    q:join()
    assert.same({ true, "abandoned" }, { p:result() })
  end))

  it("travels with its lock", within(20, function()
    local lock <close> = mp.Lock { name = "inner" }
    local c <close> = mp.Condition(lock)
    local p = mp.get_context("spawn").Process(function(mine, its)
      local _ <close> = mine:hold()
      return its:locked(), mine:notify(), tostring(mine)
    end, c, lock):start()
    local locked <const>, n, text = p:result()
    assert.is_true(locked)
    assert.equal(0, n)
    assert.matches("held by", text)
    assert.is_false(lock:locked())
  end))

  it("raises when it is closed", within(5, function()
    local c = mp.Condition()
    do local _ <close> = c end
    for _, method in ipairs { "acquire", "release", "hold", "wait", "notify", "notify_all" } do
      assert.error_matches(function() c[method](c) end, "attempt to use a closed Condition")
    end
    assert.matches("%(closed%)$", tostring(c))
  end))

  for _, n in ipairs { 1, 2, 4 } do
    it(("loses no wake-up: %d producers, %d consumers"):format(n, n), within(60, function()
      local c <close>, items = mp.Condition(), mp.RawValue("q", 0)
      local _ <close> = items
      local count <const> = 2000 // n
      local p = {}
      for i = 1, 2 * n do
        p[i] = mp.spawn(function()
          for _ = 1, count do
            local _ <close> = c:hold()
            if i % 2 == 0 then
              items.value = items.value + 1
              c:notify()
            else
              while items.value == 0 do assert(c:wait(30)) end
              items.value = items.value - 1
            end
          end
        end)
      end
      for i = 1, 2 * n do
        p[i]:join()
        assert.equal(0, p[i].exitcode)
      end
      assert.equal(0, items.value)
    end))
  end

  it("survives kill -9 at each test point", within(120, function()
    local c <close> = mp.Condition()
    local nth = 0
    repeat
      nth = nth + 1
      local p = mp.spawn(function()
        core.testpoint("*", nth)
        for _ = 1, 2 do
          local _ <close> = c:hold()
          c:notify()
          c:wait(0.002)
        end
        core.testpoint()
      end)
      p:join()
      local _ <close> = c:hold(5)
      assert.equal(0, c:notify_all())
      assert.equal(0, core.check())
    until p.exitcode == 0
    assert.is_true(nth > 10)
  end))

  it("survives random kill -9 of waiters and notifiers", within(250, function()
    helper.seed()
    local c <close>, turn = mp.Condition(), mp.RawValue("q", 0)
    local _ <close> = turn
    local turns <close> = mp.RawArray("q", 3)
    local function work(i)
      while true do
        local _ <close> = c:hold()
        while turn.value % 3 ~= i - 1 do c:wait(0.05) end
        turn.value = turn.value + 1
        turns[i] = turns[i] + 1
        c:notify_all()
      end
    end
    local p = {}
    for i = 1, 3 do p[i] = mp.spawn(work, i) end
    for _ = 1, ROUNDS // 2 do
      local victim <const> = math.random(3)
      mp.sleep(math.random() * 0.002)
      p[victim]:kill()
      do
        local _ <close> = c:hold(5)
        local begun <const> = mp.time()
        assert.is_true(c:notify_all() <= 3)
        assert.is_true(mp.time() - begun < 0.5)
      end
      p[victim]:join()
      p[victim] = mp.spawn(work, victim)
      local seen <const> = turns[(victim + 1) % 3 + 1]
      helper.eventually(10, function() return turns[(victim + 1) % 3 + 1] > seen end)
    end
    for i = 1, 3 do
      p[i]:kill()
      p[i]:join()
    end
  end))
end)
