local helper = require "spec.helper"
local core = require "mp.core"
local mp = require "mp"

local within <const> = helper.within

-- A client in a child that runs f(connection).
local function client(address, key, f, options)
  return mp.spawn(function()
    local c <close> = assert(mp.Client(address, key, options))
    return f(c)
  end)
end

describe("mp.Listener", function()
  before_each(function()
    helper.baseline()
  end)
  after_each(helper.leaks)

  local kinds <const> = {
    { name = "a Unix socket", options = {} },
    { name = "a Unix socket with a key", options = { authkey = "secret" }, keys = true },
    { name = "TCP", options = { address = { "127.0.0.1", 0 }, authkey = "secret" }, keys = true },
  }

  for _, kind in ipairs(kinds) do
    it("carries values both ways over " .. kind.name, within(20, function()
      if kind.keys and not core.has_keys() then
        pending("no libsodium")
      end
      local l <close> = assert(mp.Listener(kind.options))
      local p = client(l.address, kind.options.authkey, function(c)
        for v in c:messages() do
          c:send(v)
        end
      end)
      local c = assert(l:accept(10))
      assert.equal("Connection", mp.type(c))
      for _, v in ipairs { 1, 2.5, "", "text\0", true, { 1, { x = { "deep" } } } } do
        c:send(v)
        assert.same(v, c:recv(10))
      end
      for size = 65520, 65545 do -- around the size of a chunk
        c:send(("x"):rep(size))
        assert.equal(size, #c:recv(10))
      end
      c:close()
      p:join()
    end))
  end

  it("leaves a message that is longer than recv_bytes is to take", within(20, function()
    local l <close> = assert(mp.Listener {})
    local p = client(l.address, nil, function(c)
      c:send_bytes(("long"):rep(100000))
      c:send_bytes "next"
    end)
    local c <close> = l:accept(10)
    assert.is_true(c:poll(10))
    for _ = 1, 2 do
      assert.error_matches(function() c:recv_bytes(10, 5) end, "longer message than is taken")
    end
    assert.equal(400000, #c:recv_bytes(400000, 5))
    assert.equal("next", c:recv_bytes(4, 5))
    p:join()
  end))

  it("sends a hundred megabytes", within(60, function()
    local l <close> = assert(mp.Listener { authkey = core.has_keys() and "k" or nil })
    local p = client(l.address, core.has_keys() and "k" or nil, function(c)
      c:send_bytes(("0123456789"):rep(10 << 20))
    end)
    local c <close> = l:accept(10)
    assert.is_true(c:recv_bytes(nil, 50) == ("0123456789"):rep(10 << 20))
    p:join()
  end))

  it("tells where it listens, and who came last", within(10, function()
    local l <close> = assert(mp.Listener())
    assert.matches("^/", l.address)
    assert.is_nil(l.last_accepted)
    assert.matches("^mp%.Listener: /.* %(open%)$", tostring(l))
    assert.equal("Listener", mp.type(l))
  end))

  it("keeps its path private, and removes it", within(10, function()
    local l = assert(mp.Listener())
    local pipe <close> = io.popen("stat -c %a " .. l.address)
    assert.equal("600\n", pipe:read "a")
    l:close()
    l:close()
    assert.is_nil(io.open(l.address))
    assert.error_matches(function() l:accept(0) end, "attempt to use a closed Listener")
  end))

  it("returns nil, 'timeout' when nobody comes", within(5, function()
    local l <close> = assert(mp.Listener())
    assert.same({ nil, "timeout" }, { l:accept(0) })
    assert.same({ nil, "timeout" }, { l:accept(0.01) })
    assert.same({}, mp.wait({ l }, 0.01))
  end))

  it("can be waited for, and so can its connections", within(10, function()
    local l <close> = assert(mp.Listener())
    local p = client(l.address, nil, function(c) c:send "x" end)
    assert.equal(l, mp.wait({ l }, 5)[1])
    local c <close> = l:accept(5)
    assert.equal(c, mp.wait({ c }, 5)[1])
    assert.is_true(c:poll())
    assert.equal("x", c:recv())
    assert.same({ nil, "closed" }, { c:recv() })
    p:join()
  end))

  it("gives connections that are used as a pipe's end is", within(20, function()
    local l <close> = assert(mp.Listener())
    local p = client(l.address, nil, function(c)
      local first = c:recv(10)
      c:send_bytes(first, 2, 3)
      c:close()
      return first
    end)
    local c <close> = l:accept(5)
    assert.same({ false, true, true }, { c.closed, c.readable, c.writable })
    assert.equal("number", type(c:fileno()))
    assert.same({ nil, "timeout" }, { c:recv(0.01) })
    assert.is_false(c:poll())
    assert.is_true(c:send "abcd")
    assert.equal("bc", c:recv_bytes())
    assert.error_matches(function() c:recv_bytes(-1) end, "must not be negative")
    assert.equal("abcd", p:result())
    assert.same({ nil, "closed" }, { c:recv_bytes() })
    -- the peer is gone: the second send at the latest knows it
    c:send "x"
    helper.eventually(5, function() return not c:send "x" end)
    assert.same({ nil, "closed" }, { c:send "x" })
    c:close()
    c:close()
    assert.is_true(c.closed)
    for _, name in ipairs { "recv", "send", "poll", "fileno", "recv_bytes" } do
      assert.error_matches(function() c[name](c, "x") end, "attempt to use a closed Connection")
    end
    p:close()
  end))

  it("says what the system refuses", within(5, function()
    local l <close> = assert(mp.Listener())
    local again, why, errno = mp.Listener { address = l.address }
    assert.is_nil(again)
    assert.matches("in use", why)
    assert.equal(98, errno)
    assert.equal(
      ("mp.Listener: cannot listen at '%s': Address already in use"):format(l.address),
      why
    )
    assert.same({
      nil,
      "mp.Client: cannot connect to '/no/such/socket': No such file or directory",
      2,
    }, { mp.Client "/no/such/socket" })
  end))

  it("takes over the path of a listener that was killed, and of no other", within(20, function()
    local path = os.tmpname()
    assert.matches("in use", (select(2, mp.Listener { address = path }))) -- a file
    os.remove(path)
    local ready <close> = mp.Event()
    local p = mp.spawn(function()
      local l <close> = assert(mp.Listener { address = path })
      ready:set()
      l:accept(60)
    end)
    ready:wait()
    assert.matches("in use", (select(2, mp.Listener { address = path }))) -- somebody listens
    p:kill()
    p:join()
    p:close()
    local l <close> = assert(mp.Listener { address = path })
    assert.is_nil((l:accept(0)))
  end))

  it("removes the private folders of listeners that were killed", within(20, function()
    local a, b = mp.Pipe()
    local p = mp.spawn(function()
      local l <close> = assert(mp.Listener())
      b:send(l.address)
      l:accept(60)
    end)
    local path = a:recv(10)
    local folder = path:match "^(.*)/"
    local l <close> = assert(mp.Listener()) -- one that lives is left alone
    assert.is_true(os.rename(path, path))
    p:kill()
    p:join()
    p:close()
    local other <close> = assert(mp.Listener())
    assert.is_nil(os.rename(folder, folder))
    assert.is_true(os.rename(l.address, l.address))
    assert.not_equal(l.address, other.address)
    a:close()
    b:close()
  end))

  it("finds out that a peer's machine is gone, when told to", within(10, function()
    local l <close> = assert(mp.Listener())
    local p = client(l.address, nil, function(c)
      c:keepalive(2)
      return c:recv()
    end)
    local c <close> = l:accept(5)
    assert.is_true(c:keepalive(30))
    assert.error_matches(function() c:keepalive(1) end, "seconds must be from 2")
    c:send "fine"
    assert.equal("fine", p:result())
  end))

  it("refuses what it does not know", function()
    assert.error_matches(function() mp.Listener { adress = "/x" } end, "invalid option 'adress'")
    assert.error_matches(function() mp.Listener { authkey = "" } end, "must be a non%-empty string")
    assert.error_matches(function() mp.Listener { authkey = 5 } end, "must be a non%-empty string")
    assert.error_matches(function()
      mp.Listener({ address = "/x" }, "key")
    end, "authkey belongs among the options")
    assert.error_matches(function()
      mp.Listener { backlog = 0 }
    end, "backlog must be a positive integer")
    assert.error_matches(function()
      mp.Client("/x", nil, { max_message = "x" })
    end, "max_message must be a positive integer")
    assert.error_matches(function() mp.Client("/x", nil, 5) end, "options must be a table")
    assert.error_matches(function()
      mp.Listener { address = { "127.0.0.1", 0 } }
    end, "needs an authkey")
    assert.error_matches(function() mp.Client { "127.0.0.1", 9 } end, "needs an authkey")
    assert.error_matches(function() mp.Listener { address = ("x"):rep(200) } end, "too long")
  end)

  it("locates a bad address where it was given", function()
    for _, address in ipairs { 5, "", { "127.0.0.1" }, { "127.0.0.1", 65536 }, { "::1", -1 } } do
      for _, make in ipairs { mp.Listener, mp.Client } do
        local ok, why = pcall(function()
          local l = make(address, "k")
          l:close() -- not reached, and no tail call
        end)
        assert.is_false(ok)
        assert.matches("^[^:]*listener_spec.lua:%d+: address must be a path or {host, port}$", why)
      end
    end
  end)

  describe("family", function()
    local function listening(family, address)
      if not core.has_keys() then
        pending("no libsodium")
      end
      local l <close> = assert(mp.Listener { family = family, address = address, authkey = "k" })
      local p = client(l.address, "k", function(c) c:send "hello" end)
      local c <close> = assert(l:accept(10))
      assert.equal("hello", c:recv(10))
      p:join()
      return l.address
    end

    it("chooses what is made when there is no address", within(20, function()
      assert.matches("^/", listening "AF_UNIX")
      assert.equal("127.0.0.1", listening("AF_INET")[1])
      local l = mp.Listener { family = "AF_INET6", authkey = "k" }
      if not l then
        pending("no IPv6")
      end
      l:close()
      assert.equal("::1", listening("AF_INET6")[1])
    end))

    it("chooses the version of IP of a host's name", within(10, function()
      assert.equal("127.0.0.1", listening("AF_INET", { "localhost", 0 })[1])
      for family, host in pairs { AF_INET = "::1", AF_INET6 = "127.0.0.1" } do
        local l, why = mp.Listener { family = family, address = { host, 0 }, authkey = "k" }
        assert.is_nil(l)
        assert.matches("cannot listen at '.*:0': ", why)
      end
    end))

    it("must fit the address, and be known", function()
      local function refused(family, address, why)
        local ok, got = pcall(function()
          local l = mp.Listener { family = family, address = address, authkey = "k" }
          l:close() -- not reached, and no tail call
        end)
        assert.is_false(ok)
        assert.matches("^[^:]*listener_spec.lua:%d+: " .. why .. "$", got)
      end
      refused("AF_INET", "/path", "a path is no address of family AF_INET")
      refused("AF_INET6", "/path", "a path is no address of family AF_INET6")
      refused("AF_UNIX", { "127.0.0.1", 0 }, "{host, port} is no address of family AF_UNIX")
      refused("AF_PIPE", nil, "family 'AF_PIPE' is not recognized")
      refused("TCP", { "127.0.0.1", 0 }, "family 'TCP' is not recognized")
      refused(2, nil, "family '2' is not recognized")
      refused(nil, "\\\\.\\pipe\\test", "family 'AF_PIPE' is not recognized")
      assert.error_matches(function()
        mp.Client "\\\\.\\pipe\\test"
      end, "family 'AF_PIPE' is not recognized")
    end)
  end)

  it("takes functions only when told to", within(10, function()
    for _, functions in ipairs { false, true } do
      local l <close> = assert(mp.Listener { functions = functions })
      local p = client(l.address, nil, function(c)
        c:send(function() return 7 end)
        c:recv(5)
      end)
      local c <close> = l:accept(5)
      if functions then
        assert.equal(7, c:recv(5)())
      else
        assert.error_matches(function() c:recv(5) end, "function")
      end
      c:send "done"
      p:join()
    end
  end))

  it("refuses bytes that are no value, and goes on", within(10, function()
    local l <close> = assert(mp.Listener())
    local c <close> = assert(mp.Client(l.address))
    local d <close> = assert(l:accept(5))
    for bytes, why in pairs {
      [""] = "truncated",
      ["hello"] = "garbage at byte 0",
      [mp.dumps("hello"):sub(1, -2)] = "truncated",
      [mp.dumps(1):sub(1, 1) .. "\255"] = "garbage at byte 1",
    } do
      c:send_bytes(bytes)
      assert.error_matches(function() d:recv(5) end, "cannot decode: " .. why)
    end
    c:send "still here"
    assert.equal("still here", d:recv(5))
  end))

  it("refuses messages over max_message before taking them", within(10, function()
    local l <close> = assert(mp.Listener { max_message = 1000 })
    local p = client(l.address, nil, function(c)
      c:send_bytes(("x"):rep(900))
      c:send_bytes(("x"):rep(1 << 20))
    end)
    local c <close> = l:accept(5)
    assert.equal(900, #c:recv_bytes())
    assert.error_matches(function() c:recv_bytes() end, "longer message than is taken")
    c:close()
    p:join()
  end))

  it("does not send mp's objects", within(10, function()
    local l <close> = assert(mp.Listener())
    local a, b = mp.Pipe()
    local p = client(l.address, nil, function(c) c:recv(5) end)
    local c <close> = l:accept(5)
    assert.error_matches(function()
      c:send { x = a }
    end, "cannot send value%.x %(an mp.Connection: shared memory does not go over a socket%)")
    c:send "still whole"
    p:join()
    a:close() b:close()
  end))

  it("gives sockets to no message", within(10, function()
    local l <close> = assert(mp.Listener())
    local c <close> = assert(mp.Client(l.address))
    local q <close> = mp.Queue()
    assert.error_matches(function() q:put(c) end, "cannot send value %(an mp.Connection%)")
    assert.error_matches(function() q:put { l } end, "cannot send a Listener")
    local spawn <const> = mp.get_context("spawn").spawn
    assert.error_matches(function()
      spawn(print, l)
    end, "cannot send a Listener: only a fork could hand it over")
    assert.equal(0, #q)
  end))

  it("gives an accepted connection to a child at its start", within(20, function()
    local key <const> = core.has_keys() and "k" or nil
    local l <close> = assert(mp.Listener { authkey = key })
    local p = client(l.address, key, function(c)
      c:send(20)
      return c:recv(5)
    end)
    local c = l:accept(5)
    local server = mp.get_context("fork").Process(function() c:send(c:recv(5) + 1) end):start()
    server:join()
    c:close()
    assert.equal(21, p:result())
  end))

  describe("with a key", function()
    before_each(function()
      if not core.has_keys() then
        pending("no libsodium")
      end
    end)

    it("refuses a peer that has another, and goes on", within(20, function()
      local l <close> = assert(mp.Listener { authkey = "right" })
      local p = mp.spawn(function(address)
        return pcall(function() assert(mp.Client(address, "wrong")) end)
      end, l.address)
      -- both errors are located where the caller called, not inside mp
      local function located(what)
        return "^[^:]*listener_spec.lua:%d+: mp%." .. what .. ": authentication failed: the peer"
      end
      local ok, why = pcall(function() assert(l:accept(5)) end)
      assert.is_false(ok)
      assert.matches(located "Listener: cannot accept a peer", why)
      ok, why = p:result()
      assert.is_false(ok)
      assert.matches(located "Client: cannot connect to '/.*'", why)
      local good = client(l.address, "right", function(c) return c:recv(5) end)
      local c <close> = l:accept(5)
      c:send "welcome"
      assert.equal("welcome", good:result())
    end))

    it("refuses a peer that has none", within(20, function()
      local l <close> = assert(mp.Listener { authkey = "right" })
      local p = mp.spawn(function(address)
        local c <close> = mp.Client(address)
        c:send(("hello"):rep(30))
        return c:recv(5)
      end, l.address)
      assert.error_matches(function() l:accept(5) end, "authentication failed")
      p:join()
    end))

    it("passes over peers that stall or go in the handshake", within(30, function()
      local ok, socket = pcall(require, "socket")
      if not ok then
        pending("LuaSocket is not installed")
      end
      local l <close> = assert(mp.Listener { address = { "127.0.0.1", 0 }, authkey = "right" })
      for _, said in ipairs { "", "mp-net-1", ("mp-net-1"):rep(8), ("mp-net-1"):rep(9) } do
        local gone = assert(socket.connect("127.0.0.1", l.address[2]))
        gone:send(said)
        gone:close()
      end
      local silent = assert(socket.connect("127.0.0.1", l.address[2]))
      local p = client(l.address, "right", function(c) c:send "hello" end)
      local c <close> = assert(l:accept(20))
      assert.equal("hello", c:recv(5))
      p:join()
      assert.same({ nil, "timeout" }, { l:accept(0) })
      silent:close()
    end))

    -- What the client says is 128 bytes of handshake, and then one message that
    -- it sends when it is told to: the relay does to it what mangle says.
    local function through(mangle, key)
      local socket = require "socket"
      local l <close> = assert(mp.Listener { address = { "127.0.0.1", 0 }, authkey = key })
      local relay = assert(socket.bind("127.0.0.1", 0))
      local _, port = relay:getsockname()
      local p = client({ "127.0.0.1", math.tointeger(port) }, key, function(c)
        c:recv(10)
        c:send(("x"):rep(1000))
        return c:recv(5)
      end)
      local man = mp.get_context("fork").spawn(function() -- has the sockets
        local near, far = relay:accept(), socket.connect("127.0.0.1", l.address[2])
        near:settimeout(0)
        far:settimeout(0)
        local all, done = "", false
        repeat
          local _, gone, back = far:receive(65536)
          near:send(_ or back)
          local data, err, part = near:receive(65536)
          data = data or part or ""
          if #all >= 128 and #data > 0 then
            done, data = true, mangle(data)
          end
          far:send(data)
          all = all .. data
          mp.sleep(0.001)
        until done or err == "closed" or gone == "closed"
        far:close()
        near:close()
        return all
      end)
      local c <close> = l:accept(10)
      c:send "go on"
      local results = table.pack(pcall(c.recv, c, 10))
      results.again = table.pack(pcall(c.recv, c, 1))
      c:close()
      p:join()
      local all = man:result()
      relay:close()
      return results, l, all
    end

    local function has_sockets()
      if not pcall(require, "socket") then
        pending("LuaSocket is not installed")
      end
    end

    it("says 'closed' for a message that was cut off", within(20, function()
      has_sockets()
      local r = through(function(data) return data:sub(1, 500) end, "k")
      assert.same({ true, nil, "closed" }, { r[1], r[2], r[3] })
      assert.same({ true, nil, "closed" }, { table.unpack(r.again, 1, 3) })
    end))

    it("refuses a message of which anything was changed", within(20, function()
      has_sockets()
      local r = through(function(data)
        return data:sub(1, -2) .. string.char(data:byte(-1) ~ 1)
      end, "k")
      assert.is_false(r[1])
      assert.matches("the peer sends what is no message", r[2])
      assert.same({ true, nil, "closed" }, { table.unpack(r.again, 1, 3) })
    end))

    it("refuses a frame that is longer than frames are", within(20, function()
      has_sockets()
      local r = through(function(data) return "\255\255\255\127" .. data:sub(5) end, "k")
      assert.is_false(r[1])
      assert.matches("the peer sends what is no message", r[2])
    end))

    it("refuses a message that is said again", within(20, function()
      has_sockets()
      local r = through(function(data) return data .. data end, "k")
      assert.same({ true, ("x"):rep(1000) }, { r[1], r[2] })
      assert.is_false(r.again[1])
      assert.matches("the peer sends what is no message", r.again[2])
    end))

    it("refuses a connection that is said again", within(20, function()
      has_sockets()
      local _, _, all = through(function(data) return data end, "k")
      local l <close> = assert(mp.Listener { address = { "127.0.0.1", 0 }, authkey = "k" })
      local again = assert(require("socket").connect("127.0.0.1", l.address[2]))
      again:send(all)
      local ok, why = pcall(l.accept, l, 10)
      assert.is_false(ok)
      assert.matches("does not know the key", why)
      again:close()
    end))

    it("shows nothing of what is sent, nor the key", within(20, function()
      local ok, socket = pcall(require, "socket")
      if not ok then
        pending("LuaSocket is not installed")
      end
      local l <close> = assert(mp.Listener { address = { "127.0.0.1", 0 }, authkey = "the-key" })
      local relay = assert(socket.bind("127.0.0.1", 0))
      local _, port = relay:getsockname()
      local p = mp.spawn(function(number)
        local c <close> = assert(mp.Client({ "127.0.0.1", number }, "the-key"))
        c:send "plain text"
        return c:recv(10)
      end, math.tointeger(port))
      -- The man in the middle passes everything on, and remembers it.
      local seen = mp.get_context("fork").spawn(function()
        local near, far = relay:accept(), socket.connect("127.0.0.1", l.address[2])
        local all = {}
        near:settimeout(0) far:settimeout(0)
        while true do
          for _, pair in ipairs { { near, far }, { far, near } } do
            local data, err, part = pair[1]:receive(65536)
            data = data or part
            if data and #data > 0 then
              all[#all + 1] = data
              pair[2]:send(data)
            end
            if err == "closed" then
              return table.concat(all)
            end
          end
          mp.sleep(0.001)
        end
      end)
      local c <close> = l:accept(10)
      assert.equal("plain text", c:recv(10))
      c:send "answer"
      assert.equal("answer", p:result())
      c:close()
      local text = seen:result()
      assert.is_true(#text > 200)
      assert.is_nil(text:find("plain", 1, true))
      assert.is_nil(text:find("answer", 1, true))
      assert.is_nil(text:find("the-key", 1, true))
      relay:close()
    end))
  end)
end)
