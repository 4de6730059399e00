-- What Python's users know of pools, under each start method.
local helper = require "spec.helper"
local methods = require "spec.helper.methods"
local mp = require "mp"

local within <const> = helper.within

local function sqr(x)
  return x * x
end

local function mul(x, y)
  return x * y
end

local function upto(n, f)
  local list = { n = n }
  for i = 1, n do
    list[i] = f and f(i) or i
  end
  return list
end

-- Yields 1, 2, …, and raises instead of `when`.
local function says_when(total, when)
  local i = 0
  return function()
    i = i + 1
    if i == when then
      error("somebody said when", 0)
    end
    return i <= total and i or nil
  end
end

describe("a pool", function()
  methods.each(function(ctx)
    it("applies and maps", within(30, function()
      local pool <close> = ctx.Pool(3)
      assert.equal(3, pool.processes)
      assert.equal(3, pool._processes)
      assert.equal("run", pool.state)
      assert.equal(25, pool:apply(sqr, { 5 }))
      assert.equal(1, pool:apply(select, { "#", nil, n = 2 }))
      assert.same(upto(10, sqr), pool:map(sqr, upto(10)))
      assert.same(upto(100, sqr), pool:map(sqr, upto(100), 20))
      assert.same(upto(100, sqr), pool:map(sqr, upto(100), { chunksize = 7 }))
      assert.same(upto(100, sqr), pool:map(sqr, mp.range(1, 100)))
      local pairs_of = upto(100, function(i) return { i, 101 - i } end)
      local products = upto(100, function(i) return i * (101 - i) end)
      assert.same(products, pool:starmap(mul, pairs_of))
      assert.same(products, pool:starmap(mul, pairs_of, 20))
      assert.same(products, pool:starmap_async(mul, pairs_of):get())
      assert.same(upto(10, sqr), pool:map_async(sqr, upto(10)):get())
      assert.same({ 4, 9, n = 2 }, pool:map_async(sqr, { 2, 3 }, 1):get(15))
    end))

    it("calls back with the result, or with the error", within(30, function()
      local pool <close> = ctx.Pool(2)
      local called = {}
      local function call(x)
        called[#called + 1] = x
      end
      local both <const> = { callback = call, error_callback = call }
      pool:map_async(math.tointeger, { "1" }, both):wait()
      assert.same({ { 1, n = 1 } }, called)
      local r = pool:map_async(function(x) return x + {} end, { "a" }, both)
      r:wait()
      assert.equal(2, #called)
      assert.equal("Error", mp.type(called[2]))
      assert.is_false(r:successful())
      r = pool:apply_async(function() error "key" end, {}, { error_callback = call })
      local ok, err = pcall(r.get, r)
      assert.is_false(ok)
      assert.matches("key", tostring(err))
      assert.equal(err, called[3])
      r = pool:apply_async(mul, { 3, 4 }, { callback = call })
      assert.equal(12, r:get())
      assert.equal(12, called[4])
      r = pool:starmap_async(mul, { { 3, 4 } }, { callback = call })
      r:wait()
      assert.same({ 12, n = 1 }, called[5])
    end))

    it("tells whether a result is there", within(30, function()
      local pool <close> = ctx.Pool(1)
      local go <close> = ctx.Event()
      local r = pool:apply_async(function() go:wait() return 49 end)
      assert.is_false(r:ready())
      assert.error_matches(function() r:successful() end, "not ready")
      assert.same({ nil, "timeout" }, { r:get(0.05) })
      assert.same({ nil, "timeout" }, { r:get(0) })
      assert.same({ nil, "timeout" }, { r:wait(0.01) })
      go:set()
      assert.is_true(r:wait())
      assert.is_true(r:ready())
      assert.is_true(r:successful())
      assert.equal(49, r:get())
      assert.equal(49, r:get(0))
    end))

    it("iterates", within(30, function()
      local pool <close> = ctx.Pool(2)
      local n = 0
      for i, v in pool:imap(sqr, upto(50), { chunksize = 10 }) do
        n = n + 1
        assert.equal(n, i)
        assert.equal(i * i, v)
      end
      assert.equal(50, n)
      local seen = {}
      for i, v in pool:imap_unordered(sqr, upto(50), 10) do
        assert.equal(i * i, v)
        seen[v] = true
      end
      n = 0
      for _ in pairs(seen) do
        n = n + 1
      end
      assert.equal(50, n)
      local it = pool:imap(sqr, { 3 })
      assert.same({ 1, 9 }, { it:next() })
      assert.same({}, { it:next() })
      assert.same({}, { it:next(0) })
    end))

    it("of nothing gives nothing", within(30, function()
      local pool <close> = ctx.Pool(1)
      local called = 0
      local function call()
        called = called + 1
      end
      assert.same({ n = 0 }, pool:map(sqr, {}))
      assert.same({ n = 0 }, pool:starmap(mul, {}))
      for _ in pool:imap(sqr, {}) do
        error "an item"
      end
      for _ in pool:imap_unordered(sqr, {}) do
        error "an item"
      end
      local r = pool:map_async(sqr, {}, { chunksize = 1, callback = call })
      assert.same({ n = 0 }, r:get(15))
      assert.is_true(r:ready())
      assert.is_true(r:successful())
      assert.is_true(called <= 1)
    end))

    it("passes on the error of what it iterates over", within(30, function()
      local pool <close> = ctx.Pool(2)
      for _, when in ipairs { 1, 1, 4 } do
        assert.error_matches(function() pool:map(sqr, says_when(10, when), 1) end, "said when")
        assert.error_matches(function()
          pool:map_async(sqr, says_when(10, when), 1):get()
        end, "said when")
        for _, chunk in ipairs { 1, 2, 4 } do
          local got = 0
          assert.error_matches(function()
            for _ in pool:imap(sqr, says_when(20, when), chunk) do
              got = got + 1
            end
          end, "said when")
          assert.is_true(got < when)
          assert.error_matches(function()
            for _ in pool:imap_unordered(sqr, says_when(20, when), chunk) do
              got = got + 1
            end
          end, "said when")
        end
      end
      assert.equal(4, pool:apply(sqr, { 2 }))
    end))

    it("raises with the remote traceback", within(30, function()
      local pool <close> = ctx.Pool(1)
      local function fail()
        error "number 123"
      end
      local ok, err = pcall(pool.apply, pool, fail)
      assert.is_false(ok)
      assert.matches("number 123", err.value)
      assert.matches("pool_spec.lua", err.traceback)
      assert.matches("pool_spec.lua", tostring(err))
      assert.equal("error", err.kind)
      local value = { code = 7 }
      ok, err = pcall(pool.apply, pool, function() error(value) end)
      assert.is_false(ok)
      assert.same(value, err.value)
    end))

    it("survives arguments and results that cannot be sent", within(30, function()
      local pool <close> = ctx.Pool(2)
      local thread <const> = coroutine.create(print)
      assert.error_matches(function() pool:map(sqr, { thread, thread }) end, "cannot send")
      assert.error_matches(function() pool:apply(sqr, { thread }) end, "cannot send")
      for _ = 1, 10 do
        local caught
        local r = pool:apply_async(function() return coroutine.create(print) end, {}, {
          error_callback = function(err) caught = err end,
        })
        assert.error_matches(function() r:get() end, "cannot send")
        assert.matches("cannot send", tostring(caught))
      end
      assert.equal(4, pool:apply(sqr, { 2 }))
    end))

    it("is closed, then joined, and takes nothing more", within(30, function()
      local pool = ctx.Pool(2)
      local r = pool:map_async(sqr, upto(10))
      assert.error_matches(function() pool:join() end, "still running")
      pool:close()
      assert.equal("close", pool.state)
      assert.equal("close", pool._state)
      for _, name in ipairs { "apply", "apply_async", "map", "map_async", "imap", "starmap" } do
        assert.error_matches(function() pool[name](pool, sqr, { 1 }) end, "not running", name)
      end
      pool:close()
      assert.is_true(pool:join())
      assert.is_true(pool:join())
      assert.same(upto(10, sqr), r:get())
    end))

    it("is terminated with tasks that last for ever", within(30, function()
      local pool = ctx.Pool(2)
      local begun <close> = ctx.Semaphore(0)
      local list = upto(1000, function() return 1000 end)
      local r = pool:map_async(function(s) begun:release() mp.sleep(s) end, list, 1)
      assert.is_true(begun:acquire(15))
      pool:terminate()
      assert.equal("terminate", pool.state)
      assert.is_true(pool:join(15))
      assert.is_true(r:ready())
      assert.is_false(r:successful())
      assert.is_false((r:pget()))
      pool:terminate()
    end))

    it("runs its initializer", within(30, function()
      local n <close> = ctx.Value("i", 0)
      local pool = ctx.Pool {
        processes = 1,
        initializer = function(v, by)
          v:add(by)
          package.loaded.state_of_spec = by
        end,
        initargs = { n, 5 },
      }
      assert.equal(5, pool:apply(function() return package.loaded.state_of_spec end))
      pool:close()
      pool:join()
      assert.equal(5, n.value)
    end))

    it("replaces workers that have done their share", within(60, function()
      local function pid()
        return mp.current_process().pid
      end
      for _, share in ipairs { 1, 2 } do
        local pool <close> = ctx.Pool { processes = 2, maxtasksperchild = share }
        local tasks, by = {}, 0
        for _, one in ipairs(pool:map(pid, upto(6), 1)) do
          tasks[one] = (tasks[one] or 0) + 1
        end
        for _ = 1, 6 do
          local one <const> = pool:apply(pid)
          tasks[one] = (tasks[one] or 0) + 1
        end
        for _ in pairs(tasks) do
          by = by + 1
        end
        assert.is_true(by >= 12 // share // 2, by .. " workers")
      end
    end))

    it("replaces them after it was closed too", within(60, function()
      local pool = ctx.Pool { processes = 3, maxtasksperchild = 1 }
      local results = {}
      for i = 1, 6 do
        results[i] = pool:apply_async(sqr, { i })
      end
      pool:close()
      assert.is_true(pool:join(30))
      for i, r in ipairs(results) do
        assert.equal(i * i, r:get())
      end
    end))

    it("has its workers among nobody's children when it is over", within(30, function()
      do
        local pool <close> = ctx.Pool(2)
        pool:map(sqr, upto(4))
        local names = pool:map(function() return mp.current_process().daemon end, upto(4))
        assert.same({ true, true, true, true, n = 4 }, names)
      end
      assert.same({}, mp.active_children())
    end))

    it("calls methods of mp's objects", within(30, function()
      local pool <close> = ctx.Pool(2)
      local q <close> = ctx.Queue()
      local event <close> = ctx.Event()
      pool:starmap(q.put, { { q, 1 }, { q, 2 } })
      pool:apply(event.set, { event })
      assert.equal(3, q:get() + q:get())
      assert.is_true(event:is_set())
      local n <close> = ctx.Value("i", 0)
      pool:starmap(n.add, { { n, 1 }, { n, 2 } })
      assert.equal(3, n.value)
    end))

    it("can be made in a child", within(30, function()
      local p = ctx.spawn(function()
        local pool = mp.Pool { processes = 2 }
        local list = pool:map(sqr, { 1, 2, 3, 4, 5, 6, 7 })
        pool:close()
        pool:join()
        return list
      end)
      assert.same(upto(7, sqr), p:result())
    end))
  end)

  describe("is not made", function()
    it("of no sensible number of workers", function()
      for _, n in ipairs { -1, 0.5, "two", {}, false } do
        if type(n) ~= "table" then
          assert.is_false((pcall(mp.Pool, n)), tostring(n))
          assert.is_false((pcall(mp.Pool, { processes = n })), tostring(n))
        end
      end
    end)

    it("with an initializer that is no function", function()
      assert.error_matches(function() mp.Pool { processes = 1, initializer = 1 } end, "initializer")
      assert.error_matches(function() mp.Pool { processes = 1, initargs = 1 } end, "initargs")
    end)

    it("with a wrong number of tasks for a child", function()
      for _, n in ipairs { 0, -1, 0.5, "12" } do
        assert.error_matches(function()
          mp.Pool { processes = 3, maxtasksperchild = n }
        end, "maxtasksperchild")
      end
    end)
  end)

  it("that a global holds ends with the program", within(20, function()
    local r = helper.run_lua [[
      local mp = require "mp"
      problem = { pool = mp.Pool { processes = 1 } }
      problem.pool:map(math.sqrt, { 1, 4, 9 })
    ]]
    assert.equal(0, r.code, r.err)
    assert.same({}, helper.alive(r))
  end))
end)
