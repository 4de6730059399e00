-- under every start method
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

describe("mp.dict", function()
  before_each(helper.baseline)
  after_each(function()
    collectgarbage()
    collectgarbage()
    helper.leaks()
  end)

  it("is read and written like a table", within(5, function()
    local d = mp.dict { a = 1, [2] = "two", [true] = 2.5 }
    assert.equal(1, d.a)
    assert.equal("two", d[2])
    assert.equal("two", d[2.0])
    assert.equal(2.5, d[true])
    assert.is_nil(d.missing)
    assert.is_nil(d[{}])
    d.a = nil
    assert.is_nil(d.a)
    assert.equal("dict", mp.type(d))
    assert.equal(2, mp.dict.len(d))
  end))

  it("is one for all processes", within(10, function()
    local d = mp.dict()
    local workers = {}
    for i = 1, 4 do
      workers[i] = mp.spawn(function()
        d["worker" .. i] = { id = i }
        for _ = 1, 500 do
          mp.dict.incr(d, "count")
          mp.dict.update(d, "sum", function(old) return (old or 0) + i end)
        end
      end)
    end
    for _, p in ipairs(workers) do
      p:result()
    end
    assert.equal(2000, d.count)
    assert.equal(500 * 10, d.sum)
    assert.equal(3, d.worker3.id)
  end))

  it("shares the tables within it, alive", within(5, function()
    local d = mp.dict()
    d.a = {}
    mp.spawn(function()
      d.a.x = 1
      d.a.b = { c = { k = 2 } }
    end):join()
    assert.equal(1, d.a.x)
    assert.equal(2, d.a.b.c.k)
    assert.same({ a = { x = 1, b = { c = { k = 2 } } } }, mp.dict.copy(d))
  end))

  it("counts with # what a table would", within(5, function()
    local d = mp.dict { "a", "b", "c", x = 1 }
    assert.equal(3, #d)
    d[4] = "d"
    assert.equal(4, #d)
    assert.equal(5, mp.dict.len(d))
  end))

  it("is walked as it was at one instant", within(5, function()
    local d = mp.dict { a = 1, b = 2, c = 3 }
    local seen = {}
    for k, v in pairs(d) do
      d[k] = nil
      d["new" .. k] = v
      seen[k] = v
    end
    assert.same({ a = 1, b = 2, c = 3 }, seen)
  end))

  it("has functions for the rest", within(5, function()
    local d = mp.dict { a = 1 }
    assert.equal(1, mp.dict.get(d, "a", 5))
    assert.equal(5, mp.dict.get(d, "b", 5))
    assert.equal(7, mp.dict.setdefault(d, "b", 7))
    assert.equal(7, mp.dict.setdefault(d, "b", 8))
    assert.equal(7, mp.dict.pop(d, "b"))
    assert.is_nil(mp.dict.pop(d, "b"))
    assert.equal("none", mp.dict.pop(d, "b", "none"))
    assert.same({ "a" }, mp.dict.keys(d))
    assert.same({ 1 }, mp.dict.values(d))
    assert.same({ { "a", 1 } }, mp.dict.items(d))
    mp.dict.merge(d, { b = 2, c = 3 })
    assert.equal(3, mp.dict.len(d))
    assert.equal(12, mp.dict.incr(d, "n", 2, 10))
    assert.equal(13, mp.dict.incr(d, "n"))
    assert.equal(13.5, mp.dict.incr(d, "n", 0.5))
    local k, v = mp.dict.popitem(d)
    assert.same({ "n", 13.5 }, { k, v })
    mp.dict.clear(d)
    assert.equal(0, mp.dict.len(d))
    assert.is_nil(mp.dict.popitem(d))
  end))

  it("forgets a value after its time to live", within(5, function()
    local d = mp.dict()
    mp.dict.set(d, "a", 1, 0.03)
    mp.dict.set(d, "b", 2)
    assert.equal(1, d.a)
    helper.eventually(3, function() return d.a == nil end)
    assert.equal(2, d.b)
    assert.equal(1, mp.dict.len(d))
  end))

  it("keeps the value when the function of an update raises", within(5, function()
    local d = mp.dict { a = 1 }
    assert.error_matches(function()
      mp.dict.update(d, "a", function() error "no" end)
    end, "no")
    assert.equal(1, d.a)
    mp.dict.update(d, "a", function() return nil end)
    assert.is_nil(d.a)
  end))

  it("holds mp's objects", within(5, function()
    local d = mp.dict()
    local a, b = mp.Pipe()
    d.conn = b
    b:close()
    d.conn:send "kept alive by the dict"
    assert.equal("kept alive by the dict", a:recv())
    d.conn = nil
    collectgarbage()
    assert.same({ nil, "closed" }, { a:recv() })
    a:close()
  end))

  it("can be sent anywhere, and is the same there", within(5, function()
    local d = mp.dict()
    local a, b <close> = mp.Pipe()
    a:send(d)
    assert.equal(d, b:recv())
    d.me = d
    assert.equal(d, d.me)
    d.me = nil
    a:close()
  end))

  it("prints what is in it", within(5, function()
    assert.equal('mp.dict: {a = 1}', tostring(mp.dict { a = 1 }))
    local d = mp.dict()
    d["no name"] = { x = "s" }
    assert.equal('mp.dict: {["no name"] = {x = "s"}}', tostring(d))
  end))

  it("takes tables at any depth", within(20, function()
    local t, depth = {}, 20000
    local last = t
    for i = 1, depth do
      last[i % 2 == 0 and "next" or 1] = {}
      last = last[i % 2 == 0 and "next" or 1]
    end
    last[1] = "end"
    local d <const> = mp.dict { t = t }
    local shared, copy = d.t, mp.dict.copy(d).t
    for i = 1, depth do
      shared = shared[i % 2 == 0 and "next" or 1]
      copy = copy[i % 2 == 0 and "next" or 1]
    end
    assert.equal("end", shared[1])
    assert.equal("end", copy[1])
  end))

  it("tells the way to what it refuses, and its caller's line", within(5, function()
    local d <const>, l <const> = mp.dict(), mp.list()
    local deep, way = { io.stdout }, {}
    for i = 300, 1, -1 do
      deep = { ["x" .. i] = deep }
      way[i] = ".x" .. i
    end
    local file <const> = " (a FILE*)"
    local all <const> = "cannot send value" .. table.concat(way) .. "[1]" .. file
    for text, f in pairs {
      [all] = function() d.t = deep end,
      ["cannot send value.a[2].b" .. file] = function()
        mp.dict.merge(d, { a = { 1, { b = io.stdout } } })
      end,
      ["cannot send value.c[1]" .. file] = function()
        mp.dict.update(d, "k", function() return { c = { io.stdout } } end)
      end,
      ["cannot send value[3]" .. file] = function() mp.list { 1, 2, io.stdout } end,
      ["cannot send value[2][2]" .. file] = function() l:append { 1, { 2, io.stdout } } end,
      ["key must be a string, number or boolean, not a table (in value.e.f)"] = function()
        mp.dict.merge(d, { e = { f = { [{}] = 1 } } })
      end,
      ["key must be a string, number or boolean, not nil"] = function()
        mp.dict.update(d, nil, print)
      end,
      ["key must not be NaN"] = function() mp.dict.update(d, 0 / 0, print) end,
    } do
      local ok <const>, message <const> = pcall(f)
      assert.is_false(ok)
      assert.equal(text, (message:gsub("^[^:]*dict_spec%.lua:%d+: ", "")))
      assert.matches("^[^:]*dict_spec%.lua:%d+: ", message)
    end
    assert.equal(0, mp.dict.len(d) + #l)
  end))

  it("refuses what cannot be", function()
    local d = mp.dict()
    assert.error_matches(function()
      d[{}] = 1
    end, "key must be a string, number or boolean, not a table")
    assert.error_matches(function() d[0 / 0] = 1 end, "key must not be NaN")
    assert.error_matches(function()
      d.x = coroutine.create(print)
    end, "cannot send value %(a thread%)")
    assert.error_matches(function() mp.dict(5) end, "table expected, got number")
    assert.error_matches(function() mp.dict({}, { nmae = "x" }) end, "invalid option 'nmae'")
    assert.error_matches(function() mp.dict.get({}, "x") end, "mp%.dict expected, got table")
    d.s = "text"
    assert.error_matches(function() mp.dict.incr(d, "s") end, "no number")
    assert.equal(1, mp.dict.len(d))
  end)

  it("survives writers killed at random instants", within(60, function()
    helper.seed()
    local d = mp.dict()
    for _ = 1, 25 do
      local p = mp.spawn(function()
        while true do
          local k = math.random(30)
          d[k] = { k, ("v"):rep(math.random(300)) }
          mp.dict.set(d, -k, ("w"):rep(math.random(20000)))
          mp.dict.update(d, "pair", function(old)
            local n = old and tonumber(old:match "^%d+") + 1 or 1
            return n .. " " .. n
          end)
        end
      end)
      mp.sleep(math.random() * 0.02)
      p:kill()
      p:join()
      local pair = d.pair
      if pair then
        local x, y = pair:match "^(%d+) (%d+)$"
        assert.equal(x, y)
      end
      for k, v in pairs(d) do
        if math.type(k) == "integer" and k > 0 then
          assert.equal(k, v[1])
        end
      end
    end
    mp.dict.clear(d)
  end))
end)
