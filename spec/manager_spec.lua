local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

local Counter = {}
Counter.__index = Counter

function Counter.new(n)
  return setmetatable({ n = n or 0 }, Counter)
end

function Counter:add(k)
  self.n = self.n + k
  return self.n
end

function Counter:get()
  return self.n
end

function Counter.several()
  return 1, nil, "three", nil
end

function Counter.fail(_, value)
  error(value, 0)
end

function Counter:itself()
  return self
end

function Counter.pid()
  return require("mp.core").getpid()
end

function Counter.thread()
  return coroutine.create(print)
end

function Counter.loop()
  while true do end -- luacheck: ignore 542
end

function Counter:__len()
  return self.n
end

function Counter:__call(k)
  return self.n * k
end

local function make(options)
  local m = mp.Manager(options)
  m:register("Counter", Counter)
  return m
end

-- How many objects the manager keeps.
local function count(m)
  return require("mp.proxy").ask(require("mp.manager").hub(m), "count")
end

local function kill(pid)
  assert(require("mp.core").kill(pid, 9))
end

describe("mp.Manager", function()
  before_each(helper.baseline)
  after_each(function()
    collectgarbage()
    collectgarbage()
    helper.leaks()
  end)

  describe("the constructor", function()
    it("starts no process", within(5, function()
      local m <close> = make()
      assert.same({}, mp.active_children())
      assert.matches("^mp.Manager: Manager%-%d+ %(no process%)$", tostring(m))
      assert.equal("Manager", mp.type(m))
    end))

    it("takes a name", within(5, function()
      local m <close> = mp.Manager { name = "ledger" }
      assert.matches("^mp.Manager: ledger", tostring(m))
    end))

    it("refuses what it does not know, by name", function()
      assert.error_matches(function() mp.Manager { nmae = "x" } end, "invalid option 'nmae'")
      assert.error_matches(function() mp.Manager(5) end, "table expected, got number")
      assert.error_matches(function() mp.Manager { name = 5 } end, "name must be a string")
    end)
  end)

  describe("what it makes in shared memory", function()
    it("is mp's own, without a server", within(5, function()
      local m <close> = mp.Manager()
      assert.equal("Queue", mp.type(m:Queue()))
      assert.equal("JoinableQueue", mp.type(m:JoinableQueue()))
      assert.equal("Lock", mp.type(m:Lock()))
      assert.equal("RLock", mp.type(m:RLock()))
      assert.equal("Semaphore", mp.type(m:Semaphore(2)))
      assert.equal("BoundedSemaphore", mp.type(m:BoundedSemaphore(2)))
      assert.equal("Condition", mp.type(m:Condition()))
      assert.equal("Event", mp.type(m:Event()))
      assert.equal("Barrier", mp.type(m:Barrier(2)))
      assert.equal("dict", mp.type(m:dict { a = 1 }))
      assert.equal("list", mp.type(m:list { 1, 2 }))
      assert.equal(7, m:Value("i", 7).value)
      assert.equal(3, #m:Array("i", { 1, 2, 3 }))
      assert.same({}, mp.active_children())
    end))

    it("works whole in a process that has loaded nothing of mp", within(10, function()
      local m <close> = mp.Manager()
      local d, l = m:dict(), m:list { 3, 1, 2 }
      local p = mp.get_context("spawn").spawn(function(dict, list)
        list:sort()
        dict.inner = { x = 1 }
        list[1] = { "a table" }
        return tostring(list)
      end, d, l)
      assert.matches("^mp.list", p:result())
      p:close()
      assert.equal(1, d.inner.x)
      assert.equal("a table", l[1][1])
      assert.equal(3, l[3])
    end))

    it("outlives the manager", within(5, function()
      local q
      do
        local m <close> = mp.Manager()
        q = m:Queue()
        q:put "kept"
      end
      assert.equal("kept", q:get())
      q:close()
    end))

    it("makes pools", within(10, function()
      local m <close> = mp.Manager()
      local pool <close> = m:Pool(2)
      assert.equal(49, pool:apply(function(x) return x * x end, { 7 }))
    end))
  end)

  describe("Namespace", function()
    it("has fields that all processes share", within(10, function()
      local m <close> = mp.Manager()
      local ns <close> = m:Namespace { count = 1 }
      assert.equal("Namespace", mp.type(ns))
      mp.spawn(function(n)
        n.count = n.count + 1
        n.word = "from the child"
      end, ns):join()
      assert.equal(2, ns.count)
      assert.equal("from the child", ns.word)
      assert.is_nil(ns.missing)
      ns.count = nil
      assert.is_nil(ns.count)
      assert.same({}, mp.active_children())
    end))

    it("refuses a key that no dict takes, at its caller's line", within(10, function()
      local m <close> = mp.Manager()
      local ns <close> = m:Namespace()
      local ok <const>, message <const> = pcall(function()
        ns[{}] = 1
      end)
      assert.is_false(ok)
      assert.matches("^[^:]*manager_spec%.lua:%d+: key must be a string", message)
    end))

    it("keeps names with '_' in this process", within(10, function()
      local m <close> = mp.Manager()
      local ns <close> = m:Namespace()
      ns._mine = print
      for _, method in ipairs { "fork", "spawn" } do
        local p = mp.get_context(method).spawn(function(n)
          local seen = n._mine
          n._mine = 5
          return seen, n._mine
        end, ns)
        local seen, own = p:result()
        assert.is_nil(seen)
        assert.equal(5, own)
        p:close()
      end
      assert.equal(print, ns._mine)
    end))

    it("prints its names in their order, without those with '_'", within(5, function()
      local m <close> = mp.Manager()
      local ns <close> = m:Namespace { b = "two", a = 1, c = true }
      ns._d = 4
      assert.equal('Namespace(a=1, b="two", c=true)', tostring(ns))
      local names = {}
      for name in pairs(ns) do
        names[#names + 1] = name
      end
      table.sort(names)
      assert.same({ "a", "b", "c" }, names)
    end))

    it("refuses what holds no fields", within(5, function()
      local m <close> = mp.Manager()
      assert.error_matches(function() m:Namespace(5) end, "table expected, got number")
    end))
  end)

  describe("register", function()
    it("refuses names that are taken, and what is no class", function()
      local m <close> = mp.Manager()
      assert.error_matches(function() m:register("Queue", Counter) end, "'Queue' is taken")
      assert.error_matches(function() m:register("pid", Counter) end, "'pid' is taken")
      assert.error_matches(function() m:register("_x", Counter) end, "'_x' is taken")
      assert.error_matches(function() m:register(1, Counter) end, "string expected, got number")
      assert.error_matches(function() m:register("X", {}) end, "class expected")
      assert.error_matches(function() m:register("X") end, "class expected")
      assert.is_nil(m.X)
    end)

    it("takes a function for a class", within(5, function()
      local m <close> = mp.Manager()
      m:register("Stack", function(first)
        return { items = { first }, top = function(self) return self.items[#self.items] end }
      end)
      local stack <close> = m:Stack "a"
      assert.equal("a", stack:top())
    end))

    it("adds classes to a manager that runs", within(5, function()
      local m <close> = make()
      local c <close> = m:Counter(1)
      m:register("Other", { new = function() return { name = function() return "other" end } end })
      local o <close> = m:Other()
      assert.equal("other", o:name())
      assert.equal(1, c:get())
    end))

    it("passes on what goes wrong when an object is made", within(5, function()
      local m <close> = mp.Manager()
      m:register("Bad", function() error("not today", 0) end)
      m:register("Nothing", function() end)
      assert.error_matches(function() m:Bad() end, "not today")
      assert.error_matches(function() m:Nothing() end, "class 'Nothing' made nil")
    end))
  end)

  describe("a proxy", function()
    it("calls methods in the manager's process", within(5, function()
      local m <close> = make()
      local c <close> = m:Counter(10)
      assert.equal(15, c:add(5))
      assert.equal(15, c:get())
      assert.equal(m.pid, c:pid())
      assert.not_equal(require("mp.core").getpid(), c:pid())
      assert.equal(15, #c)
      assert.equal(30, c(2))
    end))

    it("gives all results, nil included", within(5, function()
      local m <close> = make()
      local c <close> = m:Counter()
      assert.same(table.pack(1, nil, "three", nil), table.pack(c:several()))
      assert.equal(c, c:itself())
    end))

    it("raises what the method raised, as an error object", within(5, function()
      local m <close> = mp.Manager { name = "ledger" }
      m:register("Counter", Counter)
      local c <close> = m:Counter()
      local ok, err = pcall(c.fail, c, "no funds")
      assert.is_false(ok)
      assert.equal("Error", mp.type(err))
      assert.equal("error", err.kind)
      assert.equal("no funds", err.value)
      assert.equal("ledger", err.process)
      assert.equal(m.pid, err.pid)
      ok, err = pcall(c.fail, c, { code = 7 })
      assert.is_false(ok)
      assert.same({ code = 7 }, err.value)
      assert.equal(0, c:get())
    end))

    it("refuses methods that are not there, and names that are private", within(5, function()
      local m <close> = make()
      local c <close> = m:Counter()
      assert.error_matches(function() c:nope() end, "Counter has no method 'nope'")
      assert.error_matches(function() c:_secret() end, "'_secret' is private")
      assert.error_matches(function() c.n = 5 end, "field 'n' cannot be assigned")
      assert.error_matches(function() c.get(5) end, "mp.Proxy expected, got number")
    end))

    it("names arguments and results that cannot be sent", within(5, function()
      local m <close> = make()
      local c <close> = m:Counter()
      assert.error_matches(function()
        c:add(1, coroutine.create(print))
      end, "cannot send argument 2 %(a thread%)")
      assert.error_matches(function() c:thread() end, "cannot send result 1 %(a thread%)")
      assert.equal(0, c:get())
    end))

    it("is of no use when it is closed", within(5, function()
      local m <close> = make()
      local c = m:Counter()
      do
        local _ <close> = c
      end
      assert.error_matches(function() c:get() end, "attempt to use a closed proxy")
      assert.error_matches(function() mp.Queue():put(c) end, "cannot send a closed proxy")
    end))

    for _, method in ipairs { "fork", "forkserver", "spawn" } do
      it("works in processes started by " .. method, within(20, function()
        local r = helper.run_lua(([[
          local mp = require "mp"
          mp.set_start_method %q
          local Counter = {}
          Counter.__index = Counter
          function Counter.new() return setmetatable({ n = 0 }, Counter) end
          function Counter:add(k) self.n = self.n + k return self.n end
          local m <close> = mp.Manager()
          m:register("Counter", Counter)
          local c <close> = m:Counter()
          local list = {}
          for i = 1, 3 do
            list[i] = mp.spawn(function(counter)
              for _ = 1, 100 do counter:add(1) end
            end, c)
          end
          for _, p in ipairs(list) do p:join() end
          io.write(c:add(0))
        ]]):format(method), { timeout = 15 })
        assert.equal("", r.err)
        assert.equal("300", r.out)
      end))
    end

    it("never mixes replies of a parent and its forked children", within(20, function()
      local m <close> = make()
      m:register("Echo", function()
        return { say = function(_, x) return x end }
      end)
      local echo <close> = m:Echo()
      local function talk(id)
        for i = 1, 500 do
          local x = id * 1000 + i
          assert(echo:say(x) == x, "another's reply")
        end
        return "fine"
      end
      echo:say(0)
      local list = {}
      for i = 1, 3 do
        list[i] = mp.get_context("fork").spawn(talk, i)
      end
      assert.equal("fine", talk(9))
      for _, p in ipairs(list) do
        assert.equal("fine", p:result())
        p:close()
      end
    end))

    it("travels in messages, and is the same where it is already", within(5, function()
      local m <close> = make()
      local c <close> = m:Counter(3)
      local a, b = mp.Pipe()
      a:send { c }
      assert.equal(c, b:recv()[1])
      a:close()
      b:close()
    end))
  end)

  describe("a call that waits", function()
    -- Methods that wait in all the ways that let others run.
    local Waiter = {}

    function Waiter.new()
      return setmetatable({ lock = mp.Lock(), n = 0 }, { __index = Waiter })
    end

    function Waiter:count()
      self.n = self.n + 1
      return self.n
    end

    function Waiter.sleep(_, seconds)
      mp.sleep(seconds)
      return "slept"
    end

    function Waiter.get(_, q, timeout)
      return q:get(timeout)
    end

    function Waiter.all(_, q)
      local list = {}
      for v in q:items() do
        list[#list + 1] = v
      end
      return table.unpack(list)
    end

    function Waiter.put(_, q, v)
      return q:put(v)
    end

    function Waiter.recv(_, conn)
      return conn:recv()
    end

    function Waiter.wait(_, q)
      return #mp.wait({ q })
    end

    function Waiter.event(_, e)
      return e:wait()
    end

    function Waiter:locked(q)
      return self.lock:with(function()
        return q:get()
      end)
    end

    function Waiter.join()
      return mp.spawn(function() return 5 end):result()
    end

    function Waiter.units(_, s)
      local _ <close> = s:hold()
      return "had one"
    end

    function Waiter.ask(_, other, q)
      return other:get(q)
    end

    function Waiter.sorted(_, q)
      local list = { 2, 1 }
      table.sort(list, function(a, b)
        q:get(0.01) -- below a C function: waits for all
        return a < b
      end)
      return list[1]
    end

    local function waiter(m)
      m:register("Waiter", Waiter)
      return m:Waiter()
    end

    -- Starts f(...) in another process, makes sure that others run meanwhile,
    -- calls go, and returns what f returned.
    local function meanwhile(w, f, go)
      local p = mp.get_context("fork").spawn(f)
      local n = w:count()
      local from = helper.now()
      while helper.now() - from < 0.1 do
        n = n + 1
        assert(w:count() == n)
      end
      assert.is_true(p:is_alive())
      go()
      local results = table.pack(p:result())
      p:close()
      return table.unpack(results, 1, results.n)
    end

    it("lets others run, whatever it waits for", within(30, function()
      local m <close> = mp.Manager()
      local w <close> = waiter(m)
      local q <close> = mp.Queue()
      local full <close> = mp.Queue(1)
      local a, b = mp.Pipe()
      local function put() q:put "x" end
      assert.equal("x", meanwhile(w, function() return w:get(q) end, put))
      assert.equal("x", meanwhile(w, function() return w:get(q, 20) end, put))
      assert.equal(1, meanwhile(w, function() return w:wait(q) end, put))
      assert.equal("x", w:get(q))
      assert.equal("x", meanwhile(w, function() return w:recv(a) end, function() b:send "x" end))
      local e <close> = mp.Event()
      assert.is_true(meanwhile(w, function() return w:event(e) end, function() e:set() end))
      local s <close> = mp.Semaphore(0)
      assert.equal("had one", meanwhile(w, function()
        return w:units(s)
      end, function() s:release() end))
      full:put(1)
      assert.is_true(meanwhile(w, function()
        return w:put(full, 2)
      end, function() full:get() end))
      assert.equal(2, full:get())
      assert.same({ 1, 2 }, { meanwhile(w, function()
        return w:all(q)
      end, function()
        q:put(1)
        q:put(2)
        q:close()
      end) })
      a:close()
      b:close()
    end))

    it("sleeps, and joins, without keeping others waiting", within(20, function()
      local m <close> = mp.Manager()
      local w <close> = waiter(m)
      assert.equal("slept", meanwhile(w, function() return w:sleep(0.3) end, function() end))
      assert.equal(5, w:join())
      local q <close> = mp.Queue()
      assert.same({ nil, "timeout" }, { w:get(q, 0.01) })
      assert.equal(1, w:sorted(q))
    end))

    it("holds its lock against other calls", within(20, function()
      local m <close> = mp.Manager()
      local w <close> = waiter(m)
      local first <close> = mp.Queue()
      local second <close> = mp.Queue()
      second:put "second"
      local p = mp.get_context("fork").spawn(function() return w:locked(first) end)
      mp.sleep(0.1)
      local other = mp.get_context("fork").spawn(function() return w:locked(second) end)
      mp.sleep(0.1)
      assert.is_true(other:is_alive())
      first:put "first"
      assert.equal("first", p:result())
      assert.equal("second", other:result())
      p:close()
      other:close()
    end))

    it("may wait for an object of another manager", within(20, function()
      local m <close> = mp.Manager()
      local n <close> = mp.Manager()
      local w <close> = waiter(m)
      local v <close> = waiter(n)
      local q <close> = mp.Queue()
      assert.equal("x", meanwhile(w, function() return w:ask(v, q) end, function() q:put "x" end))
    end))

    it("goes on when its caller is killed, and harms nobody", within(20, function()
      local m <close> = mp.Manager()
      local w <close> = waiter(m)
      local q <close> = mp.Queue()
      local p = mp.get_context("fork").spawn(function() return w:get(q) end)
      mp.sleep(0.1)
      p:kill()
      p:join()
      p:close()
      assert.equal(1, w:count())
      q:put "taken by the call"
      helper.eventually(5, function() return #q == 0 end)
      assert.equal(2, w:count())
    end))

    it("does not keep a manager from its end", within(10, function()
      local m = mp.Manager()
      local w <close> = waiter(m)
      local q <close> = mp.Queue()
      local p = mp.get_context("fork").spawn(function()
        return select(2, pcall(w.get, w, q)).kind
      end)
      mp.sleep(0.1)
      m:shutdown()
      assert.equal("lost", p:result())
      p:close()
    end))
  end)

  describe("an object", function()
    it("goes when its last proxy goes", within(10, function()
      local m <close> = make()
      local keep <close> = m:Counter()
      do
        local c <close> = m:Counter()
        assert.equal(2, count(m))
        c:add(1)
      end
      helper.eventually(2, function() return count(m) == 1 end)
      assert.equal(0, keep:get())
    end))

    it("goes when its proxy is collected", within(10, function()
      local m <close> = make()
      local keep <close> = m:Counter()
      m:Counter():add(1)
      helper.eventually(2, function()
        collectgarbage()
        return count(m) == 1
      end)
      assert.equal(0, keep:get())
    end))

    it("goes though a forked child lives that cannot reach its proxy", within(10, function()
      local m <close> = make()
      local go <const> = mp.Event()
      local keep <close> = m:Counter(3)
      local from, to <close> = mp.Pipe()
      local child
      do
        local c <close> = m:Counter()
        c:add(1)
        child = mp.spawn(function(conn)
          local later <close> = conn:recv() -- of the same manager
          go:wait()
          return later:get()
        end, from)
      end
      helper.eventually(2, function() return count(m) == 1 end)
      to:send(keep)
      go:set()
      assert.equal(3, child:result())
      from:close()
    end))

    it("lives as long as a message carries its proxy", within(10, function()
      local m <close> = make()
      local q = mp.Queue()
      do
        local c <close> = m:Counter(8)
        q:put(c)
      end
      assert.equal(1, count(m))
      do
        local c <close> = q:get()
        assert.equal(8, c:get())
      end
      helper.eventually(2, function() return count(m) == 0 end)
      q:close()
    end))

    it("lives as long as its proxy lies in a shared dict", within(10, function()
      local m <close> = make()
      local d = mp.dict()
      do
        local c <close> = m:Counter(8)
        d.counter = c
      end
      assert.equal(1, count(m))
      local p = mp.get_context("spawn").spawn(function(dict)
        return dict.counter:add(1)
      end, d)
      assert.equal(9, p:result())
      p:close()
      assert.equal(1, count(m))
      d.counter = nil
      helper.eventually(2, function()
        collectgarbage()
        return count(m) == 0
      end)
    end))

    it("goes when the only process that had a proxy is killed", within(10, function()
      local m <close> = make()
      local a, b = mp.Pipe()
      local p = mp.get_context("spawn").spawn(function(conn)
        local c = conn:recv()
        c:add(1)
        conn:send "got it"
        mp.sleep(60)
      end, b)
      do
        local c <close> = m:Counter()
        a:send(c)
        a:recv()
      end
      assert.equal(1, count(m))
      p:kill()
      p:join()
      helper.eventually(2, function() return count(m) == 0 end)
      p:close()
      a:close()
      b:close()
    end))
  end)

  describe("when its process is killed", function()
    it("raises an error of kind 'lost' for new calls", within(10, function()
      local m <close> = mp.Manager { name = "ledger" }
      m:register("Counter", Counter)
      local c <close> = m:Counter()
      c:add(1)
      kill(m.pid)
      local from = helper.now()
      local ok, err = pcall(c.get, c)
      assert.is_false(ok)
      assert.equal("lost", err.kind)
      assert.equal("SIGKILL", err.signal)
      assert.matches("'ledger'", tostring(err))
      assert.is_true(helper.now() - from < 1)
      assert.error_matches(function() m:Counter() end, "ledger")
    end))

    it("raises it for pending calls, in every process", within(10, function()
      local m <close> = make()
      local c <close> = m:Counter()
      local started = mp.Event()
      local p = mp.spawn(function(counter, event)
        event:set()
        local ok, err = pcall(counter.loop, counter)
        return ok, err.kind
      end, c, started)
      started:wait()
      mp.sleep(0.1)
      kill(m.pid)
      local from = helper.now()
      assert.same({ false, "lost" }, { p:result() })
      assert.is_true(helper.now() - from < 2)
      p:close()
    end))

    it("raises it in a process that never called before", within(10, function()
      local m <close> = make()
      local c <close> = m:Counter()
      local q = mp.Queue()
      q:put(c)
      kill(m.pid)
      local p = mp.get_context("spawn").spawn(function(queue)
        local counter = queue:get()
        local ok, err = pcall(counter.get, counter)
        return ok, err.kind
      end, q)
      assert.same({ false, "lost" }, { p:result() })
      p:close()
      q:close()
    end))
  end)

  describe("shutdown", function()
    it("ends the process; proxies say so", within(5, function()
      local m = make()
      local c <close> = m:Counter()
      m:shutdown()
      m:shutdown()
      assert.is_nil(m.pid)
      local ok, err = pcall(c.get, c)
      assert.is_false(ok)
      assert.equal("lost", err.kind)
      assert.matches("has shut down", tostring(err))
      assert.error_matches(function() m:Queue() end, "manager has shut down")
      assert.error_matches(function() m:Counter() end, "manager has shut down")
    end))

    it("does not wait long for a call that never ends", within(10, function()
      local m = make()
      local c <close> = m:Counter()
      local p = mp.spawn(function(counter)
        return select(2, pcall(counter.loop, counter)).kind
      end, c)
      mp.sleep(0.2)
      m:shutdown()
      assert.equal("lost", p:result())
      p:close()
    end))

    it("is the end of the scope, not of a child's copy of it", within(5, function()
      local m <close> = make()
      local c <close> = m:Counter(2)
      mp.get_context("fork").spawn(function()
        m:shutdown()
      end):join()
      assert.equal(2, c:get())
    end))
  end)

  it("cannot be sent", within(5, function()
    local m <close> = mp.Manager()
    assert.error_matches(function() mp.Queue():put(m) end, "cannot send a manager")
  end))

  it("ignores an interrupt", within(5, function()
    local m <close> = make()
    local c <close> = m:Counter(4)
    assert(require("mp.core").kill(m.pid, 2))
    assert.equal(4, c:get())
  end))
end)
