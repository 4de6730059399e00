-- under every start method
local helper = require "spec.helper"
local core = require "mp.core"
local mp = require "mp"

local within <const> = helper.within

describe("mp.list", function()
  before_each(helper.baseline)
  after_each(function()
    collectgarbage()
    collectgarbage()
    helper.leaks()
    assert.equal(0, core.check())
  end)

  it("is read like a table", within(5, function()
    local l = mp.list { "a", 2, 2.5, true }
    assert.equal(4, #l)
    assert.equal("a", l[1])
    assert.equal(2, l[2])
    assert.equal("integer", math.type(l[2]))
    assert.equal(2.5, l[3])
    assert.equal(true, l[4])
    assert.is_nil(l[0])
    assert.is_nil(l[5])
    assert.is_nil(l[-1])
    assert.is_nil(l[1.5])
    assert.equal(2, l[2.0])
    assert.is_nil(l.missing)
    assert.is_nil(l[{}])
    assert.equal("list", mp.type(l))
    assert.equal(0, #mp.list())
  end))

  it("is written like a table, from 1 to one behind the end", within(5, function()
    local l = mp.list()
    l[1] = "a"
    l[#l + 1] = "b"
    l[2] = "B"
    assert.same({ "a", "B" }, l:copy())
    assert.error_matches(function() l[4] = 1 end, "index 4 out of range")
    assert.error_matches(function() l[0] = 1 end, "index 0 out of range")
    assert.error_matches(function() l.x = 1 end, "index of a list must be an integer, not string")
    assert.error_matches(function() l[1.5] = 1 end, "must be an integer, not 1.5")
    assert.error_matches(function() l[1] = nil end, "cannot assign nil")
    assert.same({ "a", "B" }, l:copy())
  end))

  it("is one for all processes", within(20, function()
    local l = mp.list()
    local workers = {}
    for i = 1, 4 do
      workers[i] = mp.spawn(function()
        for k = 1, 500 do
          l:append(i * 1000 + k)
        end
      end)
    end
    for _, p in ipairs(workers) do
      p:result()
    end
    assert.equal(2000, #l)
    local last = { 0, 0, 0, 0 }
    for _, v in ipairs(l) do
      local i, k = v // 1000, v % 1000
      assert.equal(last[i] + 1, k) -- each in its order
      last[i] = k
    end
    assert.same({ 500, 500, 500, 500 }, last)
  end))

  it("inserts and pops anywhere", within(5, function()
    local l, t = mp.list(), {}
    helper.seed()
    for i = 1, 600 do
      local at = math.random(#t + 1)
      table.insert(t, at, i)
      l:insert(at, i)
    end
    assert.same(t, l:copy())
    for _ = 1, 600 do
      local at = math.random(#t)
      assert.equal(table.remove(t, at), l:pop(at))
    end
    assert.is_nil(l:pop())
    assert.is_nil(l:pop(1))
    l:insert "x"
    assert.error_matches(function() l:pop(2) end, "position out of bounds")
    assert.error_matches(function() l:pop(0) end, "position out of bounds")
    assert.error_matches(function() l:insert(3, 1) end, "position out of bounds")
    assert.error_matches(function() l:insert(0, 1) end, "position out of bounds")
    assert.equal("x", l:pop())
  end))

  it("finds what is equal", within(5, function()
    local q <close> = mp.SimpleQueue()
    local l = mp.list { 1, "a", 2.0, 1, "1", true, q, { x = 1 } }
    assert.equal(1, l:index(1))
    assert.equal(1, l:index(1.0))
    assert.equal(4, l:index(1, 2))
    assert.equal(3, l:index(2))
    assert.equal(5, l:index "1")
    assert.equal(6, l:index(true))
    assert.equal(7, l:index(q))
    assert.equal(8, l:index(l[8]))
    assert.is_nil(l:index(false))
    assert.is_nil(l:index { x = 1 }) -- another table
    assert.equal(2, l:count(1))
    assert.equal(0, l:count "b")
    assert.equal(1, l:remove(1.0))
    assert.equal(3, l:remove(1))
    assert.is_nil(l:remove(1))
    assert.equal("a", l[1])
    assert.equal(6, #l)
  end))

  it("extends by all items of a list, at once", within(20, function()
    local l = mp.list()
    local many = {}
    for i = 1, 1000 do
      many[i] = i
    end
    local p = mp.spawn(function()
      while #l % 1000 == 0 and #l < 20000 do
        l:count(-1)
      end
      return #l
    end)
    for _ = 1, 20 do
      l:extend(many)
    end
    assert.equal(20000, p:result(15))
    l:clear()
    l:extend {}
    l:extend(mp.list { 1, { 2 } })
    l:extend(table.pack(nil, 3))
    l:extend(l)
    assert.equal(8, #l)
    assert.equal(2, l[2][1])
    assert.is_nil(l[3])
    assert.equal(3, l[8])
    assert.error_matches(function() l:extend(5) end, "table expected, got number")
  end))

  it("sorts as Python does: equal items keep their order", within(10, function()
    local l = mp.list { 3, 1, 2 }
    l:sort()
    assert.same({ 1, 2, 3 }, l:copy())
    l:sort(function(a, b) return a > b end)
    assert.same({ 3, 2, 1 }, l:copy())
    l:clear()
    helper.seed()
    for i = 1, 500 do
      l:append { key = math.random(10), i = i }
    end
    l:sort(function(a, b) return a.key < b.key end)
    local t = l:copy()
    for i = 2, 500 do
      local a, b = t[i - 1], t[i]
      assert.is_true(a.key < b.key or a.key == b.key and a.i < b.i)
    end
    assert.error_matches(function() l:sort(function() error "no" end) end, "no")
    assert.error_matches(function() l:sort(5) end, "function expected, got number")
    assert.error_matches(function() mp.list({ 1, "a" }):sort() end, "attempt to compare")
    mp.list():sort()
    mp.list():reverse()
  end))

  it("is turned round", within(5, function()
    local l = mp.list()
    for i = 1, 300 do
      l:append(i)
    end
    l:reverse()
    for i = 1, 300 do
      assert.equal(301 - i, l[i])
    end
  end))

  it("loses nothing that is added while it is sorted", within(30, function()
    local l = mp.list()
    local p = mp.spawn(function()
      for i = 1, 2000 do
        l:append(i * 7919 % 2000)
      end
    end)
    repeat
      l:sort()
      local before = l:copy()
      assert.is_true(#before <= 2000)
    until not p:is_alive()
    p:result()
    l:sort()
    for i = 1, 2000 do
      assert.equal(i - 1, l[i])
    end
  end))

  it("shares the tables within it, alive", within(10, function()
    local l = mp.list { { 1, 2 }, { x = { "deep" } } }
    mp.spawn(function()
      l[1]:append(3)
      l[2].x[1] = "deeper"
      l:append { l[2] }
    end):join()
    assert.same({ { 1, 2, 3 }, { x = { "deeper" } }, { { x = { "deeper" } } } }, l:copy())
    assert.equal(l[2], l[3][1])
  end))

  it("takes cycles", within(5, function()
    local t = { 1 }
    t[2] = { back = t }
    local l = mp.list(t)
    assert.equal(l, l[2].back)
    local copy = l:copy()
    assert.equal(copy, copy[2].back)
    assert.equal("mp.list: {1, {back = {...}}}", tostring(l))
    l:clear()
  end))

  it("is walked as it was at one instant", within(5, function()
    local l = mp.list { "a", "b", "c" }
    local seen = {}
    for i, v in pairs(l) do
      l:pop()
      seen[i] = v
    end
    assert.same({ "a", "b", "c" }, seen)
    assert.equal(0, #l)
  end))

  it("holds nil where a table cannot", within(5, function()
    local l = mp.list(table.pack(1, nil, nil))
    l:append(nil)
    assert.equal(4, #l)
    assert.is_nil(l:pop())
    assert.equal(3, #l)
    local n = 0
    for i, v in pairs(l) do
      n = n + 1
      assert.is_true(i == 1 or v == nil)
    end
    assert.equal(3, n)
  end))

  it("prints what is in it", within(5, function()
    assert.equal("mp.list: {}", tostring(mp.list()))
    local l = mp.list { 1, "a\n", { x = 1 } }
    assert.equal([[mp.list: {1, "a\n", {x = 1}}]], tostring(l))
    for i = 1, 100 do
      l:append(i)
    end
    assert.matches("... 83 more}$", tostring(l))
  end))

  it("refuses what cannot be", within(5, function()
    local l = mp.list()
    assert.error_matches(function() l:append() end, "bad argument #1 to 'append'")
    assert.error_matches(function()
      l:append { 1, { x = coroutine.create(print) } }
    end, "^cannot send value%[2%].x %(a thread%)")
    assert.error_matches(function()
      l:append { x = { 1, coroutine.create(print) } }
    end, "^cannot send value%.x%[2%] %(a thread%)")
    assert.error_matches(function()
      l:extend { 1, coroutine.create(print) }
    end, "^cannot send value%[2%] %(a thread%)")
    assert.error_matches(function()
      l:extend { 1, { 2, { y = coroutine.create(print) } } }
    end, "^cannot send value%[2%]%[2%]%.y %(a thread%)")
    assert.error_matches(function() mp.list(5) end, "table expected, got number")
    assert.error_matches(function() mp.list({}, { nmae = "x" }) end, "invalid option 'nmae'")
    assert.error_matches(function() l.append(5, 1) end, "mp.list expected, got number")
    assert.error_matches(function() l:sort "x" end, "function expected")
    assert.equal(0, #l)
  end))

  it("can be sent anywhere, and is the same there", within(5, function()
    local l = mp.list { 1 }
    local a, b <close> = mp.Pipe()
    a:send { deep = l }
    assert.equal(l, b:recv().deep)
    a:close()
    assert.equal(6, mp.spawn(function(other)
      other:extend { 2, 3 }
      return other[1] + other[2] + other[3]
    end, l):result())
    assert.equal(3, #l)
  end))

  it("survives writers killed at random instants", within(60, function()
    helper.seed()
    local l = mp.list()
    for _ = 1, 25 do
      local p = mp.spawn(function()
        while true do
          local way = math.random(5)
          local text = ("v"):rep(math.random(2000))
          local item = #text .. text
          if way <= 2 or #l == 0 then
            l:append(item)
          elseif way == 3 then
            l:insert(math.random(#l), item)
          elseif way == 4 then
            l:pop(math.random(#l))
          else
            l:reverse()
          end
        end
      end)
      mp.sleep(math.random() * 0.02)
      p:kill()
      p:join()
      for _, item in ipairs(l:copy()) do
        local size, text = item:match "^(%d+)(v*)$"
        assert.equal(tonumber(size), #text)
      end
    end
    l:clear()
  end))
end)
