local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

describe("mp.list", function()
  before_each(helper.baseline)
  after_each(function()
    collectgarbage()
    collectgarbage()
    helper.leaks()
  end)

  it("is read and written like a table", within(5, function()
    local l = mp.list { "a", "b" }
    assert.equal(2, #l)
    assert.equal("a", l[1])
    assert.is_nil(l[0])
    assert.is_nil(l[3])
    l[2] = "B"
    assert.same({ "a", "B" }, l:copy())
    local seen = {}
    for i, v in ipairs(l) do
      seen[i] = v
    end
    assert.same({ "a", "B" }, seen)
    assert.equal("list", mp.type(l))
  end))

  it("refuses to be written outside", within(5, function()
    local l = mp.list { 1 }
    for _, i in ipairs { 0, -1, 2 } do
      assert.error_matches(function() l[i] = 5 end, "out of range")
    end
    assert.error_matches(function() l.x = 5 end, "list index must be an integer, not a string")
    assert.error_matches(function() l[1] = coroutine.create(print) end, "cannot send value")
    assert.same({ 1 }, l:copy())
  end))

  it("has a list's methods", within(5, function()
    local l = mp.list()
    l:append(3)
    l:insert(1, 1)
    l:insert(2, 2)
    l:insert(9)
    assert.same({ 1, 2, 3, 9 }, l:copy())
    assert.equal(9, l:pop())
    assert.equal(2, l:pop(2))
    assert.is_nil(l:pop(7))
    l:extend { 3, 1 }
    assert.same({ 1, 3, 3, 1 }, l:copy())
    assert.equal(2, l:index(3))
    assert.equal(3, l:index(3, 3))
    assert.is_nil(l:index(99))
    assert.equal(2, l:count(1))
    assert.is_true(l:remove(3))
    assert.is_false(l:remove(99))
    assert.same({ 1, 3, 1 }, l:copy())
    l:sort()
    assert.same({ 1, 1, 3 }, l:copy())
    l:sort(function(a, b) return a > b end)
    assert.same({ 3, 1, 1 }, l:copy())
    l:reverse()
    assert.same({ 1, 1, 3 }, l:copy())
    l:clear()
    assert.equal(0, #l)
    assert.is_nil(l:pop())
    assert.error_matches(function() l:insert(5, 1) end, "position out of bounds")
    assert.error_matches(function() l:extend(5) end, "table expected, got number")
  end))

  it("is one for all processes", within(10, function()
    local l = mp.list()
    local workers = {}
    for i = 1, 4 do
      workers[i] = mp.spawn(function()
        for k = 1, 200 do
          l:append { worker = i, k = k }
        end
      end)
    end
    for _, p in ipairs(workers) do
      p:result()
    end
    assert.equal(800, #l)
    local last = { 0, 0, 0, 0 }
    for _, item in ipairs(l) do
      assert.equal(last[item.worker] + 1, item.k)
      last[item.worker] = item.k
    end
    l:clear()
  end))

  it("shares the tables within it, alive", within(5, function()
    local l = mp.list { { n = 1 } }
    mp.spawn(function() l[1].n = 2 end):join()
    assert.equal(2, l[1].n)
    local d = mp.dict { seq = { 1, 2 }, map = {} }
    assert.equal("list", mp.type(d.seq))
    assert.equal("dict", mp.type(d.map))
    mp.spawn(function() d.seq:append(3) end):join()
    assert.same({ seq = { 1, 2, 3 }, map = {} }, mp.dict.copy(d))
  end))

  it("prints what is in it", within(5, function()
    assert.equal('mp.list: {1, "two", {a = 1}}', tostring(mp.list { 1, "two", { a = 1 } }))
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
