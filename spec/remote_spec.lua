-- Managers that are reached over a socket. Clients run in families of their own:
-- a script, or a process under spawn that shares nothing with this one but the
-- address.
local helper = require "spec.helper"
local core = require "mp.core"
local mp = require "mp"

local within <const> = helper.within
local KEY <const> = "between us"

local Counter = {}
Counter.__index = Counter

function Counter.new(n)
  return setmetatable({ n = n or 0 }, Counter)
end

function Counter:add(k)
  self.n = self.n + k
  return self.n
end

function Counter.fail(_, value)
  error(value, 0)
end

function Counter:itself()
  return self
end

function Counter.loop()
  while true do end -- luacheck: ignore 542
end

function Counter.apply(_, f)
  return f()
end

function Counter:__len()
  return self.n
end

-- A manager that is reached by TCP.
local function serve(options)
  local o = { address = { "127.0.0.1", 0 }, authkey = KEY, name = "ledger" }
  for k, v in pairs(options or {}) do
    o[k] = v
  end
  local m = assert(mp.Manager(o))
  m:register("Counter", Counter)
  return m
end

local function connect(m, options)
  return assert(mp.Manager.connect(m.address, KEY, options))
end

-- What the manager keeps: objects of classes, and things for agents.
local function count(m)
  return require("mp.proxy").ask(require("mp.manager").hub(m), "count")
end

local function kill(pid)
  assert(core.kill(pid, 9))
end

local function lost(f, ...)
  local from = helper.now()
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("lost", err.kind)
  assert.is_true(helper.now() - from < 1)
  return err
end

