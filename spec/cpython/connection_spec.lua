-- What Python's users know of pipes, listeners and mp.wait, under each start
-- method.
local helper = require "spec.helper"
local methods = require "spec.helper.methods"
local mp = require "mp"

local within <const> = helper.within

describe("connections", function()
  methods.each(function(ctx)
    local function echo()
      local ours, theirs = ctx.Pipe()
      local p = ctx.Process {
        target = function(conn)
          for bytes in function() return (conn:recv_bytes()) end do
            if bytes == "" then
              return conn:close()
            end
            conn:send_bytes(bytes)
          end
        end,
        args = { theirs },
        daemon = true,
      }
      p:start()
      theirs:close()
      return ours, p
    end

    it("carry objects and bytes to a child and back", within(30, function()
      local conn <close>, p = echo()
      assert.is_true(conn:send_bytes "hello world")
      assert.equal("hello world", (conn:recv_bytes()))
      for _, timeout in ipairs { 0, -1, 0.02 } do
        assert.is_false(conn:poll(timeout))
      end
      assert.is_false(conn:poll())
      assert.is_true(conn:send(nil))
      assert.is_true(conn:poll(15))
      assert.is_nil((conn:recv()))
      assert.is_true(conn:send { 1, 2.25, "x" })
      assert.same({ 1, 2.25, "x" }, (conn:recv()))
      local big = ("X"):rep(16 << 20)
      conn:send_bytes(big)
      assert.is_true(big == conn:recv_bytes())
      conn:send_bytes ""
      p:join()
      assert.is_true(conn.readable)
      assert.is_true(conn.writable)
      assert.is_true(conn:poll(1))
      assert.same({ nil, "closed" }, { conn:recv() })
      assert.same({ nil, "closed" }, { conn:recv_bytes() })
    end))

    it("of one direction say which", within(20, function()
      local r <close>, w = ctx.Pipe(false)
      assert.same({ true, false }, { r.readable, r.writable })
      assert.same({ false, true }, { w.readable, w.writable })
      assert.error_matches(function() r:send(2) end, "read%-only")
      assert.error_matches(function() w:recv() end, "write%-only")
      assert.error_matches(function() w:poll() end, "write%-only")
      local p = ctx.spawn(function(conn) conn:send(1) end, w)
      w:close()
      assert.equal(1, (r:recv()))
      p:join()
      assert.same({ nil, "closed" }, { r:recv() })
    end))

    it("may be closed here as soon as the child is started", within(20, function()
      for _ = 1, 5 do
        local conn <close>, p = echo()
        conn:send_bytes "hello"
        assert.equal("hello", (conn:recv_bytes()))
        conn:send_bytes ""
        p:join()
        assert.equal(0, p.exitcode)
      end
    end))

    it("keep messages apart, empty ones too", within(20, function()
      local words <const> = { "hello", "", "a", "b", "", "bye", "", "lop" }
      local a <close>, b = ctx.Pipe()
      local p = ctx.spawn(function(conn, list)
        for _, s in ipairs(list) do
          conn:send_bytes(s)
        end
      end, b, words)
      b:close()
      for _, s in ipairs(words) do
        assert.is_true(a:poll(15))
        assert.is_true(a:poll())
        assert.equal(s, (a:recv_bytes()))
      end
      p:join()
    end))

    it("polled by a child keep their messages for us", within(20, function()
      local r <close>, w <const> = ctx.Pipe(false)
      local p = ctx.spawn(function(conn) return conn:poll(15) end, r)
      w:send_bytes "first"
      w:send_bytes "second"
      w:close()
      assert.is_true((p:result()))
      assert.equal("first", (r:recv_bytes()))
      assert.equal("second", (r:recv_bytes()))
    end))

    it("travel through connections", within(20, function()
      local conn <close>, inner = ctx.Pipe()
      local p = ctx.spawn(function(c)
        local w = c:recv()
        w:send "all is well"
        w:close()
        local r = c:recv()
        c:send(r:recv():rep(2))
      end, inner)
      inner:close()
      local r, w = ctx.Pipe(false)
      conn:send(w)
      w:close()
      assert.equal("all is well", (r:recv(15)))
      r:close()
      r, w = ctx.Pipe(false)
      conn:send(r)
      r:close()
      w:send "foobar"
      w:close()
      assert.equal("foobarfoobar", (conn:recv(15)))
      p:join()
    end))

    it("to a listener in a child, or to one here", within(20, function()
      for _, address in ipairs { false, { "127.0.0.1", 0 } } do
        local key <const> = address and "secret" or nil
        local l <close> = ctx.Listener { address = address or nil, authkey = key }
        local p = ctx.spawn(function(to)
          local conn <close> = mp.Client(to, key)
          conn:send "hello"
        end, l.address)
        local conn <close> = l:accept(15)
        assert.equal("hello", (conn:recv(15)))
        p:join()
        if key then
          break -- a client with a key cannot have gone before we look
        end
        p = ctx.spawn(function(to)
          local c <close> = mp.Client(to, key)
          c:send "gone"
        end, l.address)
        p:join()
        local late <close> = l:accept(15)
        assert.equal("gone", (late:recv(15)))
        assert.same({ nil, "closed" }, { late:recv(15) })
      end
    end))

    it("are waited for together until all are over", within(30, function()
      local readers, list, expected, seen = {}, {}, {}, {}
      for i = 1, 4 do
        local r, w = ctx.Pipe(false)
        list[i] = ctx.spawn(function(conn)
          for k = 1, 10 do
            conn:send(("%d %d"):format(k, mp.current_process().pid))
          end
        end, w)
        w:close()
        readers[i] = r
        for k = 1, 10 do
          expected[#expected + 1] = ("%d %d"):format(k, list[i].pid)
        end
      end
      while #readers > 0 do
        for _, r in ipairs(mp.wait(readers)) do
          local word <const>, why <const> = r:recv()
          seen[#seen + 1] = word
          if why == "closed" then
            for i, other in ipairs(readers) do
              if other == r then
                table.remove(readers, i)
                break
              end
            end
            r:close()
          end
        end
      end
      table.sort(expected)
      table.sort(seen)
      assert.same(expected, seen)
      for _, p in ipairs(list) do
        p:join()
      end
    end))

    it("are waited for beside sentinels and processes", within(30, function()
      local a, b = ctx.Pipe()
      local go <close> = ctx.Event()
      local p = ctx.spawn(function() go:wait() end)
      assert.same({}, mp.wait({ a, p.sentinel, b, p }, 0))
      assert.same({}, mp.wait({ a, b }, -1))
      assert.same({}, mp.wait({ a, b }, 0.05))
      go:set()
      assert.same({ p.sentinel }, mp.wait({ a, p.sentinel, b }, 15))
      a:send(nil)
      local ready <const> = mp.wait({ a, p.sentinel, b }, 15)
      assert.equal(2, #ready)
      b:send(nil)
      assert.equal(4, #mp.wait({ a, p.sentinel, b, p }, 15))
      p:join()
    end))
  end)

  describe("of a listener", function()
    before_each(helper.baseline)
    after_each(helper.leaks)

    it("are refused where another listens already", within(10, function()
      for _, address in ipairs { false, { "127.0.0.1", 0 } } do
        local key <const> = address and "secret" or nil
        local l <close> = mp.Listener { address = address or nil, authkey = key }
        local other, why, errno = mp.Listener { address = l.address, authkey = key }
        assert.is_nil(other)
        assert.matches("in use", why)
        assert.equal("integer", math.type(errno))
      end
    end))

    it("are over with their scope", within(10, function()
      local l <close> = mp.Listener()
      local c <close> = mp.Client(l.address)
      local d <close> = l:accept()
      c:send(1729)
      assert.equal(1729, (d:recv(5)))
      d:send_bytes "hello"
      assert.is_true(c:poll(5))
      d:close()
      assert.equal("hello", (c:recv_bytes(5)))
      l:close()
      assert.error_matches(function() l:accept() end, "closed")
      l:close()
    end))

    it("cannot be had at an address of another system", function()
      assert.is_false((pcall(function()
        assert(mp.Listener { address = "\\\\.\\pipe\\test", family = "AF_PIPE" })
      end)))
    end)
  end)
end)
