-- What Python's users know of shared values, containers and managers, under
-- each start method.
local helper = require "spec.helper"
local methods = require "spec.helper.methods"
local mp = require "mp"

local within <const> = helper.within

local VALUES <const> = {
  { "i", 4343, 24234 },
  { "d", 3.625, -4.25 },
  { "h", -232, 234 },
  { "q", 1 << 33, 1 << 34 },
  { "c", "x", "y" },
}

describe("shared memory", function()
  methods.each(function(ctx)
    for _, kind in ipairs { "Value", "RawValue" } do
      it("has values that a child changes (" .. kind .. ")", within(20, function()
        local values = {}
        for i, case in ipairs(VALUES) do
          values[i] = ctx[kind](case[1], case[2])
          assert.equal(case[2], values[i].value)
        end
        local p = ctx.spawn(function(list, cases)
          for i, case in ipairs(cases) do
            list[i].value = case[3]
          end
        end, values, VALUES)
        p:join()
        for i, case in ipairs(VALUES) do
          assert.equal(case[3], values[i].value)
          values[i]:close()
        end
      end))
    end

    it("has values with the lock that was given, their own, or none", within(20, function()
      local own <close> = ctx.Value("i", 5)
      assert.equal("RLock", mp.type(own:get_lock()))
      local lock <close> = ctx.Lock()
      local given <close> = ctx.Value("i", 5, { lock = lock })
      assert.equal(lock, given:get_lock())
      local default <close> = ctx.Value("i", 5, { lock = true })
      assert.equal("RLock", mp.type(default:get_lock()))
      local none <close> = ctx.Value("i", 5, { lock = false })
      assert.is_false((pcall(function() return none:get_lock() end)))
      assert.is_false((pcall(ctx.Value, "i", 5, { lock = "notalock" })))
      assert.is_false((pcall(ctx.Value, "x")))
      assert.is_false((pcall(ctx.Array, "x", {})))
    end))

    for _, kind in ipairs { "Array", "RawArray" } do
      it("has arrays that a child sums up (" .. kind .. ")", within(20, function()
        local list = { 680, 626, 934, 821, 150, 233, 548, 982, 714, 831 }
        local a <close> = ctx[kind]("i", list)
        assert.equal(#list, #a)
        assert.equal(list[3], a[3])
        assert.same({ 934, 821 }, a:slice(3, 4))
        a:set(5, { 1, 2, 3, 4 })
        table.move({ 1, 2, 3, 4 }, 1, 4, 5, list)
        assert.same(list, a:totable())
        local function sum(t)
          for i = 2, #t do
            t[i] = t[i] + t[i - 1]
          end
        end
        sum(list)
        ctx.spawn(sum, a):join()
        assert.same(list, a:totable())
        assert.is_false((pcall(function() a[#a + 1] = 1 end)))
      end))
    end

    it("has arrays of zeros, however often memory is used again", within(20, function()
      for _ = 1, 3 do
        local a <close> = ctx.Array("i", 10)
        assert.same({ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, a:totable())
        a:set(1, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })
        assert.equal(10, a[10])
      end
    end))

    it("has structures, floats and texts that a child doubles", within(20, function()
      local Foo <const> = mp.Struct { { "x", "i" }, { "y", "d" }, { "z", "q" } }
      for _, lock in ipairs { true, false } do
        local foo <close> = ctx.Value(Foo, { x = 3, y = 2 }, { lock = lock })
        local arr <close> = ctx.Array("d", { 0, 1, 2, 3 }, { lock = lock })
        local text <close> = ctx.Array("c", 20, { lock = lock })
        text.value = "hello"
        local p = ctx.spawn(function(f, a, t)
          f.value.x = f.value.x * 2
          f.value.y = f.value.y * 2
          t.value = t.value:rep(2)
          for i = 1, #a do
            a[i] = a[i] * 2
          end
        end, foo, arr, text)
        p:join()
        assert.equal(0, p.exitcode)
        assert.equal(6, foo.value.x)
        assert.equal(4.0, foo.value.y)
        assert.equal(0, foo.value.z)
        assert.same({ 0.0, 2.0, 4.0, 6.0 }, arr:totable())
        assert.equal("hellohello", text.value)
      end
    end))

    it("has memory with a name, for children by name or by object", within(20, function()
      local shm = ctx.SharedMemory { create = true, size = 512 }
      local function write(of, bytes)
        local mine = type(of) == "string" and mp.SharedMemory { name = of } or of
        mine.buf:write(1, bytes)
        mine:close()
      end
      ctx.spawn(write, shm.name, "howdy"):join()
      assert.equal("howdy", shm.buf:read(1, 5))
      ctx.spawn(write, shm, "HELLO"):join()
      assert.equal("HELLO", shm.buf:read(1, 5))
      assert.is_true(shm.size >= 512)
      shm:close()
    end))

    it("has lists within lists and dicts, alive everywhere", within(20, function()
      local manager <close> = ctx.Manager()
      local inner = manager:list { 1, 2, 3 }
      local outer = manager:list { inner, manager:dict { feed = 3 } }
      local d = manager:dict { list = inner, outer = outer }
      local p = ctx.spawn(function(x)
        x.list:append "hello"
        x.outer[2].water = 7
        x.outer[1][1] = 100
        x.made = { 1, { deep = true } }
      end, d)
      p:join()
      assert.equal(0, p.exitcode)
      assert.same({ 100, 2, 3, "hello" }, inner:copy())
      assert.same({ feed = 3, water = 7 }, mp.dict.copy(outer[2]))
      assert.is_true(d.made[2].deep)
      assert.equal("hello", outer[1]:pop())
      assert.equal(3, #d.list)
      mp.dict.clear(d)
      assert.equal(0, mp.dict.len(d))
      assert.equal(100, inner[1])
    end))

    it("has queues in lists and dicts", within(20, function()
      local manager <close> = ctx.Manager()
      local list, d = manager:list(), manager:dict()
      list:append(manager:Queue())
      d[0] = manager:Queue()
      local p = ctx.spawn(function(l, t)
        l[1]:put(123)
        t[0]:put(456)
      end, list, d)
      p:join()
      assert.equal(123, (list[1]:get(0)))
      assert.equal(456, (d[0]:get(0)))
    end))

    it("has namespaces", within(20, function()
      local manager <close> = ctx.Manager()
      local n = manager:Namespace()
      n.name, n.job, n._hidden = "Bob", "Builder", "hidden"
      local p = ctx.spawn(function(ns)
        local seen = { ns.name, ns.job, ns._hidden }
        ns.job = nil
        ns.age = 40
        return seen
      end, n)
      assert.same({ "Bob", "Builder" }, p:result())
      assert.is_nil(n.job)
      assert.equal(40, n.age)
      assert.equal("hidden", n._hidden)
    end))

    it("has objects of a class, in a manager", within(30, function()
      local FooBar = {}
      FooBar.__index = FooBar
      function FooBar.new(n)
        return setmetatable({ n = n or 0 }, FooBar)
      end
      function FooBar:f()
        self.n = self.n + 1
        return self.n
      end
      function FooBar.g()
        error("value", 0)
      end
      function FooBar._h()
        return "_h()"
      end
      local manager <close> = ctx.Manager()
      manager:register("Foo", FooBar)
      local foo = manager:Foo(10)
      assert.equal(11, foo:f())
      assert.error_matches(function() foo:g() end, "value")
      assert.is_false((pcall(function() return foo:_h() end)))
      local p = ctx.spawn(function(its)
        return its:f(), pcall(its.g, its)
      end, foo)
      local n, ok = p:result()
      assert.equal(12, n)
      assert.is_false(ok)
      assert.equal(13, foo:f())
      manager:shutdown()
      assert.is_false((pcall(function() foo:f() end)))
      manager:shutdown()
    end))

    it("has everything else that a manager makes", within(30, function()
      local manager <close> = ctx.Manager()
      local lock, rlock = manager:Lock(), manager:RLock()
      local s, b = manager:Semaphore(2), manager:BoundedSemaphore(2)
      local event, cond = manager:Event(), manager:Condition()
      local barrier, v, a = manager:Barrier(2), manager:Value("i", 1), manager:Array("i", { 1, 2 })
      local jq = manager:JoinableQueue()
      local p = ctx.spawn(function()
        lock:with(function() v.value = v.value + 1 end)
        rlock:with(function() a[1] = 5 end)
        s:acquire()
        b:acquire()
        jq:put "done"
        event:set()
        barrier:wait()
        cond:with(function() cond:notify_all() end)
      end)
      assert.is_true(event:wait(15))
      assert.equal("integer", math.type(barrier:wait(15)))
      p:join()
      assert.equal(0, p.exitcode)
      assert.same({ 2, 5, 1, 1 }, { v.value, a[1], s.value, b.value })
      assert.equal("done", (jq:get()))
      jq:task_done()
      assert.is_true(jq:join(0))
      local pool <close> = manager:Pool(1)
      assert.equal(9, pool:apply(function(x) return x * x end, { 3 }))
    end))
  end)
end)
