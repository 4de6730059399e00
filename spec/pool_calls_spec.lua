-- What may be given to the calls of a pool, by whom, and what is told of tasks
-- that fail.
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local assert <const>, describe <const>, it <const> = assert, describe, it
local before_each <const>, after_each <const> = before_each, after_each
-- Busted runs this file with globals of its own, which functions that travel
-- would have to take along.
local _ENV <const> = _G -- luacheck: ignore 211

local function double(x)
  return x * 2
end

local function add(a, b)
  return a + b
end

-- Ends this process by a signal, inside a task.
local function die(signo)
  local core = require "mp.core"
  core.kill(core.getpid(), signo)
end

describe("a call on a pool", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("takes as items", function()
    it("shared lists, arrays and frozen tables", within(20, function()
      local pool <close> = mp.Pool(2)
      local array <close> = mp.Array("d", { 1, 2, 3.5 })
      local names <close> = mp.ShareableList { 1, 2, 3.5 }
      for _, items in ipairs { mp.list { 1, 2, 3.5 }, array, names, mp.freeze { 1, 2, 3.5 } } do
        assert.same({ 2, 4, 7, n = 3 }, pool:map(double, items))
        assert.equal(6.5, pool:reduce(add, items, 0))
        local sum = 0
        for _, v in pool:imap(double, items) do
          sum = sum + v
        end
        assert.equal(13, sum)
      end
    end))

    it("nothing at all", within(10, function()
      local pool <close> = mp.Pool(1)
      assert.same({ n = 0 }, pool:map(double, {}))
      assert.same({ n = 0 }, pool:starmap(double, mp.range(0)))
      assert.same({ n = 0 }, pool:map(double, function() end))
      assert.is_nil(pool:each(double, {}))
      for _ in pool:imap(double, {}) do
        error "there was nothing"
      end
    end))

    it("no tables of keys, no strings", within(10, function()
      local pool <close> = mp.Pool(1)
      local function refused(items, got)
        for _, name in ipairs { "map", "starmap", "each", "imap", "reduce", "map_async" } do
          local ok, err = pcall(pool[name], pool, double, items)
          assert.is_false(ok)
          local message = ("bad argument #2 to '%s' (%s)"):format(name, got)
          assert.equal(message, err:match "pool_calls_spec%.lua:%d+: (.*)")
        end
      end
      refused({ a = 1 }, "list expected, got a table without item 1")
      refused("abc", "list or iterator expected, got string")
      refused(5, "list or iterator expected, got number")
      refused(mp.dict { a = 1 }, "list or iterator expected, got mp.dict")
    end))

    it("an iterator, whose error passes as it is", within(10, function()
      local pool <close> = mp.Pool(1)
      local function source() error "the source" end
      for _, name in ipairs { "map", "starmap", "each", "reduce", "map_async" } do
        local ok, err = pcall(pool[name], pool, double, source)
        assert.is_false(ok)
        assert.matches("^[^\n]*pool_calls_spec.lua:%d+: the source$", err)
      end
      local mine = {}
      local ok, err = pcall(pool.map, pool, double, function() error(mine) end)
      assert.is_false(ok)
      assert.equal(mine, err)
      assert.equal(4, pool:apply(double, { 2 }))
    end))

    it("mp.range, as a for loop counts", within(10, function()
      local pool <close> = mp.Pool(2)
      for _, case in ipairs {
        { 5 }, { 0 }, { 3, 7 }, { 7, 3 }, { 7, 3, -2 }, { 1, 10, 4 }, { -3, 3, 3 }, { 2.0, 4.0 },
        { math.maxinteger - 2, math.maxinteger }, { math.mininteger + 1, math.mininteger, -1 },
        { math.mininteger, math.maxinteger, math.maxinteger },
      } do
        local first, last, step = table.unpack(case)
        if not last then
          first, last = 1, first
        end
        local expected = { n = 0 }
        for i = first, last, step or 1 do
          expected.n = expected.n + 1
          expected[expected.n] = math.tointeger(i)
        end
        local range = mp.range(table.unpack(case))
        assert.equal(expected.n, #range)
        assert.same(expected, pool:map(function(x) return x end, range))
      end
      local function refused(message, ...)
        local args = table.pack(...)
        assert.error_matches(function() mp.range(table.unpack(args, 1, args.n)) end, message)
      end
      refused("bad argument #1 to 'range' %(number has no integer representation%)", 1.5)
      refused("bad argument #1 to 'range' %(number expected, got nil%)", nil, 3)
      refused("bad argument #2 to 'range' %(number expected, got string%)", 1, "x")
      refused("bad argument #3 to 'range' %(step must not be zero%)", 1, 2, 0)
      refused("bad argument #2 to 'range' %(too many numbers%)", math.mininteger, math.maxinteger)
    end))
  end)

  it("sends a function once to each worker, not with each task", within(10, function()
    local count <close> = mp.Value("i", 0)
    local Counted = {}
    Counted.__index = Counted
    function Counted.__mp_pack() return 0 end
    function Counted.__mp_unpack()
      count:add(1)
      return setmetatable({}, Counted)
    end
    mp.class("pool_calls_spec.Counted", Counted)
    local pool <close> = mp.get_context("fork").Pool(2) -- whose workers know the class
    local upvalue = setmetatable({}, Counted)
    local list = pool:map(function(x) return upvalue and x end, mp.range(2000))
    assert.equal(2000, list.n)
    assert(count.value >= 1 and count.value <= 2, count.value)
  end))

  it("tells what cannot be sent at its line", within(10, function()
    local pool <close> = mp.Pool(1)
    local co = coroutine.create(print)
    local here = debug.getinfo(1, "l").currentline
    for offset, f in ipairs {
      function() pool:apply(print, { 1, { co } }) end,
      function() pool:apply(function() return co end) end,
      function() pool:apply_async(function(x) return here, x end, { co }) end,
      function() pool:map(print, { { 1, co } }) end,
      function() pool:map(function() return co end, { 1 }) end,
      function() pool:apply(print, {}, { retries = { when = function() return co end } }) end,
    } do
      local ok, err = pcall(f)
      assert.is_false(ok)
      local line, message = err:match "^[^\n]*pool_calls_spec.lua:(%d+): (.*)$"
      assert.equal(here + 1 + offset, tonumber(line))
      assert.equal(({
        "cannot send argument 2[1] (a thread)",
        "cannot send function(upvalue co) (a thread)",
        "cannot send argument 1 (a thread)",
        "cannot send item 1[2] (a thread)",
        "cannot send function(upvalue co) (a thread)",
        "cannot send options.when(upvalue co) (a thread)",
      })[offset], message)
    end
    assert.equal(4, pool:apply(double, { 2 }))
  end))

  it("keeps its label, and says which worker it was", within(10, function()
    local pool <close> = mp.Pool { processes = 1, name = "db" }
    local r = pool:apply_async(double, { 2 }, { label = "twice" })
    assert.equal("twice", r.label)
    assert.equal(4, r:get())
    assert.equal("db-1", r.worker)
    assert.matches("^mp.AsyncResult: 0x%x+ %(done, twice%)$", tostring(r))
    assert.equal("db-1", pool:apply(function() return mp.current_process().name end))
  end))

  it("tells callbacks nothing of nothing", within(10, function()
    local pool <close> = mp.Pool(1)
    local called = false
    local r = pool:map_async(double, {}, { callback = function() called = true end })
    assert.is_true(r:ready())
    assert.same({ n = 0 }, r:get())
    assert.is_false(called)
  end))

  describe("whose worker dies", function()
    it("says which task it was: index, label, arguments, run time", within(20, function()
      local pool <close> = mp.Pool(2)
      local function picky(x)
        if x == "bad" or type(x) == "table" or x == 7 then
          die(11)
        end
      end
      local function lost(items, index)
        local r = pool:map(picky, items, { on_error = "collect", label = "files" })
        local e = r[index]
        assert.equal("lost", e.kind)
        assert.equal("SIGSEGV", e.signal)
        assert.equal(index, e.index)
        assert.equal("files", e.label)
        assert.matches("^worker%-%d+$", e.process)
        assert.matches("^task 'files' was lost: worker%-%d+ %(pid %d+%) was ended by SIGSEGV",
          e.message)
        assert(e.seconds >= 0 and e.seconds < 5)
        return e.arguments
      end
      assert.equal("(7)", lost(mp.range(5, 8), 3))
      assert.equal('("bad")', lost({ "good", "bad" }, 2))
      assert.equal("(a table)", lost({ "good", { 1 } }, 2))
      local up = 1
      local _, err = pool:apply_async(function() return up, die(9) end, {
        1, "two", mp.Event, { 3 }, ("x"):rep(100),
      }):pget()
      assert.equal('(1, "two", a function, a table, …)', err.arguments)
    end))

    it("says that what was kept of its output is gone", within(10, function()
      for _, output in ipairs { "group", "capture" } do
        local pool <close> = mp.Pool { processes = 1, output = output }
        local _, err = pool:apply_async(function() print "lost" die(9) end):pget()
        assert.matches("what it printed was lost, too$", err.message)
      end
    end))
  end)

  describe("by another process", function()
    it("works in forks that inherited the pool, all at once", within(20, function()
      local pool <close> = mp.Pool(2)
      pool:apply(double, { 1 })
      local children = {}
      for i = 1, 4 do
        children[i] = mp.spawn(function()
          local sum = 0
          for _ = 1, 20 do
            sum = sum + pool:apply(double, { i }) + pool:map(double, { i, i })[2]
          end
          return sum
        end)
      end
      helper.eventually(10, function()
        mp.poll(0.01)
        return #mp.active_children() == 2
      end)
      for i = 1, 4 do
        assert.equal(80 * i, children[i]:result())
      end
    end))

    it("leaves the pool's life to its creator", within(10, function()
      local pool <close> = mp.Pool(1)
      mp.spawn(function()
        pool:close()
        pool:terminate()
      end):join()
      mp.spawn(function() os.exit(0, true) end):join()
      assert.equal("run", pool.state)
      assert.equal(4, pool:apply(double, { 2 }))
    end))

    it("that ends gives up what it submitted", within(10, function()
      local pool <close> = mp.Pool(1)
      local started <close> = mp.Event()
      local gate <close> = mp.Event()
      local child = mp.spawn(function()
        pool:map_async(function()
          started:set()
          gate:wait()
        end, mp.range(1000))
        started:wait()
        os.exit(0)
      end)
      child:join()
      gate:set()
      helper.eventually(5, function() return pool.pending == 0 end)
      assert.equal(4, pool:apply(double, { 2 }))
    end))

    it("means the same pool, when it comes back", within(10, function()
      local pool <close> = mp.Pool(1)
      local queue <close> = mp.Queue()
      queue:put { pool }
      assert.equal(pool, queue:get()[1])
      mp.spawn(function() queue:put(pool) end):join()
      assert.equal(pool, queue:get())
      assert.equal(4, pool:apply(function(p, f) return p:apply(f, { 2 }) end, { pool, double }))
    end))
  end)

  describe("from a coroutine", function()
    it("can be waited for in another", within(10, function()
      local pool <close> = mp.Pool(2)
      local gate <close> = mp.Event()
      local r
      local submit = coroutine.wrap(function()
        r = pool:apply_async(function() gate:wait() return 5 end)
        coroutine.yield()
        return r:get()
      end)
      submit()
      local other = coroutine.wrap(function()
        local first = r:get(0.01)
        coroutine.yield(first)
        return r:get()
      end)
      assert.is_nil(other())
      gate:set()
      assert.equal(5, other())
      assert.equal(5, submit())
    end))

    it("gives up its imap with the coroutine", within(10, function()
      local pool <close> = mp.Pool(1)
      local gate <close> = mp.Event()
      local n = 0
      local co = coroutine.create(function()
        for i in pool:imap(function(x) if x > 1 then gate:wait() end return x end,
          function() n = n + 1 return n end) do
          coroutine.yield(i)
        end
      end)
      assert.same({ true, 1 }, { coroutine.resume(co) })
      assert.is_true(coroutine.close(co))
      gate:set()
      assert.equal(4, pool:apply(double, { 2 }))
      helper.eventually(5, function() return pool.pending == 0 end)
    end))

    it("may be made in a callback", within(10, function()
      local pool <close> = mp.Pool(1)
      local seen
      pool:apply_async(double, { 2 }, {
        callback = function(v) seen = pool:apply(double, { v }) end,
      }):wait()
      assert.equal(8, seen)
    end))
  end)

  it("ends with the handlers of its worker, replaced ones too", within(20, function()
    local ends <close> = mp.Queue()
    local function initializer()
      mp.at_exit(function() ends:put "left" end)
    end
    local function check(expected, options, f)
      options.processes, options.initializer = 1, initializer
      local pool = mp.Pool(options)
      pool:warm()
      f(pool)
      pool:join()
      expected.n = #expected
      assert.same(expected, ends:get_many(100, 0))
    end
    check({ "left" }, {}, function(pool)
      pool:apply(double, { 1 })
      pool:close()
    end)
    check({ "left", "left" }, { maxtasksperchild = 3 }, function(pool)
      for _ = 1, 3 do
        pool:apply(double, { 1 })
      end
      -- The first goes when its successor is there.
      helper.eventually(5, function()
        mp.poll(0)
        return ends:qsize() == 1
      end)
      pool:close()
    end)
  end))
end)
