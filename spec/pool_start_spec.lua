-- How the workers of a pool start, under every start method, and what becomes of
-- the pool when they cannot.
local helper = require "spec.helper"
local mp = require "mp"
local core = require "mp.core"

local within <const> = helper.within
local assert <const>, describe <const>, it <const> = assert, describe, it
local before_each <const>, after_each <const> = before_each, after_each
local setup <const> = setup
-- Busted runs this file with globals of its own, which functions that travel
-- would have to take along.
local _ENV <const> = _G -- luacheck: ignore 211

local METHODS <const> = { "fork", "forkserver", "spawn" }

local function double(x)
  return x * 2
end

-- Runs f(context) under every start method.
local function everywhere(seconds, f)
  return within(seconds, function()
    for _, method in ipairs(METHODS) do
      f(mp.get_context(method), method)
    end
  end)
end

describe("a pool's workers", function()
  setup(function() -- the fork server stays until this file's end
    mp.get_context("forkserver").spawn(double, 1):join()
  end)
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("do everything under every start method", everywhere(30, function(ctx)
    local pool <close> = ctx.Pool { processes = 2, name = "crew" }
    assert.same({ 2, 4, 6, n = 3 }, pool:map(double, { 1, 2, 3 }))
    assert.same({ 2, 4, n = 2 }, pool:starmap(math.max, { { 1, 2 }, { 4, 3 } }))
    assert.equal(4, pool:apply(double, { 2 }))
    assert.equal(6, pool:apply_async(double, { 3 }):get())
    assert.equal(5050, pool:reduce(function(a, b) return a + b end, mp.range(100), 0))
    local sum = 0
    for i, v in pool:imap(double, mp.range(100)) do
      assert(v == 2 * i)
      sum = sum + v
    end
    for _, v in pool:imap_unordered(double, mp.range(100)) do
      sum = sum + v
    end
    assert.equal(20200, sum)
    for _, worker in ipairs(pool:stats().workers) do
      assert.matches("^crew%-[12]$", worker.name)
    end
  end))

  it("share the locks, values and queues that functions have as upvalues", everywhere(30,
    function(ctx)
      local pool <close> = ctx.Pool(2)
      local lock <close> = mp.Lock()
      local value <close> = mp.Value("i", 0)
      local queue <close> = mp.Queue()
      pool:each(function(x)
        lock:with(function() value.value = value.value + 1 end)
        queue:put(x)
      end, mp.range(200))
      assert.equal(200, value.value)
      assert.equal(200, queue:qsize())
    end))

  it("are told apart from the program: what is global there is not here", everywhere(30,
    function(ctx, method)
      GLOBAL = "of the program" -- luacheck: ignore 111
      local pool <close> = ctx.Pool {
        processes = 1,
        initializer = function(v) INITIALIZED = v end, -- luacheck: ignore 111
        initargs = { "by its initializer" },
      }
      local function look() return GLOBAL, INITIALIZED end -- luacheck: ignore 113
      local inherited, initialized = pool:apply(look)
      GLOBAL = nil -- luacheck: ignore 111
      assert.equal(method == "fork" and "of the program" or nil, inherited)
      assert.equal("by its initializer", initialized)
    end))

  it("may have pools themselves, and so may children and daemons", everywhere(60,
    function(ctx, method)
      local function nested(x)
        local pool <close> = require("mp").get_context(method).Pool(2)
        local list = pool:map(function(y) return y * x end, { 1, 2, 3 })
        return list[1] + list[2] + list[3]
      end
      local pool <close> = ctx.Pool(2)
      assert.same({ 6, 12, 18, n = 3 }, pool:map(nested, { 1, 2, 3 }))
      assert.equal(24, ctx.spawn(nested, 4):result())
      local daemon = ctx.Process { target = nested, args = { 5 }, daemon = true }
      assert.equal(30, daemon:start():result())
    end))

  it("are those of the context, also for its map and kin", within(30, function()
    local r = helper.run_lua([[
      local mp = require "mp"
      INHERITED = true
      local function look() return INHERITED end
      local ctx = mp.get_context "spawn"
      print(ctx.apply(look), ctx.map(look, { 1 }).n, mp.apply(look))
    ]], { timeout = 20 })
    assert.equal("nil\t1\ttrue\n", r.out)
    assert.equal("", r.err)
    assert.equal(0, r.code)
    assert.same({}, helper.alive(r))
  end))

  describe("that can no longer be started", function()
    -- A pool of two, of which so many are killed; none can be started after.
    local function short_of(victims)
      local short = false
      local function start(child)
        if short then
          error("too few descriptors", 0)
        end
        return mp.Process.start(child)
      end
      local pool <const> = mp.Pool {
        processes = 2,
        context = {
          Process = function(options)
            local child <const> = mp.Process(options)
            child.start = start
            return child
          end,
        },
      }
      local workers <const> = pool:warm():stats().workers
      short = true
      for i = 1, victims do
        core.kill(workers[i].pid, 9)
      end
      helper.eventually(5, function()
        mp.poll()
        return #pool:stats().workers == 2 - victims
      end)
      return pool, function() short = false end
    end

    it("are told by warm, and tasks run in those that are left", within(20, function()
      local made <const>, mend <const> = short_of(1)
      local pool <close> = made
      assert.error_matches(function() pool:warm() end, "workers cannot start: too few descriptors")
      assert.equal(4, pool:apply(double, { 2 }))
      mend()
      assert.equal(2, #pool:warm():stats().workers)
    end))

    it("break it when none is left", within(20, function()
      local pool <close> = short_of(2)
      local ok <const>, err <const> = pcall(pool.apply, pool, double, { 2 })
      assert.is_false(ok)
      assert.matches("workers cannot start: too few descriptors", tostring(err))
    end))
  end)

  describe("that cannot start", function()
    local function broken(ctx, options)
      local t = mp.time()
      local pool <close> = ctx.Pool(options)
      local ok, err = pcall(pool.map, pool, double, { 1, 2 })
      assert.is_false(ok)
      assert.equal("Error", mp.type(err))
      assert(mp.time() - t < 5)
      assert.equal("terminate", pool.state)
      -- Whoever comes later is told the same.
      local again, same = pcall(pool.apply, pool, double, { 1 })
      assert.is_false(again)
      assert.equal(err.message, same.message)
      assert.is_false((pcall(pool.warm, pool)))
      return err, pool:stats().deaths
    end

    it("break it after 3 tries, with what their initializer raised", everywhere(30, function(ctx)
      local err, deaths = broken(ctx, {
        processes = 2,
        initializer = function() error "cannot begin" end,
      })
      assert.matches("pool_start_spec.lua:%d+: cannot begin", err.message)
      assert.matches("in field 'initializer'", err.traceback)
      assert(deaths >= 3 and deaths <= 6, deaths)
    end))

    it("break it when they exit instead", everywhere(30, function(ctx)
      local err = broken(ctx, { processes = 2, initializer = os.exit, initargs = { 3 } })
      assert.equal("exit", err.kind)
      assert.equal(3, err.exitcode)
      assert.matches("^workers cannot start: process 'worker%-%d' ", err.message)
      assert.matches("ended with exit code 3$", err.message)
    end))

    it("break it when a signal ends them again and again", everywhere(30, function(ctx)
      local err, deaths = broken(ctx, {
        processes = 2,
        initializer = function()
          local c = require "mp.core"
          c.kill(c.getpid(), 6) -- the one crash that no sanitizer turns into an exit
        end,
      })
      assert.equal("lost", err.kind)
      assert.equal("SIGABRT", err.signal)
      assert(deaths >= 6 and deaths <= 12, deaths)
    end))

    it("but for a few are started again", everywhere(30, function(ctx)
      local left <close> = mp.Value("i", 3)
      local pool <close> = ctx.Pool {
        processes = 2,
        initializer = function()
          if left:add(-1) >= 0 then
            local c = require "mp.core"
            c.kill(c.getpid(), 9)
          end
        end,
      }
      assert.same({ 2, 4, n = 2 }, pool:map(double, { 1, 2 }))
    end))

    it("are not begun when they cannot be told what to do", within(10, function()
      local co = coroutine.create(print)
      for _, method in ipairs { "forkserver", "spawn" } do
        local ctx = mp.get_context(method)
        local ok, err = pcall(ctx.Pool, { processes = 1, initializer = print, initargs = { co } })
        assert.is_false(ok)
        assert.matches("pool_start_spec%.lua:%d+: cannot send initargs%[1%] %(a thread%)", err)
        assert.error_matches(function()
          ctx.Pool { processes = 1, initializer = function() return co end }
        end, "cannot send initializer%(upvalue co%) %(a thread%)")
      end
      assert.equal(0, core.worker_count())
    end))
  end)

  it("fail each task, and live, when max_mem is less than any needs", everywhere(30,
    function(ctx)
      for _, bytes in ipairs { 1, 100, 1000, 5000 } do
        local pool <close> = ctx.Pool { processes = 2, max_mem = bytes }
        for _ = 1, 3 do
          local ok, err = pool:apply_async(function()
            local t = {}
            for i = 1, 1000 do
              t[i] = { i }
            end
            return #t
          end):pget()
          assert.is_false(ok)
          -- Lua's words for a stack that could not grow.
          assert(err.message == "not enough memory" or err.message:match "stack overflow$")
        end
        assert.equal(0, pool:stats().deaths)
      end
    end))
end)
