-- under every start method
-- time limit: 200 s
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

-- A deep copy of what a frozen table holds.
local function thaw(f, seen)
  if mp.type(f) ~= "Frozen" then
    return f
  end
  seen = seen or {}
  if not seen[f] then
    local t <const> = {}
    seen[f] = t
    for k, v in pairs(f) do t[k] = thaw(v, seen) end
  end
  return seen[f]
end

describe("mp.freeze", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("makes an image that reads as the table", function()
    local t <const> = {
      1, 2.5, "three", true, false,
      name = "x", [0] = "zero", [-1] = "negative", [2.5] = "float", [true] = "yes", [false] = "no",
      [math.mininteger] = "least", [1 / 0] = "inf", [""] = "empty", ["\0"] = "\0",
      list = { 1, 2, 3 }, deep = { { { "bottom" } } },
    }
    local f <close> = mp.freeze(t)
    assert.same(t, thaw(f))
    assert.equal("zero", f[0])
    assert.equal("float", f[2.5])
    assert.equal("yes", f[true])
    assert.equal("no", f[false])
    assert.equal("least", f[math.mininteger])
    assert.equal("inf", f[1 / 0])
    assert.equal("empty", f[""])
    assert.equal("\0", f["\0"])
    assert.equal("bottom", f.deep[1][1][1])
    assert.equal("float", math.type(f[2]))
    assert.equal("integer", math.type(f[1]))
    assert.equal(2.5, f[2.0])
  end)

  it("answers nil for what is not there", function()
    local f <close> = mp.freeze { 1, 2, x = 1 }
    for _, key in ipairs { 0, 3, -1, 1.5, "y", "", true, {}, print, 0 / 0, math.maxinteger } do
      assert.is_nil(f[key])
    end
  end)

  it("has a length and works with Lua's functions on lists", function()
    local f <close> = mp.freeze { 5, 3, 1, n = 3 }
    assert.equal(3, #f)
    local seen = {}
    for i, v in ipairs(f) do seen[i] = v end
    assert.same({ 5, 3, 1 }, seen)
    assert.same({ 5, 3, 1 }, { table.unpack(f) })
    assert.equal("5 3 1", table.concat(f, " "))
    assert.same({ 5, 3, 1 }, table.move(f, 1, #f, 1, {}))
    local empty <close> = mp.freeze {}
    assert.equal(0, #empty)
    for _ in pairs(empty) do error "an empty table has pairs" end
  end)

  it("takes lists with holes", function()
    local t <const> = { 1, 2, nil, 4, nil, 6 }
    local f <close> = mp.freeze(t)
    assert.same(t, thaw(f))
    assert.equal(6, f[6])
    assert.is_nil(f[3])
    assert.equal(2, #f)
  end)

  it("keeps shared references and cycles", function()
    local shared <const> = { "shared" }
    local t <const> = { a = shared, b = shared }
    t.self = t
    shared.up = t
    local f <close> = mp.freeze(t)
    assert.is_true(f.a == f.b)
    assert.is_true(f.self == f)
    assert.is_true(f.a.up.self.b == f.a)
    assert.is_true(rawequal(f.a, f.a))
  end)

  it("cannot be modified", function()
    local f <close> = mp.freeze { 1, 0, sub = {} }
    for _, change in ipairs {
      function() f[1] = 2 end, function() f.x = 1 end, function() f.sub.x = 1 end,
      function() f[3] = nil end, function() table.insert(f, 1) end, function() table.sort(f) end,
    } do
      assert.error_matches(change, "attempt to modify a frozen table")
    end
    assert.equal(1, f[1])
  end)

  it("is a copy: later changes of the table do not show", function()
    local t <const> = { 1, sub = { x = 1 } }
    local f <close> = mp.freeze(t)
    t[1], t.sub.x, t.new = 2, 2, 2
    assert.equal(1, f[1])
    assert.equal(1, f.sub.x)
    assert.is_nil(f.new)
  end)

  it("holds every string as it was", within(30, function()
    helper.seed()
    local t = {}
    for i = 1, 2000 do
      local n <const> = i <= 70 and i - 1 or math.random(0, 500)
      local bytes = {}
      for k = 1, n do bytes[k] = string.char(math.random(0, 255)) end
      local s <const> = table.concat(bytes)
      t[i] = s
      t["k" .. s] = i
    end
    local f <close> = mp.freeze(t)
    for k, v in pairs(t) do assert.equal(v, f[k]) end
    local count = 0
    for k, v in pairs(f) do
      assert.equal(t[k], v)
      count = count + 1
    end
    for _ in pairs(t) do count = count - 1 end
    assert.equal(0, count)
  end))

  it("finds each of many keys", within(60, function()
    local t = {}
    for i = 1, 50000 do
      t["key" .. i] = i
      t[i * 7919] = i
      t[i + 0.5] = i
    end
    local f <close> = mp.freeze(t)
    for k, v in pairs(t) do assert.equal(v, f[k]) end
    for i = 1, 50000 do assert.is_nil(f["kex" .. i]) end
  end))

  it("says what cannot be frozen, and where", function()
    local function bad(t, message)
      assert.error_matches(function() mp.freeze(t) end, message, 1, true)
    end
    local value <close> = mp.Value "i"
    local frozen <close> = mp.freeze {}
    bad({ a = { b = { function() end } } }, "cannot freeze value.a.b[1] (a function)")
    bad({ ["a b"] = { [2.5] = io.stdout } }, [[cannot freeze value["a b"][2.5] (a FILE*)]])
    bad({ 1, { 2, value } }, "cannot freeze value[2][2] (an mp.Value)")
    bad({ x = frozen }, "cannot freeze value.x (an mp.Frozen)")
    bad({ coroutine.create(print) }, "cannot freeze value[1] (a thread)")
    bad({ x = setmetatable({}, {}) }, "cannot freeze value.x (a table with a metatable)")
    bad(setmetatable({}, {}), "cannot freeze value (a table with a metatable)")
    bad({ x = { [{}] = 1 } }, "cannot freeze value.x (a key that is a table)")
    bad({ [print] = 1 }, "cannot freeze value (a key that is a function)")
    bad(nil, "bad argument #1")
    bad(5, "table expected, got number")
    bad("x", "table expected, got string")
    assert.error_matches(function() mp.freeze({}, { size = 1 }) end, "invalid option 'size'")
    assert.error_matches(function() mp.freeze({}, { name = 1 }) end,
      "field 'name' must be a string")
  end)

  it("of something frozen is that", function()
    local f <close> = mp.freeze { x = {} }
    assert.is_true(rawequal(mp.freeze(f), f))
    assert.is_true(rawequal(mp.freeze(f.x), f.x))
  end)

  it("shows its state, and its type", function()
    local f <close> = mp.freeze { 1, 2, x = {} }
    local named <close> = mp.freeze({ 1 }, { name = "config" })
    assert.matches("^mp.Frozen: 0x%x+ %(3 pairs%)$", tostring(f))
    assert.matches("^mp.Frozen: 0x%x+ %('config', 1 pairs%)$", tostring(named))
    assert.equal("Frozen", mp.type(f))
    assert.equal("Frozen", mp.type(f.x))
    assert.equal("mp.Frozen", getmetatable(f))
  end)

  it("raises once it is closed; tables within stay", function()
    local f, sub
    do
      local c <close> = mp.freeze { sub = { x = { 5 } } }
      f, sub = c, c.sub
    end
    assert.error_matches(function() return f.sub end, "attempt to use a closed Frozen")
    assert.error_matches(function() return #f end, "attempt to use a closed Frozen")
    assert.error_matches(function() return pairs(f) end, "attempt to use a closed Frozen")
    assert.matches("^mp.Frozen: 0x%x+ %(closed%)$", tostring(f))
    assert.equal(5, sub.x[1])
    local _ <close> = sub
    local _ <close> = sub.x
  end)

  it("is freed with its last view", function()
    local before <const> = mp.stats().objects.Frozen or 0
    local f = mp.freeze { sub = { x = {} } }
    local x = f.sub.x
    f = nil -- luacheck: ignore
    collectgarbage()
    assert.equal(before + 1, mp.stats().objects.Frozen)
    assert.equal(0, #x)
    x = nil -- luacheck: ignore
    collectgarbage()
    assert.equal(before, mp.stats().objects.Frozen or 0)
  end)

  describe("in other processes", function()
    it("is read in place, whatever the start method", within(60, function()
      for _, method in ipairs(mp.get_all_start_methods()) do
        local r <const> = helper.run_lua(([[
          local mp = require "mp"
          mp.set_start_method %q
          local t = { 1, 2, x = { y = "deep" } }
          t.self = t
          local f <close> = mp.freeze(t)
          local p = mp.spawn(function(frozen, sub)
            assert(frozen.self == frozen and frozen[2] == 2)
            assert(sub.y == "deep" and mp.type(sub) == "Frozen")
          end, f, f.x)
          p:join()
          io.write(p.exitcode)
        ]]):format(method))
        assert.equal("0", r.out, r.err)
      end
    end))

    it("travels, and its tables alone", within(10, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local p <const> = mp.spawn(function()
        local sub <close> = b:recv()
        assert(sub.name == "sub" and sub.up.name == "root" and sub.up.sub == sub)
        b:send(sub.up.list)
      end)
      do
        local t <const> = { name = "root", sub = { name = "sub" }, list = { 1, 2, 3 } }
        t.sub.up = t
        local f <close> = mp.freeze(t)
        local sub <close> = f.sub
        a:send(sub)
      end
      local list <close> = a:recv()
      p:join()
      assert.equal(0, p.exitcode)
      assert.same({ 1, 2, 3 }, thaw(list))
    end))

    it("is sent in a few bytes, whatever its size", within(20, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local f <close> = mp.freeze { ("x"):rep(50 << 20) }
      local start <const> = helper.now()
      for _ = 1, 100 do
        a:send(f)
        assert.is_true(rawequal(b:recv(), f))
      end
      assert.is_true((helper.now() - start) / 100 < 0.01)
    end))

    it("is freed when its holders are killed", within(20, function()
      local before <const> = mp.stats()
      local f <const> = mp.freeze { ("x"):rep(20 << 20) }
      local p <const> = mp.spawn(function(frozen)
        assert(#frozen[1] == 20 << 20)
        mp.sleep(60)
      end, f)
      do local _ <close> = f end
      assert.is_true(mp.stats().used - before.used > 20 << 20)
      p:kill()
      p:join()
      helper.eventually(2, function() return mp.stats().used - before.used < 1 << 20 end)
    end))

    it("costs its size once for all who read it", within(150, function()
      local r <const> = helper.run_lua([[
        local mp = require "mp"
        local size <const>, workers <const> = 256 << 20, 8

        -- Kilobytes of memory, of shared pages only its share.
        local function proportional(pid)
          local file <close> = assert(io.open("/proc/" .. pid .. "/smaps_rollup"))
          return tonumber(file:read("a"):match "Pss:%s+(%d+) kB")
        end

        local function make()
          local t <const> = {}
          for i = 1, size >> 3 do t[i] = i + 0.5 end
          return mp.freeze(t)
        end

        local f <close> = make()
        collectgarbage()
        local a, b = mp.Pipe()
        local list = {}
        for w = 1, workers do
          list[w] = mp.spawn(function()
            for i = 1, #f, 64 do assert(f[i] == i + 0.5) end -- touches each page
            b:send "read"
            b:recv()
          end)
        end
        for _ = 1, workers do assert(a:recv() == "read") end
        local total = proportional(mp.current_process().pid)
        for _, p in ipairs(list) do total = total + proportional(p.pid) end
        for _ = 1, workers do a:send "end" end
        for _, p in ipairs(list) do p:join() end
        io.write(total * 1024 / size)
      ]], { timeout = 120 })
      assert.equal("", r.err)
      assert.is_true(tonumber(r.out) < 1.2, r.out)
    end))
  end)
end)
