-- What Python's users know of queues, under each start method.
local helper = require "spec.helper"
local methods = require "spec.helper.methods"
local mp = require "mp"

local within <const> = helper.within

describe("a queue", function()
  methods.each(function(ctx)
    it("is emptied by a child while we fill it", within(20, function()
      local q <close> = ctx.Queue(6)
      local go <close> = ctx.Event()
      local done <close> = ctx.Event()
      local p = ctx.Process {
        target = function(from)
          go:wait()
          for i = 1, 6 do
            assert(from:get() == i)
          end
          done:set()
        end,
        args = { q },
        daemon = true,
      }
      p:start()
      assert.is_true(q:empty())
      assert.is_false(q:full())
      q:put(1)
      q:put(2, nil)
      q:put(3, 0)
      q:put(4, -1)
      q:put(5, 10)
      q:put_nowait(6)
      assert.is_false(q:empty())
      assert.is_true(q:full())
      assert.equal(6, q:qsize())
      for _, timeout in ipairs { 0, -1, 0.05 } do
        assert.same({ nil, "timeout" }, { q:put(7, timeout) })
      end
      assert.same({ nil, "timeout" }, { q:put_nowait(7) })
      go:set()
      assert.is_true(done:wait(15))
      assert.is_true(q:empty())
      assert.is_false(q:full())
      p:join()
      assert.equal(0, p.exitcode)
    end))

    it("is filled by a child while we empty it", within(20, function()
      local q <close> = ctx.Queue()
      local p = ctx.spawn(function()
        for i = 2, 5 do
          q:put(i)
        end
      end)
      assert.equal(2, (q:get()))
      assert.equal(3, (q:get(nil)))
      assert.equal(4, (q:get(10)))
      p:join()
      assert.equal(5, (q:get_nowait()))
      assert.is_true(q:empty())
      for _, timeout in ipairs { 0, -1, 0.05 } do
        assert.same({ nil, "timeout" }, { q:get(timeout) })
      end
      assert.same({ nil, "timeout" }, { q:get_nowait() })
    end))

    it("keeps the parent's items before the child's", within(20, function()
      local q <close> = ctx.Queue()
      for i = 1, 10 do
        q:put(i)
      end
      local p = ctx.spawn(function(to)
        for i = 11, 20 do
          to:put(i)
        end
      end, q)
      for i = 1, 20 do
        assert.equal(i, (q:get(15)))
      end
      p:join()
      assert.is_true(q:empty())
    end))

    it("of tasks is joined when all are done", within(20, function()
      local q <close> = ctx.JoinableQueue()
      local done <close> = ctx.Value("i", 0)
      local workers = {}
      for i = 1, 4 do
        workers[i] = ctx.spawn(function(from)
          for _ in function() return (from:get()) end do
            done:add(1)
            from:task_done()
          end
          from:task_done()
        end, q)
      end
      for i = 1, 10 do
        q:put(i)
      end
      assert.is_true(q:join(15))
      assert.equal(10, done.value)
      for _ = 1, 4 do
        q:put(nil)
      end
      for _, p in ipairs(workers) do
        p:join()
        assert.equal(0, p.exitcode)
      end
      assert.is_true(q:join())
      assert.error_matches(function() q:task_done() end, "called too many times")
    end))

    for _, kind in ipairs { "Queue", "JoinableQueue" } do
      it("(" .. kind .. ") that is closed empty takes and gives nothing", within(20, function()
        local q <close> = ctx[kind]()
        q:close()
        assert.is_true(q:empty())
        assert.equal(0, q:qsize())
        local p = ctx.spawn(function(its)
          local _, put = its:put "data"
          local _, get = its:get()
          return put, get
        end, q)
        assert.same({ "closed", "closed" }, { p:result() })
        assert.same({ nil, "closed" }, { q:put_nowait "data" })
        assert.same({ nil, "closed" }, { q:get_nowait() })
        q:close()
      end))

      it("(" .. kind .. ") that is closed full is drained, anywhere", within(20, function()
        local q <close> = ctx[kind](1)
        q:put "data"
        q:close()
        assert.equal(1, q:qsize())
        local p = ctx.spawn(function(its)
          local item = its:get()
          return item, select(2, its:get())
        end, q)
        assert.same({ "data", "closed" }, { p:result() })
        assert.same({ nil, "closed" }, { q:put "more" })
        assert.same({ nil, "closed" }, { q:get() })
      end))
    end

    it("goes on after an item that cannot be sent, its slot free", within(20, function()
      local q <close> = ctx.Queue(1)
      assert.error_matches(function() q:put(coroutine.create(print)) end, "cannot send value")
      assert.equal(0, q:qsize())
      assert.is_true(q:put(true, 0))
      assert.equal(1, q:qsize())
      assert.is_true((q:get(15)))
      assert.is_true(q:empty())
    end))

    it("that is simple tells others whether it is empty", within(20, function()
      local q <close> = ctx.SimpleQueue()
      local go <close> = ctx.Event()
      local p = ctx.spawn(function(its)
        go:wait()
        its:put(its:empty())
        its:put(its:empty())
      end, q)
      assert.is_true(q:empty())
      go:set()
      p:join()
      assert.is_false(q:empty())
      assert.is_true((q:get()))
      assert.is_false((q:get()))
      assert.is_true(q:empty())
      q:close()
      q:close()
    end))

    it("can hold queues, and be put through another", within(20, function()
      local outer <close> = ctx.Queue()
      local inner <close> = ctx.Queue()
      local p = ctx.spawn(function(from)
        from:get():put "through"
      end, outer)
      outer:put(inner)
      assert.equal("through", (inner:get(15)))
      p:join()
    end))
  end)

  it("used by a module while it is loaded does not wait for itself", within(10, function()
    local r = helper.run_lua [[
      package.preload.early = function()
        local mp = require "mp"
        local q <close> = mp.Queue()
        mp.spawn(function() q:put "knock knock" end)
        return { word = q:get(5) }
      end
      print(require("early").word)
    ]]
    assert.equal("knock knock\n", r.out, r.err)
  end))

  it("is used by a process in a process", within(10, function()
    local p = mp.spawn(function()
      local q <close> = mp.Queue()
      local inner <const> = mp.Process { target = function() q:get_nowait() end, daemon = true }
      inner:start()
      inner:join()
      return inner.exitcode
    end)
    assert.equal(0, p:result())
  end))
end)
