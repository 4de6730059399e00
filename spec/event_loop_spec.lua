-- under every start method
-- Objects of mp in event loops of others: cqueues, LuaSocket's select, luv, and
-- a scheduler of thirty lines.
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

local function optional(name)
  local ok, module = pcall(require, name)
  if not ok then
    pending("the module " .. name .. " is not installed")
  end
  return module
end

-- A child that answers n messages with their doubles, a little later.
local function doubler(conn, n)
  return mp.spawn(function()
    for _ = 1, n do
      mp.sleep(0.002)
      conn:send(conn:recv() * 2)
    end
  end)
end

describe("mp.wait", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("returns the very objects that are ready", within(5, function()
    local a, b <close> = mp.Pipe()
    local c, d <close> = mp.Pipe()
    assert.same({}, mp.wait({ a, c }, 0))
    assert.same({}, mp.wait({ a, c }, 0.01))
    d:send(1)
    local ready = mp.wait { a, c }
    assert.equal(1, #ready)
    assert.equal(c, ready[1])
    b:send(2)
    assert.same(2, #mp.wait { a, c })
    a:close() c:close()
  end))

  it("takes processes, descriptors and connections together", within(5, function()
    local a, b <close> = mp.Pipe()
    local p = mp.spawn(function() b:recv() end)
    assert.same({}, mp.wait({ p, p.sentinel, b }, 0.01))
    a:send(1)
    local ready = mp.wait { p }
    assert.equal(p, ready[1])
    assert.same({ p.sentinel }, mp.wait { p.sentinel })
    p:join()
    assert.same({ p }, mp.wait { p })
    a:close()
  end))

  it("returns an object that was given twice once", within(5, function()
    local a, b <close> = mp.Pipe()
    b:send(1)
    assert.equal(1, #mp.wait { a, a })
    a:close()
  end))

  it("counts the end of a pipe as ready", within(5, function()
    local a, b = mp.Pipe()
    b:close()
    assert.same({ a }, mp.wait { a })
    a:close()
  end))

  it("sees a killed peer", within(5, function()
    local a, b = mp.Pipe()
    local p = mp.spawn(function() a:close() while true do end end)
    b:close()
    p:kill()
    assert.same({ a }, mp.wait({ a }, 4))
    p:join()
    a:close()
  end))

  it("wakes up for a message that comes later", within(5, function()
    local a, b <close> = mp.Pipe()
    local p = doubler(b, 1)
    a:send(21)
    assert.same({ a }, mp.wait { a })
    assert.equal(42, a:recv())
    p:join()
    a:close()
  end))

  it("waits for a thousand objects", within(10, function()
    local list, others = {}, {}
    for i = 1, 500 do
      list[i], others[i] = mp.Pipe()
    end
    assert.same({}, mp.wait(list, 0))
    others[321]:send(1)
    assert.same({ list[321] }, mp.wait(list, 5))
    for i = 1, 500 do
      list[i]:close()
      others[i]:close()
    end
  end))

  it("refuses what cannot be waited for", within(5, function()
    local a, b = mp.Pipe()
    a:close()
    assert.error_matches(function()
      mp.wait { a }
    end, "cannot wait for element 1 %(a closed Connection%)")
    assert.error_matches(function()
      mp.wait { {} }
    end, "cannot wait for element 1 %(a table%)")
    assert.error_matches(function() mp.wait { 9999 } end, "Bad file descriptor")
    for _, fd in ipairs { -1, 1 << 31, 1 << 32 } do
      assert.error_matches(function()
        mp.wait { fd }
      end, "cannot wait for element 1 %(%-?%d+ is no descriptor%)")
    end
    assert.error_matches(function() mp.wait(5) end, "table expected")
    assert.error_matches(function() mp.wait({}, 0 / 0) end, "NaN")
    b:close()
  end))
end)

describe("in an event loop", function()
  setup(function()
    -- luv keeps the descriptors of its loop.
    local ok, uv = pcall(require, "luv")
    if ok then
      uv.new_poll(mp.getfd()):close()
      uv.run()
    end
  end)

  before_each(helper.baseline)
  after_each(helper.leaks)

  it("of cqueues, a connection can be polled", within(20, function()
    local cqueues = optional "cqueues"
    local a, b = mp.Pipe()
    local p = doubler(b, 10)
    local sum, ticks = 0, 0
    local loop = cqueues.new()
    loop:wrap(function()
      for i = 1, 10 do
        a:send(i)
        while not a:poll() do
          cqueues.poll(a, 1)
        end
        sum = sum + a:recv()
      end
    end)
    loop:wrap(function()
      while sum < 110 do
        ticks = ticks + 1
        cqueues.sleep(0.001)
      end
    end)
    assert(loop:loop())
    assert.equal(110, sum)
    assert.is_true(ticks > 1)
    p:join()
    a:close() b:close()
  end))

  it("of LuaSocket, select sees it", within(20, function()
    local socket = optional "socket"
    local a, b = mp.Pipe()
    local p = doubler(b, 10)
    local sum = 0
    for i = 1, 10 do
      a:send(i)
      repeat
        local ready = socket.select({ a }, nil, 5)
      until ready[1] == a and a:poll()
      sum = sum + a:recv()
    end
    assert.equal(110, sum)
    p:join()
    a:close() b:close()
  end))

  it("of luv, a poll handle on mp.getfd() sees it", within(20, function()
    local uv = optional "luv"
    local a, b = mp.Pipe()
    local p = doubler(b, 10)
    local sum, i = 0, 1
    a:send(i)
    local poll = assert(uv.new_poll(mp.getfd()))
    local function look()
      while a:timeout() == 0 do -- ready; or else the descriptor will tell
        sum = sum + a:recv()
        if i == 10 then
          poll:stop()
          poll:close()
          return
        end
        i = i + 1
        a:send(i)
      end
    end
    poll:start("r", look)
    look()
    uv.run()
    assert.equal(110, sum)
    p:join()
    a:close() b:close()
  end))

  it("of any kind, processes, results and listeners are seen", within(20, function()
    -- As every loop does: ask, and sleep on the descriptor.
    local function until_ready(object)
      assert.equal("r", object:events())
      assert.equal(object:pollfd(), object:getfd())
      local limit = object:timeout()
      while limit ~= 0 do
        local rang = mp.wait({ object:pollfd() }, limit or 10)
        assert.is_true(#rang == 1 or limit ~= nil)
        limit = object:timeout()
      end
      assert.is_true(object:dirty())
    end
    local a, b <close> = mp.Pipe()
    local p <close> = mp.spawn(function() b:recv() end)
    assert.is_nil(p:timeout())
    a:send(1)
    until_ready(p)
    local pool <close> = mp.Pool(1)
    local r = pool:apply_async(function() return b:recv() end)
    assert.is_true(r:timeout() > 0)
    a:send(2)
    until_ready(r)
    assert.equal(2, r:get(0))
    local many = pool:map_async(function(x) return x * b:recv() end, { 1, 2 })
    assert.is_false(many:dirty())
    a:send(3)
    a:send(3)
    until_ready(many)
    assert.same({ 3, 6, n = 2 }, many:get(0))
    local doomed = pool:apply_async(function()
      b:recv()
      os.execute("kill -9 $PPID")
    end)
    a:send(4)
    until_ready(doomed)
    assert.equal("lost", select(2, doomed:pget(0)).kind)
    local l <close> = mp.Listener()
    assert.is_nil(l:timeout())
    local address <const> = l.address
    local client <close> = mp.spawn(function() mp.Client(address):send(1) end)
    until_ready(l)
    local c <close> = l:accept()
    assert.equal(1, c:recv())
    assert.is_true(client:join())
    a:close()
  end))

  it("of coroutines, thirty lines are a scheduler", within(20, function()
    -- Tasks yield what they wait for.
    local tasks = {}
    local function go(f, ...)
      local co = coroutine.create(f)
      local _, waits = assert(coroutine.resume(co, ...))
      if coroutine.status(co) ~= "dead" then
        tasks[#tasks + 1] = { co = co, waits = waits }
      end
    end
    local function loop()
      while #tasks > 0 do
        local list = {}
        for i, task in ipairs(tasks) do
          list[i] = task.waits
        end
        local ready = {}
        for _, object in ipairs(mp.wait(list)) do
          ready[object] = true
        end
        for i = #tasks, 1, -1 do
          local task = tasks[i]
          if ready[task.waits] then
            table.remove(tasks, i)
            go(function()
              while true do
                local _, waits = assert(coroutine.resume(task.co))
                if coroutine.status(task.co) == "dead" then
                  return
                end
                coroutine.yield(waits)
              end
            end)
          end
        end
      end
    end

    local total = 0
    local conns = {}
    for k = 1, 3 do
      local a, b = mp.Pipe()
      conns[#conns + 1], conns[#conns + 2] = a, b
      doubler(b, 5)
      go(function()
        for i = 1, 5 do
          a:send(i * k)
          while not a:poll() do
            coroutine.yield(a)
          end
          total = total + a:recv()
        end
      end)
    end
    loop()
    assert.equal(180, total)
    for _, p in ipairs(mp.active_children()) do
      p:join()
    end
    for _, c in ipairs(conns) do
      c:close()
    end
  end))
end)
