-- under every start method
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

describe("mp.Pipe", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("makes two connected ends", within(5, function()
    local a, b <close> = mp.Pipe()
    local _ <close> = a
    a:send "ping"
    assert.equal("ping", b:recv())
    b:send "pong"
    assert.equal("pong", a:recv())
    assert.equal("Connection", mp.type(a))
  end))

  it("not duplex: makes a reader and a writer", within(5, function()
    local r, w <close> = mp.Pipe(false)
    local _ <close> = r
    assert.is_true(r.readable)
    assert.is_false(r.writable)
    assert.is_false(w.readable)
    assert.is_true(w.writable)
    w:send(1)
    assert.equal(1, r:recv())
    assert.error_matches(function() r:send(1) end, "connection is read%-only")
    assert.error_matches(function() r:send_bytes "x" end, "connection is read%-only")
    assert.error_matches(function() w:recv() end, "connection is write%-only")
    assert.error_matches(function() w:recv_bytes() end, "connection is write%-only")
    assert.error_matches(function() w:poll() end, "connection is write%-only")
  end))

  it("refuses an argument that is no boolean", function()
    assert.error_matches(function() mp.Pipe(1) end, "bad argument #1 to 'Pipe'")
  end)

  describe("send and recv", function()
    it("keep every value as it was", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local integers, floats = { 1, math.mininteger }, { 1.0, -0.0, math.huge }
      local others = { "", "\0x", ("y"):rep(5000), true, false }
      for _, v in ipairs { integers[1], integers[2], table.unpack(floats) } do
        a:send(v)
        local got = b:recv()
        assert.equal(v, got)
        assert.equal(math.type(v), math.type(got))
      end
      for _, v in ipairs(others) do
        a:send(v)
        assert.equal(v, b:recv())
      end
      a:send { 1, 2, nested = { "deep" } }
      assert.same({ 1, 2, nested = { "deep" } }, b:recv())
    end))

    it("keep the order, and each message whole", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      for i = 1, 50 do a:send { i, ("x"):rep(i * 10) } end
      for i = 1, 50 do assert.same({ i, ("x"):rep(i * 10) }, b:recv()) end
    end))

    it("let nil through: the error value tells them apart", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      a:send(nil)
      assert.same(1, select("#", b:recv(1)))
      assert.same({ nil, "timeout" }, { b:recv(0) })
      assert.error_matches(function() a:send() end, "value expected")
    end))

    it("return nil, 'timeout' when time runs out", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      assert.same({ nil, "timeout" }, { a:recv(0) })
      assert.same({ nil, "timeout" }, { a:recv(-1) })
      assert.same({ nil, "timeout" }, { b:recv(0.01) })
      assert.error_matches(function() a:recv(0 / 0) end, "NaN")
      assert.error_matches(function() a:recv "1" end, "number expected, got string")
    end))

    it("wait for the other side", within(10, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local p = mp.spawn(function()
        local sum = 0
        for v in b:messages() do sum = sum + v end
        return sum
      end)
      b:close()
      for i = 1, 10000 do a:send(i) end
      a:send(nil)
      assert.equal(50005000, p:result())
    end))

    it("carry large messages, far larger than the ring", within(30, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local p = mp.spawn(function()
        b:send(b:recv())
        b:send "end"
      end)
      local s = ("0123456789abcdef"):rep(4 << 20)
      a:send(s)
      assert.is_true(a:recv() == s)
      assert.equal("end", a:recv())
      p:join()
    end))

    it("raise for what cannot be sent, and send nothing", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      assert.error_matches(function()
        a:send { cfg = { handlers = { 1, 2, coroutine.create(print) } } }
      end, "cannot send value%.cfg%.handlers%[3%] %(a thread%)")
      a:send "next"
      assert.equal("next", b:recv())
    end))

    it("carry functions with their upvalues", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local n = 5
      a:send(function(x) return x * n end)
      assert.equal(15, b:recv()(3))
    end))

    it("carry ends of pipes, also their own", within(10, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local c <close>, d = mp.Pipe()
      local p = mp.spawn(function()
        local got = b:recv()
        got:send "by way of the end that came"
      end)
      a:send(d)
      d:close()
      assert.equal("by way of the end that came", c:recv())
      p:join()
      assert.same({ nil, "closed" }, { c:recv() })
    end))

    it("give the same object for what is open here already", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      a:send { a, a }
      local got = b:recv()
      assert.equal(a, got[1])
      assert.equal(a, got[2])
    end))
  end)

  describe("the end of a side", function()
    it("is told after what was sent before", within(5, function()
      local a, b <close> = mp.Pipe()
      a:send "last"
      a:close()
      assert.equal("last", b:recv())
      assert.same({ nil, "closed" }, { b:recv() })
      assert.same({ nil, "closed" }, { b:recv(1) })
      assert.is_true(b:poll())
    end))

    it("makes sending return nil, 'closed'", within(5, function()
      local a <close>, b = mp.Pipe()
      b:close()
      assert.same({ nil, "closed" }, { a:send(1) })
      assert.same({ nil, "closed" }, { a:send(("x"):rep(100000)) })
    end))

    it("is seen when its last holder was killed", within(10, function()
      local a <close>, b = mp.Pipe()
      local p = mp.spawn(function()
        a:close()
        b:send "alive"
        while true do end
      end)
      b:close()
      assert.equal("alive", a:recv())
      p:kill()
      assert.same({ nil, "closed" }, { a:recv(5) })
      p:join()
    end))

    it("does not wait for a child that cannot reach the other end", within(10, function()
      local a, b = mp.Pipe()
      local p = mp.spawn(function(conn)
        local n = 0
        for v in conn:messages() do
          n = n + v
        end
        return n
      end, b)
      b:close()
      a:send(1)
      a:send(2)
      a:close() -- the child was forked with this end in reach of nobody
      assert.equal(3, p:result())
    end))

    it("is kept open by a child that reaches it somehow", within(10, function()
      local a, b <close> = mp.Pipe()
      local c, d <close> = mp.Pipe()
      rawset(_G, "some_global", { deep = { a } })
      local function inner() return c end
      local p = mp.get_context("fork").spawn(function()
        local reached = rawget(_G, "some_global").deep[1] -- a global
        reached:send "by a global"
        inner():send "by an upvalue's upvalue"
      end)
      assert.equal("by a global", b:recv())
      assert.equal("by an upvalue's upvalue", d:recv())
      p:join()
      rawset(_G, "some_global", nil)
      a:close() c:close()
    end))

    it("is kept open by a child that reaches it in a coroutine", within(10, function()
      local a, b <close> = mp.Pipe()
      local c, d <close> = mp.Pipe()
      local begun = coroutine.wrap(function(conn, ...)
        coroutine.yield()
        conn:send "by a variable"
        local other = ...
        coroutine.yield()
        other:send "by a further argument"
      end)
      local fresh = coroutine.create(function()
        c:send "by an upvalue"
      end)
      begun(a, a)
      local p = mp.get_context("fork").spawn(function()
        begun()
        begun()
        coroutine.resume(fresh)
      end)
      assert.equal("by a variable", b:recv())
      assert.equal("by a further argument", b:recv())
      assert.equal("by an upvalue", d:recv())
      p:join()
      a:close() c:close()
    end))

    it("is kept open by a child that reaches it in a weak table", within(10, function()
      local a, b <close> = mp.Pipe()
      local c, d = mp.Pipe()
      local key, lost = {}, {}
      local ephemerons = setmetatable({ [key] = a, [lost] = c }, { __mode = "k" })
      local go <const> = mp.Event()
      local p = mp.get_context("fork").spawn(function()
        ephemerons[key]:send "by a key"
        go:wait()
      end)
      assert.equal("by a key", b:recv())
      c:close() -- the child has no way to its key
      assert.same({ nil, "closed" }, { d:recv(5) })
      go:set()
      p:join()
      a:close() d:close()
      assert.is_table(lost)
    end))

    it("does not wait for what is beside a suspended coroutine", within(10, function()
      local a <close>, b = mp.Pipe()
      local go <const> = mp.Event()
      local suspended <const> = coroutine.wrap(coroutine.yield)
      suspended()
      local p = mp.get_context("fork").spawn(function()
        go:wait()
        return type(suspended)
      end)
      b:close()
      assert.same({ nil, "closed" }, { a:recv(5) })
      go:set()
      assert.equal("function", p:result())
    end))

    it("does not wait for a grandchild that was not given it", within(10, function()
      local a <close>, b = mp.Pipe()
      local go <const> = mp.Event()
      local p = mp.spawn(function(conn, event)
        local _ <close> = mp.spawn(event.wait, event)
        conn:close()
        return mp.current_process().daemon
      end, b, go)
      b:close()
      assert.same({ nil, "closed" }, { a:recv(5) })
      go:set()
      assert.is_false(p:result())
    end))

    it("is seen when its last holder ended, before it is joined", within(10, function()
      local a <close>, b = mp.Pipe()
      local p = mp.spawn(function() a:close() b:send(1) end)
      b:close()
      assert.equal(1, a:recv())
      assert.same({ nil, "closed" }, { a:recv(5) })
      p:join()
    end))

    it("wakes a sender that waits for room", within(10, function()
      local a <close>, b = mp.Pipe()
      local p = mp.spawn(function()
        b:close()
        local ok, why
        repeat
          ok, why = a:send(("x"):rep(1000))
        until not ok
        return why
      end)
      helper.eventually(5, function() return b:poll(0) end)
      b:close()
      assert.equal("closed", (function()
        a:close()
        return p:result()
      end)())
    end))
  end)

  describe("send_bytes and recv_bytes", function()
    it("carry strings as they are, also empty ones", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      for _, s in ipairs { "", "abc", ("z"):rep(100000) } do
        a:send_bytes(s)
        assert.is_true(b:recv_bytes() == s)
      end
    end))

    it("send a part, as string.sub cuts it", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      for _, r in ipairs { { 2 }, { 2, 3 }, { -2 }, { 1, -2 }, { 0 }, { 5, 2 }, { -100, 100 } } do
        a:send_bytes("hello", table.unpack(r))
        assert.equal(("hello"):sub(r[1], r[2] or -1), b:recv_bytes())
      end
    end))

    it("leave a message longer than the maximum where it is", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      a:send_bytes "12345"
      assert.error_matches(function() b:recv_bytes(4) end, "longer than the given maximum")
      assert.equal("12345", b:recv_bytes(5))
      assert.error_matches(function() b:recv_bytes(-1) end, "maximum must not be negative")
    end))
  end)

  describe("poll", function()
    it("asks without an argument, waits with one", within(5, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      assert.is_false(b:poll())
      assert.is_false(b:poll(0))
      assert.is_false(b:poll(0.01))
      a:send(1)
      assert.is_true(b:poll())
      assert.is_true(b:poll(nil))
      b:recv()
      assert.is_false(b:poll())
    end))
  end)

  describe("several processes on one end", function()
    it("get each message once, whole", within(20, function()
      local a <close>, b = mp.Pipe()
      local readers = {}
      for i = 1, 3 do
        readers[i] = mp.spawn(function()
          a:close()
          local n, sum = 0, 0
          for m in b:messages() do
            n = n + 1
            sum = sum + m.i
            assert(m.pad == ("p"):rep(m.i % 300))
          end
          return n, sum
        end)
      end
      b:close()
      for i = 1, 3000 do a:send { i = i, pad = ("p"):rep(i % 300) } end
      a:close()
      local count, total = 0, 0
      for _, p in ipairs(readers) do
        local n, sum = p:result()
        count, total = count + n, total + sum
      end
      assert.same({ 3000, 3000 * 3001 // 2 }, { count, total })
    end))

    it("put messages whole, in the order of each", within(20, function()
      local a, b <close> = mp.Pipe()
      local writers = {}
      for w = 1, 3 do
        writers[w] = mp.spawn(function()
          for i = 1, 1000 do a:send { w, i, ("x"):rep(i % 500) } end
        end)
      end
      a:close()
      local last = { 0, 0, 0 }
      for _ = 1, 3000 do
        local m = b:recv()
        assert.equal(last[m[1]] + 1, m[2])
        assert.equal(m[2] % 500, #m[3])
        last[m[1]] = m[2]
      end
      for _, p in ipairs(writers) do p:join() end
    end))
  end)

  describe("a closed connection", function()
    it("raises on every use but closing again", function()
      local a, b <close> = mp.Pipe()
      assert.is_false(a.closed)
      a:close()
      a:close()
      assert.is_true(a.closed)
      local methods = { "send", "recv", "send_bytes", "recv_bytes", "poll", "messages", "fileno" }
      for _, name in ipairs(methods) do
        assert.error_matches(function()
          a[name](a, "x")
        end, "attempt to use a closed Connection")
      end
      assert.error_matches(function()
        b:send(a)
      end, "cannot send value %(an mp%.Connection: a closed object%)")
    end)

    it("prints its state", function()
      local a, b <close> = mp.Pipe(false)
      assert.matches("^mp%.Connection: 0x%x+ %(open, read%-only%)$", tostring(a))
      assert.matches("%(open, write%-only%)", tostring(b))
      a:close()
      assert.matches("%(closed%)", tostring(a))
    end)
  end)
end)
