-- What Python's users know of a process, under each start method.
local helper = require "spec.helper"
local methods = require "spec.helper.methods"
local mp = require "mp"

local within <const> = helper.within

local function contains(list, x)
  for _, v in ipairs(list) do
    if v == x then
      return true
    end
  end
  return false
end

local function sleep_long(ready)
  ready:set()
  mp.sleep(100)
end

describe("a process", function()
  methods.each(function(ctx, method)
    it("is told its arguments, whatever they are", within(20, function()
      local q <close> = ctx.Queue(1)
      for _, arg in ipairs { 1, 2.5, "text", false, { 1 }, { { 1 }, x = "y" } } do
        local p = ctx.Process { target = function(to, v) to:put(v) end, args = { q, arg } }
        p.daemon = true
        p:start()
        assert.same(arg, (q:get()))
        p:join()
      end
    end))

    it("goes from initial through started to stopped", within(20, function()
      local q <close> = ctx.Queue(1) -- the child cannot end before it is asked
      local p = ctx.Process {
        target = function(to, ...)
          local me <const> = mp.current_process()
          to:put { ... }
          to:put(nil)
          to:put { me.name, me.pid, me.daemon, me.ident == me.pid, me:is_alive(), me.exitcode }
        end,
        args = { q, 1, "two" },
        name = "SomeProcess",
      }
      p.daemon = true
      assert.is_false(p:is_alive())
      assert.is_nil(p.exitcode)
      assert.is_nil(p.ident)
      assert.is_false(contains(mp.active_children(), p))
      p:start()
      assert.is_true(contains(mp.active_children(), p))
      assert.same({ 1, "two" }, (q:get()))
      q:get()
      assert.same({ "SomeProcess", p.pid, true, true, true }, (q:get()))
      p:join()
      assert.equal(0, p.exitcode)
      assert.is_false(p:is_alive())
      assert.is_false(contains(mp.active_children(), p))
    end))

    it("knows its parent", within(10, function()
      local r <close>, w = ctx.Pipe(false)
      local p = ctx.spawn(function()
        local parent <const> = mp.parent_process()
        w:send { parent.pid, parent.name, parent:is_alive() }
      end)
      w:close()
      assert.same({ mp.current_process().pid, mp.current_process().name, true }, (r:recv()))
      p:join()
    end))

    it("notices its parent's death", within(20, function()
      local r <close>, w = ctx.Pipe(false)
      local p = ctx.spawn(function(conn)
        ctx.spawn(function()
          local parent <const> = mp.parent_process()
          conn:send(parent:is_alive())
          conn:send(parent:join(15))
          conn:send(parent:is_alive())
        end)
        mp.sleep(100)
      end, w)
      w:close()
      assert.is_true(r:recv(15))
      p:terminate()
      p:join()
      assert.is_true(r:recv(15))
      assert.is_false((r:recv(15)))
      assert.same({ nil, "closed" }, { r:recv(15) })
    end))

    for name, code in pairs { terminate = -15, kill = -9, interrupt = -2 } do
      it(("%s() ends it with exit code %d"):format(name, code), within(20, function()
        local ready <close> = ctx.Event()
        local p = ctx.Process { target = sleep_long, args = { ready }, daemon = true }
        p:start()
        assert.is_true(p:is_alive())
        assert.is_nil(p.exitcode)
        assert.same({ nil, "timeout" }, { p:join(0) })
        assert.same({ nil, "timeout" }, { p:join(-1) })
        assert.is_true(ready:wait(15))
        p[name](p)
        assert.is_true(p:join())
        assert.is_false(p:is_alive())
        assert.is_false(contains(mp.active_children(), p))
        -- An interrupt may be an error of the interpreter's (decision of API).
        if not (name == "interrupt" and p.exitcode == 1) then
          assert.equal(code, p.exitcode)
        end
        p[name](p)
        assert.is_true(p:join())
      end))
    end

    it("takes a method of an object as its target", within(20, function()
      local ready <close> = ctx.Event()
      local p = ctx.Process { target = ready.wait, args = { ready } }
      assert.is_false(contains(mp.active_children(), p))
      p:start()
      assert.is_true(contains(mp.active_children(), p))
      ready:set()
      p:join()
      assert.equal(0, p.exitcode)
    end))

    it("has children that have children, in order", within(30, function()
      local r <close>, w = ctx.Pipe(false)
      local function walk(conn, id)
        conn:send(id)
        if #id < 2 then
          for i = 1, 2 do
            local p <const> = ctx.Process(walk, conn, id .. i)
            p:start()
            p:join()
          end
        end
      end
      walk(w, "")
      w:close()
      local seen = {}
      for id in r:messages() do
        seen[#seen + 1] = id
      end
      assert.equal(" 1 11 12 2 21 22", table.concat(seen, " "))
    end))

    it("has a sentinel as soon as it is started", within(20, function()
      local stop <close> = ctx.Event()
      local p = ctx.Process(function() stop:wait(15) end)
      assert.error_matches(function() return p.sentinel end, "not started")
      p:start()
      local sentinel <const> = p.sentinel
      assert.equal("integer", math.type(sentinel))
      assert.same({}, mp.wait({ sentinel }, 0))
      stop:set()
      assert.same({ sentinel }, mp.wait({ sentinel }, 15))
      p:join()
      assert.same({ sentinel }, mp.wait({ sentinel }, 0))
    end))

    it("is closed once it is over, and is collected", within(20, function()
      local q <close> = ctx.Queue()
      local p = ctx.Process { target = function(from) from:get() os.exit(7) end, args = { q } }
      p:start()
      assert.error_matches(function() p:close() end, "while it is still running")
      q:put(1)
      p:join()
      assert.equal(7, p.exitcode)
      p:close()
      for _, name in ipairs { "is_alive", "join", "terminate", "kill", "start" } do
        assert.error_matches(function() p[name](p) end, "closed process", name)
      end
      for _, name in ipairs { "exitcode", "pid", "sentinel" } do
        assert.error_matches(function() return p[name] end, "closed process", name)
      end
      p:close()
      local weak = setmetatable({ p }, { __mode = "v" })
      p = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      assert.is_nil(weak[1])
    end))

    it("can be one of many", within(60, function()
      local n <const> = method == "spawn" and 5 or 40
      local list = {}
      for i = 1, n do
        list[i] = ctx.spawn(function() mp.sleep(0.01) end)
      end
      for _, p in ipairs(list) do
        p:join()
        assert.equal(0, p.exitcode)
      end
      for i = 1, n do
        list[i] = ctx.spawn(function() mp.sleep(100) end)
      end
      for _, p in ipairs(list) do
        p:terminate()
      end
      for _, p in ipairs(list) do
        p:join()
        assert.equal(-15, p.exitcode)
      end
    end))

    it("does not keep its target and arguments once it runs", within(20, function()
      local q <close> = ctx.Queue()
      local arg = { "big" }
      local target = function(to, v) to:put(v[1]) return q end
      local weak = setmetatable({ arg, target }, { __mode = "v" })
      local p = ctx.Process { target = target, args = { q, arg } }
      arg, target = nil, nil -- luacheck: ignore 311
      p:start()
      p:join()
      collectgarbage()
      collectgarbage()
      assert.same({}, weak)
      assert.equal("big", (q:get()))
    end))

    if method ~= "fork" then
      it("has as many descriptors as its brothers", within(20, function()
        local q <close> = ctx.Queue()
        local go <close> = ctx.Event()
        local list = {}
        for i = 1, 4 do
          list[i] = ctx.spawn(function()
            local n = 0
            for _ in require("lfs").dir "/proc/self/fd" do
              n = n + 1
            end
            q:put(n)
            go:wait()
          end)
        end
        local first <const> = q:get(15)
        for _ = 2, #list do
          assert.equal(first, (q:get(15)))
        end
        go:set()
        for _, p in ipairs(list) do
          p:join()
        end
      end))
    end

    for _, name in ipairs { "stdout", "stderr" } do
      it("may close its " .. name, within(20, function()
        local done <close> = ctx.Event()
        local p = ctx.spawn(function()
          io[name]:close()
          done:set()
        end)
        p:join()
        assert.is_true(done:is_set())
        assert.equal(0, p.exitcode)
      end))
    end

    it("runs the method 'run' of a class that extends Process", within(20, function()
      local UpperCaser = ctx.Process:extend {
        run = function(self)
          for s in self.inner:messages() do
            self.inner:send(s:upper())
          end
          self.inner:close()
        end,
        submit = function(self, s)
          self.outer:send(s)
          return (self.outer:recv())
        end,
        stop = function(self)
          self.outer:close()
          self.inner:close()
        end,
      }
      local inner, outer = ctx.Pipe()
      local p = UpperCaser { inner = inner, outer = outer, daemon = true, name = "upper" }
      p:start()
      assert.equal("HELLO", p:submit "hello")
      assert.equal("WORLD", p:submit "world")
      outer:send(nil)
      p:join()
      assert.equal(0, p.exitcode)
      p:stop()
    end))

    it("runs its target here, as often as asked, when nobody starts it", within(5, function()
      local n = 0
      local p = ctx.Process(function(by) n = n + by end, 2)
      p:run()
      p:run()
      assert.equal(4, n)
      assert.is_nil(p.pid)
    end))

    it("can hand its arguments on to a child", within(20, function()
      local q <close> = ctx.Queue()
      local p = ctx.spawn(function(to)
        to:put(2)
        local child <const> = mp.Process(function(further) further:put(1) end, to)
        child:start()
        child:join()
      end, q)
      p:join()
      assert.equal(0, p.exitcode)
      assert.same({ 2, 1 }, { q:get(), (q:get()) })
      assert.is_true(q:empty())
    end))

    it("can use contexts, classes and methods as upvalues and arguments", within(20, function()
      local Worker <const> = ctx.Process:extend {
        run = function(self) return self.n + 1 end,
      }
      local q <close> = ctx.Queue()
      local p = ctx.spawn(function(Process, put)
        put(q, ctx.Process(function() return 1 end):start():result())
        put(q, Worker({ n = 1 }):start():result())
        put(q, Process(function() return 3 end):start():result())
        put(q, ctx.get_start_method())
        return Worker { n = 5, name = "made there" }:start()
      end, ctx.Process, q.put)
      local worker <const> = p:result()
      assert.same({ 1, 2, 3, method, n = 4 }, q:get_many(4))
      assert.equal("made there", worker.name)
      assert.equal("Process", mp.type(worker))
    end))

    it("can be told of processes of any class", within(20, function()
      local go <close> = ctx.Event()
      local Waiter <const> = ctx.Process:extend { run = function() go:wait(15) end }
      local first, second = Waiter {}:start(), ctx.Process(function() go:wait(15) end):start()
      local r <close>, w = ctx.Pipe(false)
      local p = ctx.spawn(function(a, b)
        w:send { a:is_alive(), a.pid, b:is_alive(), b.pid }
      end, first, second)
      assert.same({ true, first.pid, true, second.pid }, (r:recv()))
      w:close()
      go:set()
      for _, one in ipairs { p, first, second } do
        one:join()
        assert.equal(0, one.exitcode)
      end
    end))

    it("has its context's start method for its own children", within(20, function()
      local p = ctx.spawn(function() return mp.get_start_method() end)
      assert.equal(method, p:result())
    end))

    it("takes objects that were made for any other method", within(20, function()
      for _, other in ipairs(mp.get_all_start_methods()) do
        local made <const> = mp.get_context(other)
        local q <close> = made.Queue()
        local lock <close> = made.Lock()
        local n <close> = made.Value("i", 1)
        local p = ctx.spawn(function(to, l, v)
          l:with(function() v:add(1) end)
          to:put(v.value)
        end, q, lock, n)
        p:join()
        assert.equal(2, (q:get(0)))
      end
    end))
  end)
end)
