-- under every start method
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

-- Runs f(...) in a child that must end well, and returns what it returned.
local function in_child(f, ...)
  local p <close> = mp.spawn(f, ...)
  return p:result(20)
end

local function drain(q)
  local list = table.pack()
  for v in q:items() do
    list[#list + 1] = v
  end
  return list
end

describe("mp.Queue", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("hands values over in the order they were put", within(5, function()
    local q <close> = mp.Queue()
    for i = 1, 100 do
      assert.is_true(q:put(i))
    end
    for i = 1, 100 do
      assert.equal(i, q:get())
    end
    assert.equal("Queue", mp.type(q))
  end))

  it("keeps every value as it was", within(5, function()
    local q <close> = mp.Queue()
    for _, v in ipairs {
      1, 1.0, -0.0, math.mininteger, math.huge, "", "\0x", true, false,
      ("y"):rep(5000), ("z"):rep(3000000),
    } do
      q:put(v)
      local got = q:get()
      assert.equal(v, got)
      assert.equal(math.type(v), math.type(got))
    end
    q:put { 1, 2, nested = { "deep" } }
    assert.same({ 1, 2, nested = { "deep" } }, q:get())
    q:put(function(a) return a + 1 end)
    assert.equal(3, q:get()(2))
  end))

  it("lets nil through: the error value tells them apart", within(5, function()
    local q <close> = mp.Queue()
    q:put(nil)
    assert.equal(1, q:qsize())
    assert.equal(1, select("#", q:get()))
    assert.same({ nil, "timeout" }, { q:get(0) })
  end))

  it("is the same queue in every process", within(10, function()
    local q <close> = mp.Queue()
    in_child(function()
      for i = 1, 10 do
        q:put(i)
      end
    end)
    assert.equal(10, q:qsize())
    assert.equal(55, in_child(function()
      local sum = 0
      for _ = 1, 10 do
        sum = sum + q:get()
      end
      return sum
    end))
    assert.is_true(q:empty())
  end))

  it("travels in messages, and stays the same object", within(10, function()
    local q <close> = mp.Queue()
    local other <close> = mp.Queue()
    local a, b <close> = mp.Pipe()
    local _ <close> = a
    other:put(q)
    assert.equal(q, other:get())
    a:send { q }
    assert.equal(q, b:recv()[1])
    q:put(q)
    assert.equal(q, q:get())
    in_child(function(given)
      other:put(given)
      given:put "from the child"
    end, q)
    assert.equal("from the child", other:get():get())
  end))

  for _, method in ipairs { "fork", "spawn", "forkserver" } do
    it("works between processes started by " .. method, within(20, function()
      -- In a program of its own, for the fork server stays as long as that.
      local result = helper.run_lua([[
        local mp = require "mp"
        local ctx = mp.get_context(arg[1])
        local q, back = ctx.Queue(), ctx.Queue()
        local p = ctx.Process(function(from, to)
          for v in from:items() do
            to:put(v * v)
          end
        end, q, back):start()
        q:put_many { 1, 2, 3, 4, 5 }
        q:close()
        p:join()
        print(table.concat(back:get_many(10, 0), " "))
      ]], { args = { method } })
      assert.equal("1 4 9 16 25\n", result.out, result.err)
    end))
  end

  it("works inside coroutines", within(5, function()
    local q <close> = mp.Queue()
    local put = coroutine.wrap(function()
      for i = 1, 3 do
        q:put(i)
        coroutine.yield()
      end
    end)
    local get = coroutine.wrap(function()
      while true do
        coroutine.yield(q:get(0))
      end
    end)
    for i = 1, 3 do
      put()
      assert.equal(i, get())
    end
  end))

  it("can be waited for with others, by mp.wait", within(10, function()
    local q <close> = mp.Queue()
    local r <close> = mp.Queue()
    assert.same({}, mp.wait({ q, r }, 0.01))
    r:put(1)
    assert.same({ r }, mp.wait { q, r })
    local p <close> = mp.spawn(function()
      mp.sleep(0.05)
      q:put(2)
    end)
    assert.equal(1, r:get())
    assert.same({ q }, mp.wait { q, r })
    q:get()
    q:close()
    assert.same({ q }, mp.wait { q, r }) -- get would not wait
    p:join()
  end))

  describe("put", function()
    it("makes the value gettable at once, in any process", within(30, function()
      local q <close> = mp.Queue()
      local go <close> = mp.Queue()
      local answer <close> = mp.Queue()
      local p <close> = mp.spawn(function()
        for _ in go:items() do
          answer:put(q:get_nowait())
        end
      end)
      for i = 1, 10000 do
        q:put(i)
        go:put(true)
        assert.equal(i, answer:get())
      end
      go:close()
      p:join()
    end))

    it("returns nil, 'timeout' when the queue stays full", within(5, function()
      local q <close> = mp.Queue(2)
      assert.is_true(q:put(1, 0))
      assert.is_true(q:put_nowait(2))
      assert.same({ nil, "timeout" }, { q:put(3, 0) })
      assert.same({ nil, "timeout" }, { q:put(3, -1) })
      assert.same({ nil, "timeout" }, { q:put(3, 0.01) })
      assert.same({ nil, "timeout" }, { q:put_nowait(3) })
      assert.is_true(q:full())
      assert.equal(1, q:get())
      assert.is_false(q:full())
      assert.is_true(q:put(3, 0))
      assert.equal(2, q:qsize())
    end))

    it("waits while the queue is full", within(10, function()
      local q <close> = mp.Queue(1)
      q:put(1)
      local p <close> = mp.spawn(function()
        for i = 2, 5 do
          q:put(i)
        end
      end)
      for i = 1, 5 do
        mp.sleep(0.01)
        assert.equal(i, q:get())
      end
      p:join()
    end))

    it("raises for a value that cannot be sent, and puts nothing", within(5, function()
      local q <close> = mp.Queue()
      q:put "before"
      local bad = { cfg = { handlers = { 1, 2, coroutine.create(print) } } }
      assert.error_matches(function()
        q:put(bad)
      end, "cannot send value%.cfg%.handlers%[3%] %(a thread%)")
      assert.error_matches(function() q:put_nowait(io.stdout) end, "cannot send value")
      assert.equal(1, q:qsize())
      assert.equal("before", q:get())
    end))

    it("returns an error for a value that memory cannot hold", within(60, function()
      -- In a process of its own: the arena is made small.
      local result = helper.run_lua([[
        local mp = require "mp"
        local q = mp.Queue()
        q:put(1)
        local s = ("x"):rep(80 << 20)
        local ok, err = q:put(s)
        assert(ok == nil and err == "no memory", tostring(err))
        ok, err = q:put_many { 2, s, 3 }
        assert(ok == nil and err == "no memory", tostring(err))
        assert(q:qsize() == 2)
        assert(q:get() == 1 and q:get() == 2 and q:get(0) == nil)
        print "clear"
      ]], { env = { MP_ARENA = tostring(64 << 20) } })
      assert.equal("clear\n", result.out, result.err)
    end))

    it("checks its arguments", within(5, function()
      local q <close> = mp.Queue()
      assert.error_matches(function() q:put() end, "bad argument #1 to 'put' %(value expected%)")
      assert.error_matches(function()
        q:put(1, 0 / 0)
      end, "bad argument #2 to 'put' %(timeout must not be NaN%)")
      assert.error_matches(function() q:put(1, "x") end, "number expected, got string")
      assert.error_matches(function() q:put(1, {}) end, "number expected, got table")
      assert.error_matches(function()
        q.put()
      end, "bad argument #1 to 'put' %(mp.Queue expected, got no value%)")
      assert.error_matches(function() q.put({}, 1) end, "mp.Queue expected, got table")
      assert.error_matches(function() q.put(io.stdout, 1) end, "mp.Queue expected, got FILE%*")
      assert.equal(0, q:qsize())
    end))
  end)

  describe("get", function()
    it("returns nil, 'timeout' when nothing comes", within(5, function()
      local q <close> = mp.Queue()
      assert.same({ nil, "timeout" }, { q:get(0) })
      assert.same({ nil, "timeout" }, { q:get(-1) })
      assert.same({ nil, "timeout" }, { q:get(0.01) })
      assert.same({ nil, "timeout" }, { q:get_nowait() })
    end))

    it("waits for a value", within(10, function()
      local q <close> = mp.Queue()
      local p <close> = mp.spawn(function()
        for i = 1, 5 do
          mp.sleep(0.01)
          q:put(i)
        end
      end)
      for i = 1, 5 do
        assert.equal(i, q:get())
      end
      p:join()
    end))

    it("takes an item that cannot be decoded away, and raises", within(10, function()
      local q <close> = mp.Queue()
      in_child(function()
        package.loaded["only.here"] = { f = function() end }
        q:put(package.loaded["only.here"])
        q:put "next"
      end)
      assert.error_matches(function() q:get() end, "only%.here")
      assert.equal("next", q:get(0))
    end))

    it("checks its arguments", within(5, function()
      local q <close> = mp.Queue()
      assert.error_matches(function()
        q:get(0 / 0)
      end, "bad argument #1 to 'get' %(timeout must not be NaN%)")
      assert.error_matches(function() q:get "1" end, "number expected, got string")
    end))
  end)

  describe("qsize and #", function()
    it("are exact", within(10, function()
      local q <close> = mp.Queue()
      local p <close> = mp.spawn(function()
        for i = 1, 1000 do
          q:put(i)
        end
      end)
      p:join()
      for i = 1000, 1, -1 do
        assert.equal(i, q:qsize())
        assert.equal(i, #q)
        assert.is_false(q:empty())
        q:get()
      end
      assert.equal(0, #q)
      assert.is_true(q:empty())
      assert.is_false(q:full())
    end))

    it("never pass the bound", within(20, function()
      local q <close> = mp.Queue(3)
      local team = {}
      for i = 1, 2 do
        team[i] = mp.spawn(function()
          for k = 1, 2000 do
            q:put(k)
          end
        end)
      end
      for _ = 1, 4000 do
        local n = q:qsize()
        assert.is_true(n >= 0 and n <= 3)
        q:get()
      end
      for _, p in ipairs(team) do
        p:join()
        p:close()
      end
    end))
  end)

  describe("close", function()
    it("lets those who get drain the queue, then returns nil, 'closed'", within(5, function()
      local q <close> = mp.Queue()
      q:put(1)
      q:put(2)
      q:close()
      q:close()
      assert.equal(2, q:qsize())
      assert.is_false(q:empty())
      assert.is_false(q:full())
      assert.equal(1, q:get())
      assert.equal(2, q:get(0))
      assert.same({ nil, "closed" }, { q:get() })
      assert.same({ nil, "closed" }, { q:get(0) })
      assert.same({ nil, "closed" }, { q:get_many(5) })
    end))

    it("makes every put return nil, 'closed', in any process", within(10, function()
      local q <close> = mp.Queue()
      in_child(function() q:close() end)
      assert.same({ nil, "closed" }, { q:put(1) })
      assert.same({ nil, "closed" }, { q:put_nowait(1) })
      assert.same({ nil, "closed", 0 }, { q:put_many { 1, 2 } })
      assert.same({ nil, "closed" }, { q:put(("x"):rep(1000000)) })
      assert.equal(0, q:qsize())
    end))

    it("wakes those who wait, in every process", within(10, function()
      local empty <close> = mp.Queue()
      local full <close> = mp.Queue(1)
      full:put(1)
      local team = {}
      for i = 1, 2 do
        team[i] = mp.spawn(function() return select(2, empty:get()) end)
        team[i + 2] = mp.spawn(function() return select(2, full:put(2)) end)
      end
      mp.sleep(0.05)
      empty:close()
      full:close()
      for _, p in ipairs(team) do
        assert.equal("closed", p:result(5))
        p:close()
      end
    end))

    it("ends the loop over items()", within(10, function()
      local q <close> = mp.Queue()
      local p <close> = mp.spawn(function()
        for i = 1, 3 do
          q:put(i)
          mp.sleep(0.01)
        end
        q:close()
      end)
      assert.same({ 1, 2, 3, n = 0 }, drain(q))
      p:join()
    end))

    it("join_thread and cancel_join_thread do nothing", within(5, function()
      local q <close> = mp.Queue()
      q:put(1)
      assert.equal(0, select("#", q:join_thread()))
      assert.equal(0, select("#", q:cancel_join_thread()))
      assert.equal(1, q:get())
    end))
  end)

  describe("items", function()
    it("ends at a nil item, the documents' sentinel", within(5, function()
      local q <close> = mp.Queue()
      q:put_many { 1, 2, nil, 3, n = 4 }
      local got = {}
      for v in q:items() do
        got[#got + 1] = v
      end
      assert.same({ 1, 2 }, got)
      assert.equal(3, q:get())
    end))

    it("passes false through", within(5, function()
      local q <close> = mp.Queue()
      q:put(false)
      q:put(1)
      q:close()
      assert.same({ false, 1, n = 0 }, drain(q))
    end))
  end)

  describe("put_many", function()
    it("puts all values of a list, in order", within(5, function()
      local q <close> = mp.Queue()
      assert.is_true(q:put_many { 1, "two", { 3 }, 4.5 })
      assert.is_true(q:put_many {})
      assert.equal(4, q:qsize())
      assert.equal(1, q:get())
      assert.equal("two", q:get())
      assert.same({ 3 }, q:get())
      assert.equal(4.5, q:get())
    end))

    it("puts nil where the list has a length n", within(5, function()
      local q <close> = mp.Queue()
      q:put_many(table.pack(nil, 1, nil))
      assert.equal(3, q:qsize())
      assert.is_nil(q:get())
      assert.equal(1, q:get())
    end))

    it("puts long values and objects too", within(5, function()
      local q <close> = mp.Queue()
      local list = {}
      for i = 1, 200 do
        list[i] = i % 3 == 0 and ("x"):rep(i * 100) or i % 3 == 1 and { q, i } or i
      end
      assert.is_true(q:put_many(list))
      for i = 1, 200 do
        assert.same(list[i], q:get())
      end
    end))

    it("says how many were put when time runs out", within(5, function()
      local q <close> = mp.Queue(3)
      assert.same({ nil, "timeout", 3 }, { q:put_many({ 1, 2, 3, 4, 5 }, 0.01) })
      assert.equal(3, q:qsize())
      assert.equal(1, q:get())
    end))

    it("waits for room", within(10, function()
      local q <close> = mp.Queue(3)
      local p <close> = mp.spawn(function()
        local list = {}
        for i = 1, 100 do
          list[i] = i
        end
        return q:put_many(list)
      end)
      for i = 1, 100 do
        assert.equal(i, q:get())
      end
      assert.is_true(p:result())
    end))

    it("puts nothing when one value cannot be sent, and names it", within(5, function()
      local q <close> = mp.Queue()
      local bad = { 1, 2, { x = { coroutine.create(print) } } }
      assert.error_matches(function()
        q:put_many(bad)
      end, "cannot send value%[3%]%.x%[1%] %(a thread%)")
      assert.equal(0, q:qsize())
    end))

    it("checks its arguments", within(5, function()
      local q <close> = mp.Queue()
      assert.error_matches(function()
        q:put_many()
      end, "bad argument #1 to 'put_many' %(table expected")
      assert.error_matches(function() q:put_many({}, 0 / 0) end, "NaN")
      assert.error_matches(function() q:put_many { n = -1 } end, "field 'n' must be a count")
      assert.error_matches(function() q:put_many { n = "x" } end, "field 'n' must be a count")
    end))
  end)

  describe("get_many", function()
    it("takes what is there, at most so many", within(5, function()
      local q <close> = mp.Queue()
      q:put_many { 1, 2, nil, 4, n = 4 }
      assert.same({ 1, 2, n = 2 }, q:get_many(2))
      assert.same({ nil, 4, n = 2 }, q:get_many(100))
      assert.same({ nil, "timeout" }, { q:get_many(1, 0) })
      assert.same({ nil, "timeout" }, { q:get_many(1, 0.01) })
    end))

    it("waits for the first", within(10, function()
      local q <close> = mp.Queue()
      local p <close> = mp.spawn(function()
        mp.sleep(0.05)
        q:put "late"
      end)
      assert.same({ "late", n = 1 }, q:get_many(10))
      p:join()
    end))

    it("takes thousands at once, of every size", within(20, function()
      local q <close> = mp.Queue()
      local list = {}
      for i = 1, 5000 do
        list[i] = i % 100 == 0 and ("x"):rep(i * 10) or i
      end
      q:put_many(list)
      local i = 0
      while i < 5000 do
        local got = q:get_many(3000)
        for k = 1, got.n do
          assert.equal(list[i + k], got[k])
        end
        i = i + got.n
      end
      assert.is_true(q:empty())
    end))

    it("loses nothing to an item that cannot be decoded", within(10, function()
      local q <close> = mp.Queue()
      in_child(function()
        package.loaded["only.here"] = { f = function() end }
        q:put_many { 1, 2, package.loaded["only.here"], 4, 5, 6 }
      end)
      assert.same({ 1, 2, n = 2 }, q:get_many(10))
      assert.equal(3, q:qsize())
      assert.error_matches(function() q:get_many(10) end, "only%.here")
      assert.equal(4, q:get())
      assert.same({ 5, n = 1 }, q:get_many(1))
      assert.same({ 6, n = 1 }, q:get_many(10, 0))
      assert.same({ nil, "timeout" }, { q:get(0) })
    end))

    it("checks its arguments", within(5, function()
      local q <close> = mp.Queue()
      for _, n in ipairs { 0, -1 } do
        assert.error_matches(function()
          q:get_many(n)
        end, "bad argument #1 to 'get_many' %(maximum must be positive%)")
      end
      assert.error_matches(function() q:get_many() end, "number expected, got no value")
      assert.error_matches(function() q:get_many(1.5) end, "no integer representation")
      assert.error_matches(function() q:get_many(1, 0 / 0) end, "NaN")
    end))
  end)

  it("lets Ctrl-C through to who waits", within(30, function()
    for _, call in ipairs {
      "q:get()", "q:put(2)", "q:get_many(5)", "q:put_many { 2 }", "q:join()", "q:items()(q)",
    } do
      local full <const> = call:find "put" or call:find "join"
      local result = helper.run_lua(([[
        local mp = require "mp"
        local q = mp.JoinableQueue(1)
        %s
        os.execute("(sleep 0.05; kill -INT " .. mp.current_process().pid .. ") &")
        print(pcall(function() %s end))
        print(q:qsize())
      ]]):format(full and "q:put(1)" or "", call))
      local size <const> = full and 1 or 0
      assert.matches("^false\t[^\n]*interrupted!\n" .. size .. "\n$", result.out, result.err)
    end
  end))

  describe("maxsize", function()
    it("absent, zero or negative: there is no bound", within(5, function()
      for _, size in ipairs { 0, -1, false } do
        local q <close> = mp.Queue(size or nil)
        for i = 1, 1000 do
          assert.is_true(q:put(i, 0))
        end
        assert.is_false(q:full())
      end
    end))

    it("must be an integer", function()
      assert.error_matches(function()
        mp.Queue "many"
      end, "bad argument #1 to 'Queue' %(number expected, got string%)")
      assert.error_matches(function() mp.Queue(1.5) end, "number has no integer representation")
      assert.error_matches(function() mp.Queue(0 / 0) end, "number has no integer representation")
    end)
  end)

  it("takes a name, for messages", within(5, function()
    local q <close> = mp.Queue(5, { name = "jobs" })
    local r <close> = mp.Queue { name = "results" }
    assert.matches("^mp%.Queue: 0x%x+ %('jobs', open, 0 items%)$", tostring(q))
    assert.matches("'results'", tostring(r))
    assert.error_matches(function() mp.Queue(1, { nam = "x" }) end, "invalid option 'nam'")
    assert.error_matches(function() mp.Queue { name = 1 } end, "field 'name' must be a string")
    assert.error_matches(function() mp.Queue(1, "x") end, "table expected, got string")
  end))

  it("shows its state as a string", within(5, function()
    local q = mp.Queue()
    assert.matches("^mp%.Queue: 0x%x+ %(open, 0 items%)$", tostring(q))
    q:put(1)
    assert.matches("%(open, 1 item%)$", tostring(q))
    q:close()
    assert.matches("%(closed, 1 item%)$", tostring(q))
    do
      local _ <close> = q
    end
    assert.matches("^mp%.Queue: 0x%x+ %(closed%)$", tostring(q))
  end))

  it("left by its scope raises when it is used", within(5, function()
    local q = mp.Queue()
    do
      local _ <close> = q
    end
    for _, method in ipairs {
      "put", "get", "put_nowait", "get_nowait", "qsize", "empty", "full", "close", "items",
      "put_many", "get_many",
    } do
      assert.error_matches(function() q[method](q, 1) end, "attempt to use a closed Queue")
    end
    assert.error_matches(function() return #q end, "attempt to use a closed Queue")
  end))

  it("left by one process goes on for the others", within(10, function()
    local q <close> = mp.Queue()
    in_child(function()
      do
        local mine <close> = q
        mine:put "kept"
      end
    end)
    assert.equal("kept", q:get())
    assert.is_true(q:put(1))
  end))

  describe("a process that ends", function()
    it("leaves what it put: 64 MiB, joined before it is got", within(60, function()
      local q <close> = mp.Queue()
      local p <close> = mp.spawn(function() q:put(("x"):rep(64 << 20)) end)
      assert.is_true(p:join(30))
      assert.equal(0, p.exitcode)
      assert.equal(64 << 20, #q:get(0))
    end))

    it("leaves what it put: 10 000 items, joined before they are got", within(60, function()
      local q <close> = mp.Queue()
      local p <close> = mp.spawn(function()
        for i = 1, 10000 do
          q:put(i)
        end
      end)
      assert.is_true(p:join(30))
      assert.equal(0, p.exitcode)
      for i = 1, 10000 do
        assert.equal(i, q:get_nowait())
      end
    end))

    it("leaves a full queue that nobody reads", within(20, function()
      local q <close> = mp.Queue(2)
      local p <close> = mp.spawn(function()
        q:put(1)
        q:put(2)
        return select(2, q:put(3, 0.05))
      end)
      assert.equal("timeout", p:result(10))
      assert.equal(0, p.exitcode)
    end))

    it("leaves objects it sent alive in the queue", within(10, function()
      local q <close> = mp.Queue()
      in_child(function()
        local inner = mp.Queue()
        inner:put "inside"
        q:put { deep = { inner } }
      end)
      collectgarbage()
      assert.equal("inside", q:get().deep[1]:get())
    end))

    it("drops with the queue what was in it", within(10, function()
      do
        local q <close> = mp.Queue()
        for i = 1, 100 do
          q:put { mp.Queue(), i, ("x"):rep(i * 200) }
        end
        collectgarbage()
      end -- helper.leaks looks
    end))
  end)

  it("carries thousands of objects in one message", within(20, function()
    local q <close> = mp.Queue()
    local list = {}
    for i = 1, 2000 do
      list[i] = mp.Queue { name = tostring(i) }
    end
    q:put(list)
    local got = q:get()
    for i = 1, 2000 do
      assert.equal(list[i], got[i])
    end
  end))

  it("carries messages of hundreds of megabytes, or gigabytes", within(200, function()
    local q <close> = mp.Queue()
    local s = ("x"):rep(200 << 20)
    if os.getenv "MP_LONG" then
      s = s:rep(10) -- as much as rep gives
      s = s .. s
    end
    q:put(s)
    s = #s
    collectgarbage()
    local back = q:get()
    assert.equal(s, #back)
    assert.equal("x", back:sub(-1))
  end))

  it("gives memory back when it is drained", within(30, function()
    local q <close> = mp.Queue()
    q:put(1)
    q:get()
    local before = mp.stats().used
    for i = 1, 200000 do
      q:put(i)
    end
    local full = mp.stats().used
    assert.is_true(full - before >= 200000 * 8)
    for _ = 1, 200000 do
      q:get()
    end
    assert.is_true(mp.stats().used - before < 300000)
  end))

  it("exists ten thousand times at once", within(30, function()
    local list = {}
    for i = 1, 10000 do
      list[i] = mp.Queue()
      list[i]:put(i)
    end
    for i = 1, 10000 do
      assert.equal(i, list[i]:get())
      local _ <close> = list[i]
    end
  end))

  it("starves none of eight consumers", within(60, function()
    local q <close> = mp.Queue()
    local counts <close> = mp.Queue()
    local team = {}
    for i = 1, 8 do
      team[i] = mp.spawn(function()
        local n = 0
        counts:put "ready"
        for _ in q:items() do
          n = n + 1
          mp.sleep(0.001) -- the work
        end
        counts:put(n)
      end)
    end
    for _ = 1, 8 do
      counts:get()
    end
    for i = 1, 1600 do
      q:put(i)
    end
    q:close()
    local sum, least = 0, math.huge
    for _ = 1, 8 do
      local n = counts:get()
      sum, least = sum + n, math.min(least, n)
    end
    assert.equal(1600, sum)
    assert.is_true(least >= 20, ("one got %d of 1600"):format(least))
    for _, p in ipairs(team) do
      p:join()
      p:close()
    end
  end))
end)

describe("mp.JoinableQueue", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("is a queue", within(10, function()
    local q <close> = mp.JoinableQueue(2)
    assert.equal("JoinableQueue", mp.type(q))
    q:put(1)
    q:put(2)
    assert.same({ nil, "timeout" }, { q:put(3, 0) })
    assert.equal(2, #q)
    assert.matches("^mp%.JoinableQueue: 0x%x+ %(open, 2 items%)$", tostring(q))
    local other <close> = mp.Queue()
    other:put(q)
    assert.equal(q, other:get())
    assert.equal("JoinableQueue", in_child(function(given) return mp.type(given) end, q))
  end))

  it("stays joinable in a process that has never seen it", within(20, function()
    local q <close> = mp.JoinableQueue()
    q:put(1)
    local p <close> = mp.get_context("spawn").Process(function(given)
      given:get()
      given:task_done()
    end, q):start()
    assert.is_true(q:join(15))
    p:join()
  end))

  it("join waits until everything that was put is done", within(10, function()
    local q <close> = mp.JoinableQueue()
    assert.is_true(q:join())
    q:put_many { 1, 2, 3 }
    assert.same({ nil, "timeout" }, { q:join(0) })
    assert.same({ nil, "timeout" }, { q:join(0.01) })
    local p <close> = mp.spawn(function()
      for _ = 1, 3 do
        q:get()
        mp.sleep(0.01)
        q:task_done()
      end
    end)
    assert.is_true(q:join())
    assert.is_true(q:empty())
    p:join()
  end))

  it("task_done called too many times raises", within(10, function()
    local q <close> = mp.JoinableQueue()
    assert.error_matches(function() q:task_done() end, "task_done called too many times")
    q:put(1)
    q:task_done() -- in any process, before or after the get
    assert.error_matches(function() q:task_done() end, "task_done called too many times")
    assert.equal(1, q:get())
  end))

  it("counts what a killed consumer had in hand as unfinished", within(10, function()
    local q <close> = mp.JoinableQueue()
    q:put(1)
    q:put(2)
    local p <close> = mp.spawn(function()
      q:get()
      mp.sleep(60)
    end)
    helper.eventually(5, function() return q:qsize() == 1 end)
    p:kill()
    p:join()
    assert.equal(2, q:get())
    q:task_done()
    assert.same({ nil, "timeout" }, { q:join(0.01) })
    q:task_done() -- for the lost one
    assert.is_true(q:join(0))
  end))
end)

describe("mp.SimpleQueue", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("has put, get, empty and close, and nothing else", within(5, function()
    local q <close> = mp.SimpleQueue()
    assert.equal("SimpleQueue", mp.type(q))
    assert.is_true(q:empty())
    q:put { 1 }
    assert.is_false(q:empty())
    assert.same({ 1 }, q:get())
    assert.same({ nil, "timeout" }, { q:get(0) })
    q:close()
    assert.same({ nil, "closed" }, { q:put(1) })
    assert.same({ nil, "closed" }, { q:get() })
    for _, name in ipairs {
      "qsize", "full", "put_nowait", "get_nowait", "put_many", "get_many", "items", "join",
    } do
      assert.is_nil(q[name])
    end
    assert.matches("^mp%.SimpleQueue: 0x%x+ %(closed, 0 items%)$", tostring(q))
  end))

  it("stays simple when it travels", within(10, function()
    local q <close> = mp.SimpleQueue()
    in_child(function(given) given:put(mp.type(given)) end, q)
    assert.equal("SimpleQueue", q:get())
  end))
end)
