-- under every start method
-- time limit: 300 s
local core = require "mp.core"
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 500

-- Owns the lock, says so, and stays.
local function own_and_stay(lock, event)
  lock:acquire()
  event:set()
  mp.sleep(1000)
end

local function owned_by_another(lock)
  local event <close> = mp.Event()
  local p = mp.spawn(own_and_stay, lock, event)
  assert(event:wait(10))
  return p
end

local function kill(p)
  p:kill()
  p:join()
end

describe("mp.Lock", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("the constructor", function()
    it("takes a name, which messages show", within(5, function()
      local lock <close> = mp.Lock { name = "db" }
      assert.matches("^mp%.Lock: 0x%x+ %('db', free%)$", tostring(lock))
      assert.equal("Lock", mp.type(lock))
    end))

    it("refuses what is no option", function()
      assert.error_matches(function() mp.Lock { nmae = "db" } end, "invalid option 'nmae'")
      assert.error_matches(function() mp.Lock { name = 5 } end, "field 'name' must be a string")
      assert.error_matches(function() mp.Lock(5) end, "bad argument #1 to 'Lock'")
    end)
  end)

  describe("acquire", function()
    it("returns true", within(5, function()
      local lock <close> = mp.Lock()
      assert.equal(1, select("#", lock:acquire()))
      lock:release()
      assert.is_true(lock:acquire(0))
      assert.is_true(lock:locked())
    end))

    it("returns nil, 'timeout' when the deadline passes", within(5, function()
      local lock <close> = mp.Lock()
      lock:acquire()
      assert.same({ nil, "timeout" }, { lock:acquire(0) })
      assert.same({ nil, "timeout" }, { lock:acquire(-1) })
      local begun <const> = mp.time()
      assert.same({ nil, "timeout" }, { lock:acquire(0.05) })
      assert.is_true(mp.time() - begun >= 0.05)
    end))

    it("refuses timeouts that are none", within(5, function()
      local lock <close> = mp.Lock()
      assert.error_matches(function() lock:acquire(0 / 0) end, "NaN")
      assert.error_matches(function() lock:acquire(true) end,
        "bad argument #1 to 'acquire' %(number expected, got boolean%)")
      assert.is_false(lock:locked())
    end))

    it("waits for the other process", within(10, function()
      local lock <close> = mp.Lock()
      local event <close> = mp.Event()
      lock:acquire()
      local p = mp.spawn(function()
        event:set()
        local ok, how = lock:acquire(10)
        lock:release()
        return ok, how
      end)
      event:wait()
      assert.same({ nil, "timeout" }, { p:result(0.05) })
      lock:release()
      assert.same({ true }, { p:result() })
    end))
  end)

  describe("release", function()
    it("raises for a free lock", within(5, function()
      local lock <close> = mp.Lock()
      assert.error_matches(function() lock:release() end, "attempt to release a free lock")
      lock:acquire()
      lock:release()
      assert.error_matches(function() lock:release() end, "attempt to release a free lock")
      assert.is_true(lock:acquire(0))
    end))

    it("may be done by another process", within(10, function()
      local lock <close> = mp.Lock()
      lock:acquire()
      local p = mp.spawn(function() lock:release() end)
      assert.is_true(lock:acquire(5))
      p:join()
    end))
  end)

  describe("hold", function()
    it("gives a guard that releases at the end of its scope", within(5, function()
      local lock <close> = mp.Lock()
      do
        local guard <close> = lock:hold()
        assert.matches("^mp%.Guard: ", tostring(guard))
        assert.is_true(lock:locked())
      end
      assert.is_false(lock:locked())
      local ok <const> = pcall(function()
        local _ <close> = lock:hold(1)
        error "out of here"
      end)
      assert.is_false(ok)
      assert.is_false(lock:locked())
    end))

    it("allocates nothing after the first", within(5, function()
      local lock <close> = mp.Lock()
      do local _ <close> = lock:hold() end
      collectgarbage()
      collectgarbage "stop"
      local before <const> = collectgarbage "count"
      for _ = 1, 1000 do
        local _ <close> = lock:hold()
      end
      local grown <const> = collectgarbage "count" - before
      collectgarbage "restart"
      assert.is_true(grown < 4, "1000 guards took " .. grown .. " KB")
    end))

    it("returns nil, 'timeout' when the deadline passes", within(5, function()
      local lock <close> = mp.Lock()
      lock:acquire()
      assert.same({ nil, "timeout" }, { lock:hold(0.01) })
      lock:release()
    end))

    it("leaves alone what has a new owner", within(10, function()
      local lock <close> = mp.Lock()
      local event <close> = mp.Event()
      local p
      do
        local _ <close> = lock:hold()
        lock:release()
        p = mp.spawn(own_and_stay, lock, event)
        event:wait()
      end
      assert.is_true(lock:locked())
      kill(p)
    end))

    it("is not inherited by a child", within(10, function()
      local lock <close> = mp.Lock()
      local _ <close> = lock:hold()
      local p = mp.spawn(function()
        do local _ <close> = lock:hold(0) end
        return lock:locked()
      end)
      assert.is_true(p:result())
    end))
  end)

  describe("with", function()
    it("runs the function, releases, and returns what it returned", within(5, function()
      local lock <close> = mp.Lock()
      assert.same({ 3, nil, true, n = 3 }, table.pack(lock:with(function(a, b)
        return a + b, nil, lock:locked()
      end, 1, 2)))
      assert.is_false(lock:locked())
    end))

    it("releases when the function raises, and passes the error on", within(5, function()
      local lock <close> = mp.Lock()
      local value <const> = {}
      local ok <const>, err = pcall(lock.with, lock, error, value)
      assert.is_false(ok)
      assert.equal(value, err)
      assert.is_false(lock:locked())
      assert.error_matches(function() lock:with(5) end, "bad argument #1 to 'with'")
      assert.is_false(lock:locked())
    end))

    it("lets the function yield", within(5, function()
      local lock <close> = mp.Lock()
      local co <const> = coroutine.wrap(function()
        return lock:with(function(x) return coroutine.yield(x) end, 1)
      end)
      assert.equal(1, co())
      assert.is_true(lock:locked())
      assert.equal(2, co(2))
      assert.is_false(lock:locked())
    end))
  end)

  describe("locked and owner", function()
    it("tell who has it", within(10, function()
      local lock <close> = mp.Lock()
      assert.is_false(lock:locked())
      assert.is_nil(lock:owner())
      local p = owned_by_another(lock)
      assert.is_true(lock:locked())
      assert.same({ p.name, p.pid }, { lock:owner() })
      assert.matches("held by " .. p.name:gsub("%p", "%%%0") .. ", pid " .. p.pid, tostring(lock))
      kill(p)
      assert.is_false(lock:locked())
      assert.is_nil(lock:owner())
    end))
  end)

  describe("whose owner", function()
    it("was killed goes to the next, who is told, within 100 ms", within(20, function()
      local lock <close> = mp.Lock()
      local p = owned_by_another(lock)
      assert.same({ nil, "timeout" }, { lock:acquire(0.2) })
      p:kill()
      local begun <const> = mp.time()
      assert.same({ true, "abandoned" }, { lock:acquire(10) })
      assert.is_true(mp.time() - begun < 1, "far later than 100 ms")
      lock:release()
      assert.same({ true }, { lock:acquire() })
      p:join()
    end))

    it("was killed is taken over by a guard too", within(10, function()
      local lock <close> = mp.Lock()
      kill(owned_by_another(lock))
      do
        local guard <close>, how = lock:hold(0)
        assert.equal("abandoned", how)
        assert.matches("mp%.Guard", tostring(guard))
      end
      assert.is_true(lock:acquire(0))
    end))

    it("ended normally has abandoned it", within(10, function()
      local lock <close> = mp.Lock()
      mp.spawn(function() lock:acquire() end):join()
      assert.same({ true, "abandoned" }, { lock:acquire(0) })
    end))

    it("closes its object has abandoned it", within(10, function()
      local lock <close> = mp.Lock()
      local p = mp.spawn(function()
        do
          local mine <close> = lock
          mine:acquire()
        end
        return pcall(lock.locked, lock)
      end)
      local ok <const>, err = p:result()
      assert.is_false(ok)
      assert.matches("attempt to use a closed Lock", err)
      assert.same({ true, "abandoned" }, { lock:acquire(0) })
    end))
  end)

  it("travels anywhere at any time, and is the same object there", within(10, function()
    local a, b <close> = mp.Pipe()
    local _ <close> = a
    local lock <close> = mp.Lock { name = "sent" }
    a:send { lock, lock }
    local got = b:recv()
    assert.equal(lock, got[1])
    assert.equal(lock, got[2])
    local p = mp.spawn(function()
      local mine = b:recv()
      return mine:acquire(), tostring(mine)
    end)
    a:send(lock)
    local ok <const>, text = p:result()
    assert.is_true(ok)
    assert.matches("'sent'", text)
    assert.same({ true, "abandoned" }, { lock:acquire(0) })
  end))

  it("raises when it is closed", within(5, function()
    local lock = mp.Lock()
    do local _ <close> = lock end
    assert.matches("%(closed%)$", tostring(lock))
    for _, method in ipairs { "acquire", "release", "hold", "locked", "owner" } do
      assert.error_matches(function() lock[method](lock) end, "attempt to use a closed Lock")
    end
    assert.error_matches(function() lock.acquire(5) end, "mp.Lock expected, got number")
  end))

  for _, n in ipairs { 2, 4, 8 } do
    it(("counts exactly with %d processes"):format(n), within(60, function()
      local lock <close> = mp.Lock()
      local value <close> = mp.RawValue("q", 0)
      local processes = {}
      for i = 1, n do
        processes[i] = mp.spawn(function()
          for k = 1, 2000 do
            if k % 2 == 0 then
              local _ <close> = lock:hold()
              value.value = value.value + 1
            else
              lock:acquire()
              value.value = value.value + 1
              lock:release()
            end
          end
        end)
      end
      for _, p in ipairs(processes) do p:join() end
      assert.equal(2000 * n, value.value)
    end))
  end

  it("survives kill -9 at each test point", within(60, function()
    local lock <close> = mp.Lock()
    local nth = 0
    repeat
      nth = nth + 1
      local p = mp.spawn(function()
        core.testpoint("*", nth)
        for _ = 1, 2 do
          lock:acquire()
          lock:release()
          local _ <close> = lock:hold()
        end
        core.testpoint()
      end)
      p:join()
      assert.is_true(lock:acquire(5))
      lock:release()
      assert.equal(0, core.check())
    until p.exitcode == 0
    assert.is_true(nth > 5)
  end))

  it("survives random kill -9 of owners and waiters", within(250, function()
    helper.seed()
    local lock <close> = mp.Lock()
    local turns <close> = mp.RawArray("q", 3)
    local function work(i)
      while true do
        lock:acquire()
        turns[i] = turns[i] + 1
        lock:release()
      end
    end
    local p = {}
    for i = 1, 3 do p[i] = mp.spawn(work, i) end
    for _ = 1, ROUNDS do
      local victim <const> = math.random(3)
      local witness <const> = victim % 3 + 1
      mp.sleep(math.random() * 0.002)
      kill(p[victim])
      local seen <const> = turns[witness]
      helper.eventually(10, function() return turns[witness] > seen end)
      p[victim] = mp.spawn(work, victim)
    end
    for i = 1, 3 do kill(p[i]) end
    assert.is_true(lock:acquire(5))
  end))

  describe("a cycle of waiters", function()
    -- Two processes that each hold one lock and want the other's.
    local function cross(make, take)
      local a <close>, b = make "db", make "log"
      local _ <close> = b
      local both <close> = mp.Barrier(2)
      local function side(mine, other)
        local _ <close> = take(mine)
        both:wait()
        local ok, err = pcall(function()
          local _ <close> = take(other)
        end)
        return ok, tostring(err)
      end
      local p = mp.Process { target = side, args = { a, b }, name = "one" }:start()
      local q = mp.Process { target = side, args = { b, a }, name = "two" }:start()
      local r1, e1 = p:result()
      local r2, e2 = q:result()
      return r1, e1, r2, e2
    end

    it("of guards is raised in one of them, and the other goes on", within(20, function()
      local begun <const> = mp.time()
      local r1, e1, r2, e2 = cross(function(name)
        return mp.Lock { name = name }
      end, function(lock)
        return lock:hold()
      end)
      assert.is_true(mp.time() - begun > 1)
      assert.is_true(r1 ~= r2, "exactly one of them")
      local err <const> = r1 and e2 or e1
      assert.matches("deadlock: ", err)
      assert.matches("one holds 'db' and waits for 'log'", err)
      assert.matches("two holds 'log' and waits for 'db'", err)
    end))

    it("of one guard that waits for itself is raised", within(20, function()
      local lock <close> = mp.Lock { name = "db" }
      local _ <close> = lock:hold()
      assert.error_matches(function() lock:hold() end,
        "deadlock: MainProcess holds 'db' and waits for 'db'")
    end))

    it("that somebody may still resolve is only warned of", within(20, function()
      local result = helper.run_lua([[
        warn "@on"
        local mp = require "mp"
        local lock = mp.Lock { name = "db" }
        lock:acquire()
        local p = mp.spawn(function()
          mp.sleep(2.5)
          lock:release()
        end)
        assert(lock:acquire())
        p:join()
      ]], { timeout = 15 })
      assert.equal(0, result.code)
      local text <const> = result.err
      local line <const> = "possible deadlock: MainProcess holds 'db' and waits for 'db'"
      local first <const> = text:find(line, 1, true)
      assert.is_truthy(first, text)
      assert.is_nil(text:find("possible deadlock", first + 1, true), text)
    end))
  end)
end)
