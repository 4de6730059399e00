local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

local function join_all(list)
  for _, p in ipairs(list) do
    p:join()
    assert.equal(0, p.exitcode)
  end
end

describe("mp.Array", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("of a size is zero", function()
    for code in ("bBhHiIlLqQfd"):gmatch "." do
      local a <close> = mp.Array(code, 5)
      assert.equal(5, #a)
      for i = 1, 5 do assert.equal(0, a[i]) end
    end
    local flags <close> = mp.Array("?", 2)
    local bytes <close> = mp.Array("c", 2)
    assert.same({ false, false }, flags:totable())
    assert.same({ "\0", "\0" }, bytes:totable())
  end)

  it("of a list holds its elements", function()
    local a <close> = mp.Array("i", { 1, -2, 3.0 })
    assert.same({ 1, -2, 3 }, a:totable())
    local flags <close> = mp.Array("?", { true, false })
    assert.same({ true, false }, flags:totable())
    local bytes <close> = mp.Array("c", { "a", "\0" })
    assert.same({ "a", "\0" }, bytes:totable())
  end)

  it("of a string holds its bytes", function()
    local text <close> = mp.Array("c", "hello")
    assert.equal(5, #text)
    assert.equal("e", text[2])
    local numbers <close> = mp.Array("i", string.pack("i4i4", 7, -7))
    assert.same({ 7, -7 }, numbers:totable())
    assert.error_matches(function() mp.Array("i", "12345") end,
      "bad argument #2 to 'Array' %(5 bytes are no multiple of 4%)")
  end)

  it("of another array, or of anything with # and [], is a copy", function()
    local a <close> = mp.Array("i", { 1, 2 })
    local b <close> = mp.Array("d", a)
    local list <const> = setmetatable({}, {
      __len = function() return 3 end,
      __index = function(_, i) return i * 10 end,
    })
    local c <close> = mp.Array("i", list)
    a[1] = 9
    assert.same({ 1.0, 2.0 }, b:totable())
    assert.same({ 10, 20, 30 }, c:totable())
  end)

  it("refuses sizes that are none", function()
    local three <const> = { __len = function() return 3 end } -- a hole may be its end
    local function bad(size, message)
      assert.error_matches(function() mp.Array("i", size) end,
        "bad argument #2 to 'Array' (" .. message, 1, true)
    end
    bad(0, "size must be positive")
    bad(-1, "size must be positive")
    bad(2.5, "number has no integer representation")
    bad(0 / 0, "number has no integer representation")
    bad(1 << 60, "size is too large")
    bad(math.maxinteger, "size is too large")
    bad({}, "nothing to hold")
    bad("", "nothing to hold")
    bad(nil, "list or string expected, got nil")
    bad(true, "list or string expected, got boolean")
    bad(io.stdout, "list or string expected, got FILE*")
    bad({ 1, "x" }, "element 2: number expected, got string")
    bad({ 1, 2 ^ 31 }, "element 2: value out of range for code 'i'")
    bad(setmetatable({ 1, nil, 3 }, three), "element 2: number expected, got nil")
    assert.error_matches(function() mp.Array("x", 1) end, "invalid code 'x'")
  end)

  it("says when there is not enough memory", function()
    local a <const>, why <const> = mp.Array("d", 1 << 40)
    assert.is_nil(a)
    assert.equal("no memory", why)
    assert.is_nil((mp.RawArray("c", 1 << 46)))
  end)

  describe("elements", function()
    it("are read and written by index", function()
      local a <close> = mp.Array("i", 3)
      a[1] = 5
      a[3.0] = 7
      assert.equal(5, a[1])
      assert.equal(7, a[3.0])
      assert.same({ 5, 0, 7 }, a:totable())
    end)

    it("outside are nil, and cannot be written", function()
      local a <close> = mp.Array("i", 3)
      for _, i in ipairs { 0, 4, -1, 1.5, math.mininteger, math.maxinteger, "1", "x", true } do
        assert.is_nil(a[i])
      end
      for _, i in ipairs { 0, 4, -1, 1.5, math.mininteger } do
        assert.error_matches(function() a[i] = 1 end,
          "index " .. i .. " out of range (1 to 3)", 1, true)
      end
      assert.error_matches(function() a["1"] = 1 end, "cannot set field '1' of an Array")
      assert.error_matches(function() a[true] = 1 end, "cannot set field 'true' of an Array")
      assert.same({ 0, 0, 0 }, a:totable())
    end)

    it("are checked, and stay as they were", function()
      local a <close> = mp.Array("B", { 1, 2, 3 })
      assert.error_matches(function() a[1] = 256 end, "value out of range for code 'B'")
      assert.error_matches(function() a[1] = -1 end, "value out of range for code 'B'")
      assert.error_matches(function() a[1] = 0.5 end, "number has no integer representation")
      assert.error_matches(function() a[1] = "1" end, "number expected, got string")
      assert.error_matches(function() a[1] = nil end, "number expected, got nil")
      assert.same({ 1, 2, 3 }, a:totable())
    end)

    it("work with Lua's own functions on lists", function()
      local a <close> = mp.Array("i", { 5, 3, 1, 4 })
      local seen = {}
      for i, x in ipairs(a) do seen[i] = x end
      assert.same({ 5, 3, 1, 4 }, seen)
      seen = {}
      for i, x in pairs(a) do seen[i] = x end
      assert.same({ 5, 3, 1, 4 }, seen)
      assert.same({ 5, 3, 1, 4 }, { table.unpack(a) })
      assert.equal("5,3,1,4", table.concat(a, ","))
      table.sort(a)
      assert.same({ 1, 3, 4, 5 }, a:totable())
      table.sort(a, function(x, y) return x > y end)
      assert.same({ 5, 4, 3, 1 }, a:totable())
      table.move(a, 1, 2, 3)
      assert.same({ 5, 4, 5, 4 }, a:totable())
      assert.same({ 5, 4, 5, 4 }, table.move(a, 1, #a, 1, {}))
    end)

    it("are added to, exchanged and compared at once", function()
      local a <close> = mp.Array("i", { 1, 2, 3 })
      assert.equal(12, a:add(2, 10))
      assert.equal(12, a:exchange(2, 5))
      assert.same({ true, 5 }, { a:cas(2, 5, 6) })
      assert.same({ false, 6 }, { a:cas(2, 5, 7) })
      assert.error_matches(function() a:add(4, 1) end,
        "bad argument #1 to 'add' %(index out of range%)")
      assert.error_matches(function() a:add(1, 2 ^ 31) end,
        "bad argument #2 to 'add' %(sum out of range")
      assert.error_matches(function() a:add(1, "1") end,
        "bad argument #2 to 'add' %(number expected, got string%)")
      assert.error_matches(function() a:cas(1, 0) end,
        "bad argument #3 to 'cas' %(number expected, got no value%)")
      assert.same({ 1, 6, 3 }, a:totable())
    end)
  end)

  describe("slice, tostring and totable", function()
    it("count as string.sub does", function()
      local a <close> = mp.Array("i", { 1, 2, 3, 4, 5 })
      local s <const> = "12345"
      for i = -7, 7 do
        for j = -7, 7 do
          local want = {}
          for c in s:sub(i, j):gmatch "." do want[#want + 1] = math.tointeger(c) end
          assert.same(want, a:slice(i, j))
        end
        assert.equal(#s:sub(i), #a:slice(i))
      end
      assert.same({ 1, 2, 3, 4, 5 }, a:slice())
      assert.equal(string.pack("i4i4", 2, 3), a:tostring(2, 3))
      assert.equal("", a:tostring(4, 3))
      assert.equal(20, #a:tostring())
    end)

    it("give every code what it holds", function()
      for code, list in pairs {
        b = { -128, 127 }, B = { 0, 255 }, h = { -32768, 32767 }, H = { 0, 65535 },
        i = { -2147483648, 2147483647 }, I = { 0, 4294967295 },
        q = { math.mininteger, math.maxinteger }, Q = { 0, math.maxinteger },
        l = { math.mininteger, math.maxinteger }, L = { 0, math.maxinteger },
        f = { 0.5, -1 / 0 }, d = { 0.1, 1e308 }, ["?"] = { true, false }, c = { "\0", "\255" },
      } do
        local a <close> = mp.Array(code, list)
        local b <close> = mp.Array(code, a:tostring())
        assert.same(list, a:totable())
        assert.same(list, b:totable())
      end
    end)
  end)

  describe("set", function()
    it("stores a list or a string at a place", function()
      local a <close> = mp.Array("i", 5)
      a:set(2, { 7, 8 })
      assert.same({ 0, 7, 8, 0, 0 }, a:totable())
      a:set(-1, { 9 })
      assert.same({ 0, 7, 8, 0, 9 }, a:totable())
      a:set(1, string.pack("i4", 3))
      a:set(3, {})
      assert.same({ 3, 7, 8, 0, 9 }, a:totable())
      local b <close> = mp.Array("i", { 1, 2 })
      a:set(4, b)
      assert.same({ 3, 7, 8, 1, 2 }, a:totable())
    end)

    it("stores all or nothing", function()
      local a <close> = mp.Array("B", 1000)
      for _, n in ipairs { 3, 500 } do
        local list = {}
        for i = 1, n do list[i] = i % 200 end
        list[n] = 256
        local message <const> = "bad argument #2 to 'set' (element %d: value out of range"
        assert.error_matches(function() a:set(1, list) end, message:format(n), 1, true)
        list[n] = "x"
        assert.error_matches(function() a:set(1, list) end,
          ("element %d: number expected, got string"):format(n), 1, true)
      end
      assert.equal(("\0"):rep(1000), a:tostring())
    end)

    it("refuses what does not fit", function()
      local a <close> = mp.Array("i", 3)
      assert.error_matches(function() a:set(2, { 1, 2, 3 }) end,
        "bad argument #2 to 'set' %(3 elements do not fit from 2 to 3%)")
      assert.error_matches(function() a:set(4, { 1 }) end,
        "bad argument #1 to 'set' %(index out of range%)")
      assert.error_matches(function() a:set(0, { 1 }) end, "index out of range")
      assert.error_matches(function() a:set(1, "123") end, "3 bytes are no multiple of 4")
      assert.error_matches(function() a:set(1, 5) end, "list or string expected, got number")
      assert.error_matches(function() a:set(1) end, "list or string expected")
      assert.same({ 0, 0, 0 }, a:totable())
    end)

    it("raises when the list closes the array", function()
      local a <const> = mp.Array("i", 3)
      local list <const> = setmetatable({}, {
        __len = function() return 3 end,
        __index = function() a:close() return 1 end,
      })
      assert.error_matches(function() a:set(1, list) end, "attempt to use a closed Array")
    end)
  end)

  describe("fill and copy", function()
    it("fill a part, or all", function()
      for code in ("bBhHiIlLqQfd"):gmatch "." do
        local a <close> = mp.Array(code, 100)
        a:fill(3)
        for i = 1, 100 do assert.equal(3, a[i]) end
        a:fill(5, 2, -2)
        assert.equal(3, a[1])
        assert.equal(5, a[2])
        assert.equal(5, a[99])
        assert.equal(3, a[100])
        a:fill(7, 50, 40)
        assert.equal(5, a[50])
      end
      local flags <close> = mp.Array("?", 3)
      flags:fill(true)
      assert.same({ true, true, true }, flags:totable())
      assert.error_matches(function() flags:fill(1) end,
        "bad argument #1 to 'fill' %(boolean expected")
      assert.error_matches(function() flags:fill() end,
        "bad argument #1 to 'fill' %(value expected%)")
    end)

    it("copy from another array or a list", function()
      local a <close> = mp.Array("i", 4)
      local b <close> = mp.Array("i", { 1, 2, 3 })
      local d <close> = mp.Array("d", { 1.5, 2 })
      a:copy(b)
      assert.same({ 1, 2, 3, 0 }, a:totable())
      d:copy({ 8 })
      assert.same({ 8.0, 2.0 }, d:totable())
      d[1] = 0.5
      assert.error_matches(function() a:copy(d) end,
        "element 1: number has no integer representation")
      assert.error_matches(function() d:copy(a) end, "4 elements do not fit from 1 to 2")
      assert.same({ 1, 2, 3, 0 }, a:totable())
      a:set(2, a:view(1, 3)) -- overlapping
      assert.same({ 1, 1, 2, 3 }, a:totable())
    end)
  end)

  describe("view", function()
    it("shares the memory", function()
      local a <close> = mp.Array("i", { 1, 2, 3, 4, 5 })
      local v <close> = a:view(2, 4)
      local w <close> = v:view(-2)
      assert.equal("Array", mp.type(v))
      assert.equal(3, #v)
      v[1] = 20
      w[2] = 40
      assert.same({ 1, 20, 3, 40, 5 }, a:totable())
      assert.is_nil(v[4])
      assert.error_matches(function() v[4] = 1 end, "index 4 out of range %(1 to 3%)")
    end)

    it("keeps it when the array is closed", function()
      local v
      do
        local a <close> = mp.Array("i", { 1, 2, 3 })
        v = a:view(3)
      end
      local _ <close> = v
      assert.same({ 3 }, v:totable())
    end)

    it("shows the bytes as another code", function()
      local a <close> = mp.Array("I", { 1, 2, 0x3ff00000, 0 })
      local bytes <close> = a:view(1, 2, "B")
      assert.same({ 1, 0, 0, 0, 2, 0, 0, 0 }, bytes:totable())
      bytes[1] = 255
      assert.equal(255, a[1])
      assert.error_matches(function() a:view(1, 3, "d") end,
        "bad argument #3 to 'view' %(12 bytes are no multiple of 8%)")
      assert.error_matches(function() a:view(2, 3, "d") end,
        "bad argument #1 to 'view' %(not aligned for the code%)")
      assert.error_matches(function() a:view(3, 2) end,
        "bad argument #1 to 'view' %(nothing to view%)")
      assert.error_matches(function() a:view(1, 2, "x") end, "invalid code 'x'")
    end)

    it("travels alone", within(10, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local p = mp.spawn(function()
        local v = b:recv()
        assert(#v == 2)
        v[1] = 70
        b:send(v)
      end)
      do
        local whole <close> = mp.Array("i", { 1, 2, 3, 4 })
        local part <close> = whole:view(2, 3)
        a:send(part)
      end
      local v <close> = a:recv()
      p:join()
      assert.same({ 70, 3 }, v:totable())
    end))
  end)

  describe("of bytes", function()
    it("has its text as value and all of it as raw", function()
      local a <close> = mp.Array("c", 8)
      assert.equal("", a.value)
      a.value = "hello"
      assert.equal("hello", a.value)
      assert.equal("hello\0\0\0", a.raw)
      a.value = "hi" -- ends by a zero; the rest stays, as in C
      assert.equal("hi", a.value)
      assert.equal("hi\0lo\0\0\0", a.raw)
      a.value = "12345678"
      assert.equal("12345678", a.value)
      a.raw = "a\0b"
      assert.equal("a\0b45678", a.raw)
      assert.error_matches(function() a.value = "123456789" end,
        "string of 9 bytes is longer than 8")
      assert.error_matches(function() a.raw = 1 end, "string expected, got number")
      assert.equal("a\0b45678", a:tostring())
    end)

    it("only: other codes have neither", function()
      local a <close> = mp.Array("B", 8)
      assert.is_nil(a.value)
      assert.error_matches(function() a.value = "x" end, "cannot set field 'value' of an Array")
    end)
  end)

  it("raises once it is closed", function()
    local a <const> = mp.Array("i", 3)
    a:close()
    for _, f in ipairs {
      function() return a[1] end, function() a[1] = 1 end, function() return #a end,
      function() a:totable() end, function() a:fill(1) end, function() a:set(1, {}) end,
      function() a:view() end, function() a:add(1, 1) end, function() return pairs(a) end,
    } do
      assert.error_matches(f, "attempt to use a closed Array")
    end
    assert.matches("^mp.Array: 0x%x+ %(closed%)$", tostring(a))
  end)

  it("shows its state", function()
    local a <close> = mp.Array("i", 3)
    local raw <close> = mp.RawArray("d", 1)
    assert.matches("^mp.Array: 0x%x+ %('i', 3 elements%)$", tostring(a))
    assert.matches("^mp.RawArray: 0x%x+ %('d', 1 elements%)$", tostring(raw))
    assert.equal("Array", mp.type(a))
    assert.equal("RawArray", mp.type(raw))
    assert.equal("i", a.code)
  end)

  it("checks self", function()
    local v <close> = mp.Value "i"
    local a <close> = mp.Array("i", 1)
    assert.error_matches(function() a.totable(v) end, "mp.Array expected, got mp.Value")
    assert.error_matches(function() a.fill(nil, 1) end, "mp.Array expected, got nil")
  end)

  describe("its lock", function()
    it("is that of its views, whoever asks first", function()
      for first = 1, 2 do
        local a <close> = mp.Array("i", 5)
        local v <close> = a:view(2, 3)
        local w <close> = v:view(1)
        if first == 1 then a:get_lock() else w:get_lock() end
        assert.is_true(a:get_lock() == v:get_lock())
        assert.is_true(a:get_lock() == w:get_lock())
        assert.is_true(v:acquire())
        assert.is_true(a:get_lock():locked())
        w:release()
      end
    end)

    it("is not there for raw arrays", function()
      local raw <close> = mp.RawArray("i", 3)
      local also <close> = mp.Array("i", 3, { lock = false })
      for _, a in ipairs { raw, also } do
        assert.equal("RawArray", mp.type(a))
        for _, method in ipairs { "get_lock", "acquire", "release", "hold", "with" } do
          assert.is_nil(a[method])
        end
        local view <close> = a:view(2)
        assert.equal("RawArray", mp.type(view))
      end
    end)

    it("guards what must change together", within(30, function()
      local a <close> = mp.Array("q", 4)
      local list = {}
      for w = 1, 4 do
        list[w] = mp.spawn(function()
          for _ = 1, 2000 do
            a:with(function()
              for i = 1, #a do a[i] = a[i] + 1 end
            end)
          end
        end)
      end
      join_all(list)
      assert.same({ 8000, 8000, 8000, 8000 }, a:totable())
    end))
  end)

  describe("in other processes", function()
    it("is the same array", within(20, function()
      local a <close> = mp.Array("d", 1000)
      local list = {}
      for w = 1, 4 do
        list[w] = mp.spawn(function()
          for i = w, #a, 4 do a[i] = i + 0.5 end
        end)
      end
      join_all(list)
      for i = 1, #a do assert.equal(i + 0.5, a[i]) end
    end))

    it("says by one element that others are ready", within(20, function()
      local a <close> = mp.Array("q", 1001)
      local p = mp.spawn(function()
        for i = 2, #a do
          a[i] = i * 3
          a[1] = i
        end
      end)
      local ready = 1
      while ready < #a do
        local now = a[1]
        for i = ready + 1, now do assert.equal(i * 3, a[i]) end
        ready = math.max(ready, now)
      end
      p:join()
    end))

    it("keeps exact counts while writers are killed", within(30, function()
      local a <close> = mp.Array("q", 8)
      for _ = 1, 10 do
        local p = mp.spawn(function()
          while true do for i = 1, 8 do a:add(i, 1) end end
        end)
        helper.eventually(5, function() return a[8] > 0 end)
        p:kill()
        p:join()
        for i = 2, 8 do -- each add was done or not
          assert.is_true(a[i - 1] - a[i] == 0 or a[i - 1] - a[i] == 1)
        end
        assert.is_true(a[1] - a[8] <= 1)
        a:fill(0)
      end
    end))

    it("of a GiB is backed, and given back", within(60, function()
      local before <const> = mp.stats()
      local n <const> = 1 << 27
      local a <const>, why <const> = mp.Array("d", n)
      if not a then
        -- A machine, or a cell of one, without so much memory says so.
        assert.equal("no memory", why)
        return
      end
      a[1] = 1.5
      a[n] = 2.5
      assert.equal(0.0, a[n // 2])
      local p = mp.spawn(function() a[n // 2] = a[1] + a[n] end)
      p:join()
      assert.equal(4.0, a[n // 2])
      assert.is_nil(a[n + 1])
      a:close()
      helper.eventually(5, function()
        return mp.stats().used - before.used < 1 << 20
      end)
    end))
  end)
end)
