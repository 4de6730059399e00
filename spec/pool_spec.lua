-- under every start method
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local assert <const>, describe <const>, it <const> = assert, describe, it
local before_each <const>, after_each <const> = before_each, after_each
-- Busted runs this file with globals of its own, which functions that travel
-- would have to take along.
local _ENV <const> = _G -- luacheck: ignore 211

local function square(x)
  return x * x
end

-- A function of a worker that ends its own process like a kill from outside.
local function kill_me()
  local pid = io.open("/proc/self/stat"):read("a"):match "^%d+"
  os.execute("kill -9 " .. pid)
end

describe("mp.Pool", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("the constructor", function()
    it("takes a number of workers, or options", within(10, function()
      local a <close> = mp.Pool(1)
      local b <close> = mp.Pool { processes = 2, name = "crunch" }
      local c <close> = mp.Pool()
      assert.equal(1, a.processes)
      assert.equal(2, b.processes)
      assert.equal(2, b._processes)
      assert.equal("crunch", b.name)
      assert.equal(mp.cpu_count(), c.processes)
      assert.equal("Pool", mp.type(a))
      assert.matches("^mp.Pool: 0x%x+ %(run, 2 workers%)$", tostring(b))
    end))

    it("refuses what cannot be", function()
      local function refused(message, options)
        assert.error_matches(function() mp.Pool(options) end, message)
      end
      refused("number of processes must not be negative", -1)
      refused("number of processes must be an integer", 1.5)
      refused("number of processes must be a number", "2")
      refused("initializer must be a function", { initializer = 5 })
      refused("initargs must be a table", { initargs = 5 })
      refused("maxtasksperchild must be a positive integer", { maxtasksperchild = 0 })
      refused("invalid option 'proceses'", { proceses = 2 })
    end)

    it("runs the initializer with its arguments in each worker", within(10, function()
      local pool <close> = mp.Pool {
        processes = 2,
        initializer = function(a, b) SUM = a + b end, -- luacheck: ignore 111
        initargs = { 3, 4 },
      }
      local sums = pool:map(function()
        return SUM -- luacheck: ignore 113
      end, mp.range(4))
      assert.same({ 7, 7, 7, 7, n = 4 }, sums)
      assert.is_nil(rawget(_G, "SUM"))
    end))
  end)

  describe("map", function()
    it("returns the results in order, with n", within(10, function()
      local pool <close> = mp.Pool(2)
      assert.same({ 1, 4, 9, 16, n = 4 }, pool:map(square, { 1, 2, 3, 4 }))
      assert.same({ n = 0 }, pool:map(square, {}))
      assert.same({ n = 3 }, pool:map(function() end, { 1, 2, 3 }))
    end))

    it("takes lists of anything that can be sent", within(10, function()
      local pool <close> = mp.Pool(2)
      local items = { 1, 2.5, "three", { 4, { "five" } }, true, math.mininteger, ("x"):rep(100000) }
      local results = pool:map(function(v) return v end, items)
      items.n = #items
      assert.same(items, results)
    end))

    it("takes lists with holes that say their n", within(10, function()
      local pool <close> = mp.Pool(2)
      local r = pool:map(function(v) return v == nil and "nil" or v end, table.pack(1, nil, 3, nil))
      assert.same({ 1, "nil", 3, "nil", n = 4 }, r)
    end))

    it("takes ranges and iterators", within(10, function()
      local pool <close> = mp.Pool(2)
      assert.same({ 1, 4, 9, n = 3 }, pool:map(square, mp.range(3)))
      assert.same({ 100, 49, 16, n = 3 }, pool:map(square, mp.range(10, 4, -3)))
      assert.same({ "A", "B", n = 2 }, pool:map("string.upper", ("a b"):gmatch "%a"))
    end))

    it("takes functions with upvalues, C functions and names", within(10, function()
      local pool <close> = mp.Pool(2)
      local factor = 3
      local function times(x) return x * factor end
      assert.same({ 3, 6, n = 2 }, pool:map(function(x) return times(x) end, { 1, 2 }))
      assert.same({ "A", n = 1 }, pool:map(string.upper, { "a" }))
      assert.same({ "A", n = 1 }, pool:map("string.upper", { "a" }))
      factor = 4
      assert.same({ 4, 8, n = 2 }, pool:map(function(x) return times(x) end, { 1, 2 }))
    end))

    it("gives 100 000 tasks their own results", within(20, function()
      local pool <close> = mp.Pool(3)
      local list, mixed = {}, {}
      for i = 1, 100000 do
        list[i] = i
        mixed[i] = i % 3 == 0 and i or i % 3 == 1 and "s" .. i or { i }
      end
      local squares = pool:map(square, list)
      local same = pool:map(function(v) return v end, mixed)
      for i = 1, 100000 do
        assert(squares[i] == i * i)
        local v = mixed[i]
        assert(type(v) == "table" and same[i][1] == i or same[i] == v)
      end
      assert.equal(100000, squares.n)
    end))

    it("takes a chunk size", within(10, function()
      local pool <close> = mp.Pool(2)
      assert.same({ 1, 4, 9, n = 3 }, pool:map(square, { 1, 2, 3 }, 2))
      assert.same({ 1, 4, 9, n = 3 }, pool:map(square, { 1, 2, 3 }, { chunksize = 100 }))
      assert.error_matches(function()
        pool:map(square, { 1 }, 0)
      end, "'chunksize' must not be less than 1")
    end))

    it("sends nothing when an item cannot be sent, and says which", within(10, function()
      local pool <close> = mp.Pool(1)
      local co = coroutine.create(print)
      assert.error_matches(function()
        pool:map(print, { 1, 2, { a = co } })
      end, "cannot send item 3%.a %(a thread%)")
      assert.same({ 1, n = 1 }, pool:map(square, { 1 }))
    end))

    it("refuses misuse in Lua's words", within(10, function()
      local pool <close> = mp.Pool(1)
      local function refused(message, ...)
        local args = table.pack(...)
        assert.error_matches(function() pool:map(table.unpack(args, 1, args.n)) end, message)
      end
      refused("bad argument #1 to 'map' %(function expected, got number%)", 5, {})
      refused("bad argument #2 to 'map' %(list or iterator expected, got nil%)", print)
      refused("bad argument #2 to 'map' %(list or iterator expected, got number%)", print, 5)
      refused("invalid option 'chunk'", print, {}, { chunk = 4 })
      refused("option 'timeout': number expected, got string", print, {}, { timeout = "1" })
      refused("option 'timeout' must not be NaN", print, {}, { timeout = 0 / 0 })
      refused("option 'on_error': invalid word 'ignore'", print, {}, { on_error = "ignore" })
    end))

    it("keeps each task's first value; starmap unpacks; each keeps nothing", within(10, function()
      local pool <close> = mp.Pool(2)
      assert.same({ 1, 2, n = 2 }, pool:map(function(x) return x, "more" end, { 1, 2 }))
      local function add(a, b) return a + b end
      assert.same({ 3, 7, n = 2 }, pool:starmap(add, { { 1, 2 }, { 3, 4 } }))
      assert.same({ 3, n = 1 }, pool:starmap(select, { table.pack("#", nil, nil, nil) }))
      assert.is_nil(pool:each(square, { 1, 2 }))
      assert.error_matches(function()
        pool:starmap(print, { 1 })
      end, "arguments expected in a table, got number")
    end))

    it("does not wait for slow items behind each other", within(10, function()
      local pool <close> = mp.Pool(4)
      -- They stand side by side, and yet each finds a worker: else the barrier
      -- would not be complete.
      local barrier <close> = mp.Barrier(4)
      local met = pool:map(function(x)
        return x > 30 and x <= 34 and barrier:wait(5) or 0
      end, mp.range(64))
      local sum = 0
      for i = 1, 64 do
        assert.equal("number", type(met[i]))
        sum = sum + met[i]
      end
      assert.equal(1 + 2 + 3 + 4, sum)
    end))
  end)

  describe("apply", function()
    it("returns all values", within(10, function()
      local pool <close> = mp.Pool(1)
      assert.same({ 7, 12 }, { pool:apply(function(a, b) return a + b, a * b end, { 3, 4 }) })
      assert.equal(0, select("#", pool:apply(function() end)))
      assert.equal(3, select("#", pool:apply(function() return nil, nil, nil end)))
      assert.equal(2, pool:apply(select, table.pack("#", nil, nil)))
    end))

    it("passes functions whose upvalues change", within(10, function()
      local pool <close> = mp.Pool(2)
      local results = {}
      for i = 1, 500 do
        results[i] = pool:apply_async(function() return i end)
      end
      for i = 1, 500 do
        assert.equal(i, results[i]:get())
      end
    end))

    it("keeps the order of what was submitted, with one worker", within(10, function()
      local pool <close> = mp.Pool(1)
      local queue = {}
      local function note(x)
        LOG = (LOG or "") .. x -- luacheck: ignore 111 113
        return LOG -- luacheck: ignore 113
      end
      for i = 1, 9 do
        queue[i] = i % 3 == 0 and pool:map_async(note, { i }) or pool:apply_async(note, { i })
      end
      local last = queue[9]:get()
      assert.equal("123456789", last[1])
    end))
  end)

  describe("an AsyncResult", function()
    it("is ready when the value is there", within(10, function()
      local pool <close> = mp.Pool(1)
      local gate <close> = mp.Event()
      local slow = pool:apply_async(function() gate:wait() end)
      assert.is_false(slow:ready())
      assert.error_matches(function() slow:successful() end, "result is not ready")
      assert.same({ nil, "timeout" }, { slow:get(0) })
      assert.same({ nil, "timeout" }, { slow:wait(0.01) })
      assert.same({ nil, "timeout" }, { slow:pget(0.01) })
      gate:set()
      assert.is_true(slow:wait())
      assert.is_true(slow:ready())
      assert.is_true(slow:successful())
      local failed = pool:apply_async(error, { "no" })
      assert.is_true(failed:wait())
      assert.is_false(failed:successful())
    end))

    it("gives the same value again", within(10, function()
      local pool <close> = mp.Pool(1)
      local r = pool:apply_async(function() return { 1 }, 2 end)
      local a, two = r:get()
      assert.equal(2, two)
      assert.equal(a, (r:get()))
      assert.same({ true, a, 2 }, { r:pget() })
    end))

    it("of map_async is the list", within(10, function()
      local pool <close> = mp.Pool(2)
      local r = pool:map_async(square, mp.range(1000))
      local list = r:get()
      assert.equal(1000, list.n)
      assert.equal(10 ^ 6, list[1000])
      local empty = pool:map_async(square, {})
      assert.is_true(empty:ready())
      assert.same({ n = 0 }, empty:get())
    end))

    it("calls back inside waits of the caller only, before they return", within(10, function()
      local pool <close> = mp.Pool(1)
      local log = {}
      local r = pool:apply_async(square, { 3 }, {
        callback = function(v) table.insert(log, v) end,
        error_callback = function() table.insert(log, "error") end,
      })
      local other = pool:apply_async(error, { "no" }, {
        callback = function() table.insert(log, "callback") end,
        error_callback = function(e) table.insert(log, e.value) end,
      })
      helper.eventually(5, function() return pool.pending == 0 end)
      assert.same({}, log)
      r:get()
      assert.equal(9, log[1])
      other:wait()
      assert.same({ 9, "no" }, log)
      local list
      pool:map_async(square, { 1, 2 }, { callback = function(v) list = v end }):wait()
      assert.same({ 1, 4, n = 2 }, list)
    end))

    it("survives a callback that raises", within(10, function()
      local pool <close> = mp.Pool(1)
      local seen
      local r = pool:apply_async(square, { 3 }, { callback = function() error "mine" end })
      r:on_done(function(result) seen = result end)
      assert.equal(9, r:get())
      assert.equal(r, seen)
      assert.equal(16, pool:apply(square, { 4 }))
    end))

    it("on_done of a settled result is called in the next mp.poll", within(10, function()
      local pool <close> = mp.Pool(1)
      local log = {}
      local function note(result) log[#log + 1] = result end
      local results = {
        pool:apply_async(square, { 3 }),
        pool:apply_async(error, { "no" }),
        pool:map_async(square, { 1, 2 }),
        pool:map_async(square, {}),
      }
      for _, r in ipairs(results) do
        r:wait()
      end
      for _, r in ipairs(results) do
        assert.equal(r, r:on_done(note))
      end
      assert.same({}, log)
      assert.equal(#results, mp.poll(1))
      assert.same(results, log)
      assert.equal(0, mp.poll(0))
    end))

    it("cannot be sent", within(10, function()
      local pool <close> = mp.Pool(1)
      local r = pool:apply_async(square, { 3 })
      assert.error_matches(function() pool:apply(print, { r }) end, "cannot send an AsyncResult")
      r:get()
    end))
  end)

  describe("the end", function()
    it("close: what was submitted is done, nothing new is taken", within(10, function()
      local pool <close> = mp.Pool(2)
      local r = pool:map_async(function(x) mp.sleep(0.01) return x end, mp.range(20))
      pool:close()
      pool:close()
      assert.equal("close", pool.state)
      assert.equal("close", pool._state)
      assert.error_matches(function() pool:apply(print) end, "pool not running")
      assert.error_matches(function() pool:map(print, {}) end, "pool not running")
      assert.is_true(pool:join())
      assert.is_true(pool:join())
      assert.equal(20, r:get().n)
    end))

    it("join needs close or terminate first", within(10, function()
      local pool <close> = mp.Pool(1)
      assert.error_matches(function() pool:join() end, "pool is still running")
      local gate <close> = mp.Event()
      pool:apply_async(function() gate:wait() end)
      pool:close()
      assert.same({ nil, "timeout" }, { pool:join(0.05) })
      gate:set()
      assert.is_true(pool:join(5))
    end))

    it("terminate: what was submitted is cancelled", within(10, function()
      local pool <close> = mp.Pool(2)
      local r = pool:apply_async(mp.sleep, { 60 })
      local m = pool:map_async(mp.sleep, { 60, 60, 60 })
      local t = mp.time()
      pool:terminate()
      assert.equal("terminate", pool.state)
      assert.is_true(pool:join())
      assert(mp.time() - t < 1)
      local ok, err = r:pget()
      assert.is_false(ok)
      assert.equal("Error", mp.type(err))
      assert.is_false((m:pget()))
    end))

    it("a scope left normally waits, left by an error terminates", within(10, function()
      local r
      do
        local pool <close> = mp.Pool(2)
        r = pool:map_async(function(x) mp.sleep(0.01) return x end, mp.range(10))
      end
      assert.equal(10, r:get().n)
      local t = mp.time()
      assert.error_matches(function()
        local pool <close> = mp.Pool(2)
        pool:map_async(mp.sleep, { 60, 60 })
        error "out"
      end, "out")
      assert(mp.time() - t < 2)
    end))

    it("results can be had after the end", within(10, function()
      local pool = mp.Pool(1)
      local r = pool:apply_async(square, { 5 })
      pool:close()
      pool:join()
      assert.equal(25, r:get())
    end))
  end)

  describe("a task that fails", function()
    it("raises an error object with its place", within(10, function()
      local pool <close> = mp.Pool(1)
      local ok, err = pool:apply_async(function(a)
        local t = nil
        return t[a] -- luacheck: ignore 331
      end, { "key", 2 }):pget()
      assert.is_false(ok)
      assert.equal("error", err.kind)
      assert.matches("attempt to index a nil value %(local 't'%)", tostring(err))
      assert.matches("pool_spec.lua:%d+: in function", err.traceback)
      assert.is_nil(err.traceback:find "mp/worker")
      assert.equal("worker-1", err.process)
      assert.equal('("key", 2)', err.arguments)
      assert.equal(1, err.attempts)
    end))

    it("of whatever value does not hang the pool", within(20, function()
      local pool <close> = mp.Pool(1)
      local function failing(f, ...)
        local t = mp.time()
        local ok, err = pool:apply_async(f, { ... }):pget()
        assert.is_false(ok)
        assert.equal("Error", mp.type(err))
        assert(mp.time() - t < 5)
        assert.equal(4, pool:apply(square, { 2 }))
        return err
      end
      assert.equal("plain", failing(error, "plain").value)
      assert.same({ code = 5 }, failing(error, { code = 5 }).value)
      assert.is_nil(failing(error, nil).value)
      assert.is_false(failing(error, false).value)
      assert.equal("nil", tostring(failing(error)):match "^nil")
      assert.matches("^thread: ", failing(function() error(coroutine.create(print)) end).value)
      assert.matches("^file ", failing(function() error(io.stdout) end).message)
      assert.matches("__tostring fails", failing(function()
        error(setmetatable({}, { __tostring = function() error "x" end }))
      end).message)
      assert.matches("stack overflow", failing(function()
        local function f() return 1 + f() end
        return f()
      end).message)
      assert.matches("string too large", failing(string.rep, "x", 1 << 40).message)
      assert.matches("cannot send result %(a thread%)", failing(function()
        return coroutine.create(print)
      end).message)
      assert.matches("cannot send result.a %(a file", failing(function()
        return { a = io.stdout }
      end).message:gsub("FILE%*", "file"))
      assert.matches("there is no function 'string.nothing'", failing("string.nothing").message)
      assert.matches("attempt to yield", failing(coroutine.yield).message)
      assert.matches("no$", failing(function()
        coroutine.wrap(function() error("no", 0) end)()
      end).message)
    end))

    it("stops the map with the first error in time", within(10, function()
      local pool <close> = mp.Pool(2)
      local t = mp.time()
      local ok, err = pcall(pool.map, pool, function(x)
        if x == 40 then
          error "this"
        end
        mp.sleep(x == 1 and 0.5 or 0.01)
      end, mp.range(1000))
      assert.is_false(ok)
      assert.equal(40, err.index)
      assert(mp.time() - t < 1)
      assert.equal(4, pool:apply(square, { 2 }))
    end))

    it("on_error = 'collect' keeps errors at their places", within(10, function()
      local pool <close> = mp.Pool(2)
      local r = pool:map(function(x)
        if x % 3 == 0 then
          error("bad " .. x, 0)
        end
        return x
      end, mp.range(10), { on_error = "collect" })
      assert.equal(10, r.n)
      assert.same({ 3, 6, 9 }, r.errors)
      assert.equal("bad 6", r[6].message)
      assert.equal(7, r[7])
    end))

    it("on_error can be a function that decides", within(10, function()
      local pool <close> = mp.Pool(1)
      local asked = {}
      local r = pool:map(function(x)
        TRIES = (TRIES or 0) + 1 -- luacheck: ignore 111 113
        if x == 2 and TRIES < 4 or x == 4 then -- luacheck: ignore 113
          error("bad", 0)
        end
        return x
      end, mp.range(5), {
        on_error = function(err, index)
          table.insert(asked, index)
          assert.equal("bad", err.message)
          return index == 4 and "skip" or "retry"
        end,
      })
      assert.same({ 1, 2, 3, nil, 5, n = 5 }, r)
      assert.same(2, asked[1])
      assert.error_matches(function()
        pool:map(error, { 1 }, { on_error = function() return "what" end })
      end, "on_error must return 'stop', 'skip' or 'retry'")
    end))

    it("1 MiB errors from every task do not block", within(20, function()
      local pool <close> = mp.Pool(2)
      local r = pool:map(function(x)
        error(("x"):rep(1 << 20) .. x, 0)
      end, mp.range(50), { on_error = "collect" })
      assert.equal(50, #r.errors)
      assert.equal((1 << 20) + 2, #r[50].value)
    end))
  end)

  describe("a worker that dies", function()
    it("loses its own task only, and is replaced", within(10, function()
      local pool <close> = mp.Pool(2)
      local t = mp.time()
      local r = pool:map(function(x)
        if x == 50 then
          kill_me()
        end
        return x
      end, mp.range(100), { on_error = "collect", label = "numbers" })
      assert(mp.time() - t < 2)
      assert.same({ 50 }, r.errors)
      assert.equal("lost", r[50].kind)
      assert.equal("SIGKILL", r[50].signal)
      assert.equal(9, r[50].signo)
      assert.equal(-9, r[50].exitcode)
      assert.equal("numbers", r[50].label)
      assert.equal("number", type(r[50].pid))
      assert.equal(50, r[50].index)
      assert.matches("^worker%-%d$", r[50].process)
      assert.matches("was lost: worker%-%d %(pid %d+%) was ended by SIGKILL", tostring(r[50]))
      for i = 1, 100 do
        assert(i == 50 or r[i] == i)
      end
      helper.eventually(1, function()
        pool:apply(square, { 1 })
        return #pool:stats().workers == 2
      end)
      assert.equal(1, pool:stats().deaths)
    end))

    it("stops a map by default", within(10, function()
      local pool <close> = mp.Pool(2)
      local ok, err = pcall(pool.map, pool, kill_me, { 1, 2 })
      assert.is_false(ok)
      assert.equal("lost", err.kind)
    end))

    it("by os.exit says so", within(10, function()
      local pool <close> = mp.Pool(1)
      local ok, err = pool:apply_async(os.exit, { 3 }):pget()
      assert.is_false(ok)
      assert.equal("exit", err.kind)
      assert.equal(3, err.exitcode)
      assert.equal(4, pool:apply(square, { 2 }))
    end))

    it("leaves its task to a retry", within(10, function()
      local pool <close> = mp.Pool(2)
      local path = os.tmpname()
      os.remove(path)
      local r = pool:map(function(x)
        if x == 5 and not io.open(path) then
          io.open(path, "w"):close()
          kill_me()
        end
        return x
      end, mp.range(10), { retries = 1 })
      os.remove(path)
      assert.equal(10, r.n)
      assert.equal(5, r[5])
    end))

    it("twice by the same task: it is given up, unless asked otherwise", within(20, function()
      local pool <close> = mp.Pool(2)
      local ok, err = pool:apply_async(kill_me, {}, { retries = 5 }):pget()
      assert.is_false(ok)
      assert.equal(2, err.kills)
      assert.is_true(err.quarantined)
      ok, err = pool:apply_async(kill_me, {}, { retries = { max = 3, quarantine = false } }):pget()
      assert.is_false(ok)
      assert.equal(4, err.kills)
      assert.equal(4, err.attempts)
    end))
  end)

  it("retries tasks that fail", within(10, function()
    local pool <close> = mp.Pool(1)
    local function third_time(limit)
      COUNT = (COUNT or 0) + 1 -- luacheck: ignore 111 113
      if COUNT % limit ~= 0 then -- luacheck: ignore 113
        error(COUNT) -- luacheck: ignore 113
      end
      return COUNT -- luacheck: ignore 113
    end
    assert.equal(3, pool:apply(third_time, { 3 }, { retries = 2 }))
    local ok, err = pool:apply_async(third_time, { 6 }, { retries = 1 }):pget()
    assert.is_false(ok)
    assert.equal(2, err.attempts)
    local t = mp.time()
    assert.equal(7, pool:apply(third_time, { 7 }, { retries = { max = 3, backoff = 0.1 } }))
    assert(mp.time() - t > 0.1)
    ok, err = pool:apply_async(third_time, { 10 }, {
      retries = { max = 9, when = function(e) return e.value ~= 9 end },
    }):pget()
    assert.is_false(ok)
    assert.equal(9, err.value)
  end))

  it("a failing initializer breaks it after 3 tries, with its traceback", within(10, function()
    local t = mp.time()
    local pool = mp.Pool {
      processes = 2,
      initializer = function() error "cannot begin" end,
    }
    local ok, err = pcall(pool.map, pool, square, { 1, 2 })
    assert.is_false(ok)
    assert.equal("Error", mp.type(err))
    assert.matches("cannot begin", tostring(err))
    assert.matches("pool_spec.lua:%d+:", err.traceback)
    assert(mp.time() - t < 2)
    ok, err = pcall(pool.apply, pool, square, { 1 })
    assert.is_false(ok)
    assert.matches("cannot begin", tostring(err))
    pool:terminate()
    pool:join()
  end))

  it("maxtasksperchild replaces workers and loses nothing", within(20, function()
    local pool <close> = mp.Pool { processes = 2, maxtasksperchild = 7 }
    local pids = pool:map(function()
      mp.sleep(0.001)
      return (io.open("/proc/self/stat"):read("a"):match "^%d+")
    end, mp.range(500))
    local different, n = {}, 0
    for _, pid in ipairs(pids) do
      n = n + (different[pid] and 0 or 1)
      different[pid] = true
    end
    assert.equal(500, #pids)
    assert.is_true(n > 2)
    assert.equal(0, pool:stats().deaths)
  end))

  it("goes on while its submitter computes", within(10, function()
    local pool <close> = mp.Pool(1)
    pool:warm()
    local value <const> = mp.Pipe and { mp.Pipe(false) }
    local reader, writer = value[1], value[2]
    pool:map_async(function(x) writer:send(x) end, mp.range(50))
    for i = 1, 50 do
      assert.equal(i, reader:recv())
    end
    reader:close()
    writer:close()
  end))

  it("can be submitted to by its own tasks, which help out", within(20, function()
    local pool <close> = mp.Pool(2)
    local function fib(p, self, n)
      if n < 2 then
        return n
      end
      local a = p:apply_async(self, { p, self, n - 1 })
      return self(p, self, n - 2) + a:get()
    end
    assert.equal(55, pool:apply(fib, { pool, fib, 10 }))
    local sums = pool:map(function(n)
      local s = 0
      for _, v in ipairs(pool:map(function(x) return x end, mp.range(n))) do
        s = s + v
      end
      return s
    end, mp.range(20))
    assert.equal(210, sums[20])
  end))
end)