describe("a remote mp.Manager", function()
  if not core.has_keys() then
    pending("built without libsodium")
    return
  end

  before_each(helper.baseline)
  after_each(function()
    collectgarbage()
    collectgarbage()
    helper.leaks()
  end)

  describe("the constructor", function()
    it("says where it is reached", within(10, function()
      local m <close> = serve()
      assert.equal("127.0.0.1", m.address[1])
      assert.is_true(m.address[2] > 0)
      local r <close> = connect(m)
      assert.equal(m.pid, r.pid)
      assert.matches("^mp.Manager: ledger %(connected to 127.0.0.1:%d+%)$", tostring(r))
      assert.equal("Manager", mp.type(r))
    end))

    it("refuses what cannot be", within(10, function()
      assert.error_matches(function() mp.Manager { authkey = "k" } end, "needs an address")
      assert.error_matches(function() mp.Manager { address = { "::1", 0 } } end, "needs an authkey")
      assert.error_matches(function()
        mp.Manager { address = "/x", authkey = "" }
      end, "authkey must be a non%-empty string")
      assert.error_matches(function() mp.Manager { address = 5 } end, "path or {host, port}")
      assert.error_matches(function() mp.Manager.connect() end, "address missing")
      assert.error_matches(function() mp.Manager.connect { "h", 1 } end, "needs an authkey")
      assert.error_matches(function()
        mp.Manager.connect("/x", "k", { tiemout = 1 })
      end, "invalid option 'tiemout'")
    end))

    it("returns what the system refuses", within(10, function()
      local m <close> = serve()
      local other, why, errno = mp.Manager { address = m.address, authkey = KEY }
      assert.is_nil(other)
      assert.matches("^mp.Manager: cannot listen at '127.0.0.1:%d+': Address already in use$", why)
      assert.equal(98, errno)
      assert.same(
        { nil, "mp.Manager: cannot connect to '/no/such': No such file or directory", 2 },
        { mp.Manager.connect "/no/such" }
      )
    end))

    it("refuses a client that has another key, and goes on", within(20, function()
      local m <close> = serve()
      local ok, why = pcall(function() mp.Manager.connect(m.address, "another") end)
      assert.is_false(ok)
      assert.matches("^[^:]*remote_spec.lua:%d+: mp.Manager: cannot connect to '127[^']+'", why)
      assert.matches("authentication failed: the peer does not know the key$", why)
      local r <close> = connect(m)
      assert.equal(0, #r:list())
    end))

    it("leaves mp.dict's functions as they were for dicts of this family", within(10, function()
      local m <close> = serve()
      local _ <close> = connect(m)
      local d <const> = mp.dict { text = "x" }
      for text, f in pairs {
        ["key must not be NaN"] = function() mp.dict.set(d, 0 / 0, 1) end,
        ["bad argument #3 to 'incr' (number expected, got string)"] = function()
          mp.dict.incr(d, "n", "x")
        end,
        ["own"] = function()
          mp.dict.update(d, "text", function() error "own" end)
        end,
      } do
        local ok <const>, message <const> = pcall(f)
        assert.is_false(ok)
        assert.matches("^[^:]*remote_spec%.lua:%d+: ", message)
        assert.equal(text, (message:gsub("^[^:]*:%d+: ", "")))
      end
    end))

    it("says that a listener is no manager", within(10, function()
      local l <close> = assert(mp.Listener())
      local p = mp.get_context("fork").spawn(function() -- has the listener
        local c <close> = l:accept(5)
        c:send "something else"
        c:recv(5)
      end)
      local r, why = mp.Manager.connect(l.address)
      assert.is_nil(r)
      assert.matches("there is no manager", why)
      p:join()
      p:close()
    end))

    it("needs no key for a path", within(10, function()
      local path = os.tmpname()
      os.remove(path)
      do
        local m <close> = assert(mp.Manager { address = path })
        m:register("Counter", Counter)
        local r <close> = assert(mp.Manager.connect(path))
        assert.equal(path, r.address)
        assert.equal(5, r:Counter(2):add(3))
      end
      assert.is_nil(io.open(path))
    end))
  end)

  describe("what is made through it", function()
    it("is in the server's memory, and live", within(20, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local d = r:dict { a = 1, inner = { x = 1 } }
      assert.equal("Proxy", mp.type(d))
      assert.equal(1, d.a)
      d.b = { deep = { 1, 2 } }
      d.inner.x = d.inner.x + 1
      assert.equal(2, d.inner.x)
      assert.equal(2, d.b.deep[2])
      assert.equal(d.inner, d.inner)
      assert.equal(5, mp.dict.incr(d, "n", 5))
      assert.equal(4, mp.dict.len(d))
      assert.same({ deep = { 1, 2 } }, mp.dict.copy(d.b))
      local keys = {}
      for k in pairs(d) do
        keys[#keys + 1] = k
      end
      table.sort(keys)
      assert.same({ "a", "b", "inner", "n" }, keys)
      -- a dict of this family is used as before
      local own = mp.dict { n = 1 }
      assert.equal(2, mp.dict.incr(own, "n"))

      local l = r:list { 3, 1, 2 }
      l:append(0)
      l:sort()
      l[1] = "first"
      assert.same({ "first", 1, 2, 3 }, l:copy())
      assert.equal(4, #l)
      local ns = r:Namespace { a = 1 }
      ns.word = "shared"
      ns._own = print
      assert.equal('Namespace(a=1, word="shared")', tostring(ns))
      assert.equal(print, ns._own)
      local v = r:Value("i", 5)
      v.value = v.value + 1
      assert.equal(8, v:add(2))
      assert.equal(80, v:with(function(x) x.value = 80 return x.value end))
      local a = r:Array("i", { 1, 2, 3 })
      a[2] = 20
      assert.same({ 1, 20, 3 }, a:totable())
    end))

    it("is seen by all its clients", within(20, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local d = r:dict()
      local q = r:Queue()
      q:put(d)
      d.q = q
      local p = mp.get_context("spawn").spawn(function(dict)
        local queue = dict.q
        local same = queue:get(5)
        same.from_child = true
        dict.counted = (dict.counted or 0) + 1
        queue:put "done"
      end, d)
      p:join()
      p:close()
      assert.equal("done", q:get(5))
      assert.is_true(d.from_child)
      assert.equal(1, d.counted)
      assert.same({ nil, "timeout" }, { q:get(0.01) })
      q:put(1)
      q:put(2)
      q:close()
      local got = {}
      for x in q:items() do
        got[#got + 1] = x
      end
      assert.same({ 1, 2 }, got)
      assert.same({ nil, "closed" }, { q:put(3) })
    end))

    it("works in a forked child, over its own connection", within(20, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local c = r:Counter()
      local list = {}
      for i = 1, 3 do
        list[i] = mp.get_context("fork").spawn(function()
          for _ = 1, 100 do
            c:add(1)
          end
        end)
      end
      for _ = 1, 100 do
        c:add(1)
      end
      for _, p in ipairs(list) do
        p:join()
        assert.equal(0, p.exitcode)
        p:close()
      end
      assert.equal(400, c:add(0))
    end))

    it("keeps nobody else waiting who waits", within(20, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local q = r:Queue()
      local p = mp.get_context("fork").spawn(function()
        return q:get()
      end)
      local c = r:Counter()
      for _ = 1, 100 do
        c:add(1)
      end
      q:put "at last"
      assert.equal("at last", p:result())
      p:close()
    end))
  end)

  describe("an object of a registered class", function()
    it("is used as by a proxy of the family", within(10, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local c = r:Counter(10)
      assert.equal(15, c:add(5))
      assert.equal(15, #c)
      assert.equal(c, c:itself())
      assert.matches("^mp.Proxy: Counter %(ledger at 127.0.0.1:%d+, number %d+%)$", tostring(c))
      assert.is_nil(r.Nothing)
      assert.error_matches(function() r:register("X", Counter) end, "where the manager was made")
      assert.error_matches(function() r:shutdown() end, "shut down where it was made")
    end))

    it("raises error objects", within(10, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local c = r:Counter()
      local ok, err = pcall(c.fail, c, { code = 7 })
      assert.is_false(ok)
      assert.equal("error", err.kind)
      assert.same({ code = 7 }, err.value)
      assert.equal("ledger", err.process)
      assert.equal(m.pid, err.pid)
      assert.error_matches(function() c:nope() end, "Counter has no method 'nope'")
      assert.error_matches(function() c:_secret() end, "'_secret' is private")
      assert.error_matches(function() c.n = 5 end, "field 'n' cannot be assigned")
    end))

    it("names what cannot cross, and where it is", within(10, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local c = r:Counter()
      local q <close> = mp.Queue()
      assert.error_matches(function()
        c:add(1, { jobs = { q } })
      end, "cannot send argument 2.jobs%[1%] %(an mp.Queue: shared memory does not go")
      assert.equal(0, c:add(0))
    end))

    it("takes functions only when told to", within(20, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local c = r:Counter()
      assert.error_matches(function()
        c:apply(function() return 7 end)
      end, "functions are not accepted here")
      assert.equal(0, c:add(0)) -- the connection goes on
      local trusting <close> = serve { functions = true }
      local other <close> = connect(trusting)
      assert.equal(7, other:Counter():apply(function() return 7 end))
    end))

    it("goes when its last proxy, or its client, goes", within(20, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local keep = r:Counter()
      do
        local c <close> = r:Counter()
        assert.equal(2, count(m))
        c:add(1)
      end
      helper.eventually(5, function()
        keep:add(1) -- what was let go of is said with the next call
        return count(m) == 1
      end)
      local p = mp.get_context("fork").spawn(function()
        local c = connect(m):Counter()
        c:add(1)
        kill(core.getpid())
      end)
      p:join()
      p:close()
      helper.eventually(5, function() return count(m) == 1 end)
      assert.is_true(keep:add(0) > 0)
    end))
  end)

  describe("a client that is killed", function()
    it("abandons its locks and gives back its units", within(20, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local lock, units, held = r:Lock(), r:Semaphore(2), r:Event()
      local p = mp.get_context("spawn").spawn(function(l, s, event)
        l:acquire()
        local _ <close> = s:hold()
        event:set()
        mp.sleep(60)
      end, lock, units, held)
      assert.is_true(held:wait(10))
      assert.equal(1, units.value)
      assert.same({ nil, "timeout" }, { lock:acquire(0) })
      p:kill()
      p:join()
      p:close()
      assert.same({ true, "abandoned" }, { lock:acquire(5) })
      helper.eventually(5, function() return units.value == 2 end)
      do
        local _ <close> = units:hold()
        assert.equal(1, units.value)
      end
      assert.equal(2, units.value)
      lock:release()
    end))

    it("leaves no agent, whatever that one waits for", within(20, function()
      local m <close> = serve()
      local q = m:Queue()
      local list = {}
      for i = 1, 5 do
        list[i] = mp.get_context("spawn").spawn(function(address, key)
          local c <close> = require("mp").Manager.connect(address, key)
          local barrier = c:Barrier(2)
          barrier:wait()
        end, m.address, KEY)
      end
      local function children(pid)
        return helper.read_file(("/proc/%d/task/%d/children"):format(pid, pid)) or ""
      end
      local function agents()
        local n = 0
        for pid in children(children(m.pid):match "%d+"):gmatch "%d+" do
          local stat = helper.read_file("/proc/" .. pid .. "/stat")
          n = n + (stat and not stat:find "%) Z" and 1 or 0)
        end
        return n
      end
      helper.eventually(10, function() return agents() == 5 end)
      for _, p in ipairs(list) do
        p:kill()
        p:join()
        p:close()
      end
      helper.eventually(2, function() return agents() == 0 end)
      q:put "alive"
      assert.equal("alive", q:get(1))
      q:close()
    end))
  end)

  describe("when the manager's process is killed", function()
    it("raises an error of kind 'lost' for new calls", within(10, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local c, d = r:Counter(), r:dict()
      kill(m.pid)
      local err = lost(function() while true do c:add(1) end end)
      assert.matches("manager 'ledger' at 127.0.0.1:%d+ is lost", tostring(err))
      lost(function() return d.x end)
      lost(function() return r:dict() end)
    end))

    it("raises it for pending calls", within(20, function()
      local m <close> = serve()
      local r <close> = connect(m)
      local calls = {
        function() r:Counter():loop() end,
        function() r:Queue():get() end,
        function() r:Barrier(2):wait() end,
      }
      local list = {}
      for i, f in ipairs(calls) do
        list[i] = mp.get_context("fork").spawn(function()
          return select(2, pcall(f)).kind
        end)
      end
      mp.sleep(0.3)
      kill(m.pid)
      local from = helper.now()
      for _, p in ipairs(list) do
        assert.equal("lost", p:result())
        p:close()
      end
      assert.is_true(helper.now() - from < 2)
    end))

    it("says when another has its place", within(10, function()
      local path = os.tmpname()
      os.remove(path)
      local d
      local m <close> = assert(mp.Manager { address = path })
      local r <close> = assert(mp.Manager.connect(path))
      d = r:dict { x = 1 }
      kill(m.pid)
      helper.eventually(5, function() return not pcall(function() return d.x end) end)
      local again <close> = assert(mp.Manager { address = path })
      assert.matches("another manager has its place", tostring(lost(function() return d.x end)))
      assert.equal(path, again.address)
    end))
  end)

  it("is reached again when it was started again", within(20, function()
    local address
    for i = 1, 3 do
      local m <close> = serve { address = address }
      address = m.address
      local r, more = mp.Manager.connect(address, KEY)
      assert.is_nil(more)
      local l <close> = r:list { i }
      assert.equal(i, l[1])
      m:shutdown()
    end
  end))

  it("stays connected while another of this process is closed", within(10, function()
    local m <close> = serve()
    local first <close> = connect(m)
    do
      local second <close> = connect(m)
      assert.equal(1, second:list({ 1 })[1])
    end
    assert.equal(2, first:list({ 2 })[1])
  end))

  it("raises what C raises without a place in our own files", within(10, function()
    local m <close> = serve()
    local r <close> = connect(m)
    local lock = r:Lock()
    local ok, err = pcall(lock.release, lock)
    assert.is_false(ok)
    assert.equal("attempt to release a free lock", tostring(err):match "^[^\n]*")
  end))

  it("closes: proxies are of no use then", within(10, function()
    local m <close> = serve()
    local r = connect(m)
    local d = r:dict()
    r:close()
    r:close()
    assert.matches("was closed here", tostring(lost(function() return d.x end)))
    assert.error_matches(function() r:dict() end, "attempt to use a closed manager")
    assert.error_matches(function() mp.Queue():put(r) end, "cannot send a manager")
  end))

  it("serves others while a peer stalls in the handshake", within(20, function()
    local ok, socket = pcall(require, "socket")
    if not ok then
      pending("LuaSocket is not installed")
    end
    local m <close> = serve()
    local silent = {}
    for i = 1, 5 do
      silent[i] = assert(socket.connect("127.0.0.1", m.address[2]))
    end
    local from = helper.now()
    local r <close> = connect(m)
    assert.equal(1, r:Counter():add(1))
    assert.is_true(helper.now() - from < 4) -- a stalled handshake takes 5 s
    for i = 1, 5 do
      silent[i]:close()
    end
  end))

  for _, method in ipairs { "fork", "forkserver", "spawn" } do
    it("is served under " .. method, within(20, function()
      local r = helper.run_lua(([[
        local mp = require "mp"
        mp.set_start_method %q
        local Counter = {}
        Counter.__index = Counter
        function Counter.new() return setmetatable({ n = 0 }, Counter) end
        function Counter:add(k) self.n = self.n + k return self.n end
        local m <close> = assert(mp.Manager { address = { "127.0.0.1", 0 }, authkey = "k" })
        m:register("Counter", Counter)
        print(m:join(0))
        local p = mp.spawn(function(address)
          local c <close> = assert(mp.Manager.connect(address, "k"))
          return c:Counter():add(5)
        end, m.address)
        print(p:result())
      ]]):format(method), { timeout = 15 })
      assert.equal("", r.err)
      assert.equal("nil\ttimeout\n5\n", r.out)
    end))
  end
end)
