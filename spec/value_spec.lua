-- under every start method
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

-- The codes of integers, with the ends of their ranges.
local integers <const> = {
  b = { -2 ^ 7, 2 ^ 7 - 1 }, B = { 0, 2 ^ 8 - 1 },
  h = { -2 ^ 15, 2 ^ 15 - 1 }, H = { 0, 2 ^ 16 - 1 },
  i = { -2 ^ 31, 2 ^ 31 - 1 }, I = { 0, 2 ^ 32 - 1 },
  l = { math.mininteger, math.maxinteger }, L = { 0, math.maxinteger },
  q = { math.mininteger, math.maxinteger }, Q = { 0, math.maxinteger },
}

local function join_all(list)
  for _, p in ipairs(list) do
    p:join()
    assert.equal(0, p.exitcode)
  end
end

describe("mp.Value", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("is zero at first", function()
    for code in ("bBhHiIlLqQ"):gmatch "." do
      local v <close> = mp.Value(code)
      assert.equal(0, v.value)
      assert.equal("integer", math.type(v.value))
      assert.equal(code, v.code)
    end
    local f <close> = mp.Value "f"
    local d <close> = mp.Value "d"
    assert.equal("float", math.type(f.value))
    assert.equal("float", math.type(d.value))
    local flag <close> = mp.Value "?"
    local byte <close> = mp.Value "c"
    assert.is_false(flag.value)
    assert.equal("\0", byte.value)
  end)

  it("starts with what it is given", function()
    local v <close> = mp.Value("d", 3.25)
    local flag <close> = mp.Value("?", true)
    local byte <close> = mp.Value("c", "x")
    assert.equal(3.25, v.value)
    assert.is_true(flag.value)
    assert.equal("x", byte.value)
  end)

  it("is also read by get and written by set", function()
    for _, make in ipairs { mp.Value, mp.RawValue } do
      local v <close> = make("h", 3)
      assert.equal(3, v:get())
      assert.equal(0, select("#", v:set(4)))
      assert.equal(4, v.value)
      assert.error_matches(function() v:set(1 << 15) end, "value out of range for code 'h'")
      assert.error_matches(function() v:set() end, "bad argument #1 to 'set'")
      assert.equal(4, v:get())
    end
  end)

  it("holds every integer of its range", function()
    for code, range in pairs(integers) do
      local v <close> = mp.Value(code)
      for _, n in ipairs(range) do
        v.value = math.tointeger(n)
        assert.equal(math.tointeger(n), v.value)
        v.value = n + 0.0 == n and n + 0.0 or v.value -- a float that is an integer
        assert.equal(math.tointeger(n), v.value)
        assert.equal("integer", math.type(v.value))
      end
    end
  end)

  it("refuses integers out of range, and stays as it was", function()
    for code, range in pairs(integers) do
      local v <close> = mp.Value(code, 1)
      local low <const>, high <const> = range[1], range[2]
      local wrong <const> = { low == 0 and -1 or low - 1, high + 1 }
      for _, n in ipairs(wrong) do
        -- Beyond 64 bits only floats can go.
        if math.type(low) == "integer" and low ~= 0 then
          n = n < 0 and 2.0 ^ 63 or -2.0 ^ 64
        elseif math.type(high) == "integer" and n == math.mininteger then
          n = 2.0 ^ 64
        end
        local message <const> = "value out of range for code '" .. code .. "'"
        assert.error_matches(function() v.value = n end, message, 1, true)
        assert.error_matches(function() v:exchange(n) end, message, 1, true)
        assert.error_matches(function() v:cas(1, n) end, message, 1, true)
        assert.error_matches(function() mp.Value(code, n) end, message, 1, true)
        assert.equal(1, v.value)
      end
    end
  end)

  it("reads 'Q' beyond Lua's integers as a float", function()
    local v <close> = mp.Value("Q", 2.0 ^ 63)
    assert.equal(2.0 ^ 63, v.value)
    assert.equal("float", math.type(v.value))
    assert.equal(2.0 ^ 63 + 4096, v:add(4096))
    assert.error_matches(function() v.value = 2.0 ^ 64 end, "out of range")
  end)

  it("refuses a float without integer representation", function()
    local v <close> = mp.Value("i", 7)
    for _, x in ipairs { 3.5, 1 / 0, -1 / 0, 0 / 0 } do
      assert.error_matches(function() v.value = x end,
        "number has no integer representation")
      assert.error_matches(function() v:add(x) end,
        "bad argument #1 to 'add' %(number has no integer representation%)")
    end
    assert.equal(7, v.value)
  end)

  it("keeps floats: infinities, NaN, the sign of zero", function()
    local v <close> = mp.Value "d"
    for _, x in ipairs { 0.1, 1 / 0, -1 / 0, 1e308, 5e-324 } do
      v.value = x
      assert.equal(x, v.value)
    end
    v.value = 0 / 0
    assert.is_true(v.value ~= v.value)
    v.value = -0.0
    assert.equal(-1 / 0, 1 / v.value)
    v.value = 3
    assert.equal("float", math.type(v.value))
  end)

  it("rounds 'f' to single precision, and refuses what is too large", function()
    local v <close> = mp.Value("f", 0.1)
    assert.equal(string.unpack("f", string.pack("f", 0.1)), v.value)
    assert.error_matches(function() v.value = 1e39 end, "value out of range for code 'f'")
    v.value = 1 / 0
    assert.equal(1 / 0, v.value)
  end)

  it("refuses a value of another type", function()
    local v <close> = mp.Value "i"
    local flag <close> = mp.Value "?"
    local byte <close> = mp.Value "c"
    assert.error_matches(function() v.value = "1" end, "number expected, got string")
    assert.error_matches(function() v.value = nil end, "number expected, got nil")
    assert.error_matches(function() flag.value = 1 end, "boolean expected, got number")
    assert.error_matches(function() byte.value = 65 end, "string expected, got number")
    assert.error_matches(function() byte.value = "ab" end, "string of one byte expected, got 2")
    assert.error_matches(function() byte.value = "" end, "string of one byte expected, got 0")
  end)

  it("refuses what makes no value", function()
    for _, code in ipairs { "x", "", "ii", "\0" } do
      assert.error_matches(function() mp.Value(code) end,
        "bad argument #1 to 'Value' (invalid code", 1, true)
    end
    assert.error_matches(function() mp.Value() end,
      "bad argument #1 to 'Value' %(code or Struct expected, got no value%)")
    assert.error_matches(function() mp.Value(1) end, "code or Struct expected, got number")
    assert.error_matches(function() mp.Value("i", 0, { steal = 1 }) end,
      "bad argument #3 to 'Value' %(invalid option 'steal'%)")
    assert.error_matches(function() mp.Value("i", 0, { lock = 1 }) end,
      "field 'lock' must be a lock or a boolean")
    assert.error_matches(function() mp.Value("i", 0, { name = 1 }) end,
      "field 'name' must be a string")
    assert.error_matches(function() mp.Value("i", 0, 1) end,
      "bad argument #3 to 'Value' %(table expected, got number%)")
  end)

  it("has no other fields", function()
    local v <close> = mp.Value "i"
    assert.is_nil(v.valu)
    assert.is_nil(v[1])
    assert.error_matches(function() v.valu = 1 end, "cannot set field 'valu' of a Value")
    assert.error_matches(function() v[1] = 1 end, "cannot set field '1' of a Value")
  end)

  it("raises once it is closed", function()
    local v <const> = mp.Value "i"
    v:close()
    v:close()
    assert.error_matches(function() return v.value end, "attempt to use a closed Value")
    assert.error_matches(function() v.value = 1 end, "attempt to use a closed Value")
    assert.error_matches(function() v:add(1) end, "attempt to use a closed Value")
    assert.matches("^mp.Value: 0x%x+ %(closed%)$", tostring(v))
  end)

  it("shows its state, and its type", function()
    local v <close> = mp.Value("i", 42)
    local raw <close> = mp.RawValue("d", 0.5)
    assert.matches("^mp.Value: 0x%x+ %('i', 42%)$", tostring(v))
    assert.matches("^mp.RawValue: 0x%x+ %('d', 0.5%)$", tostring(raw))
    assert.equal("Value", mp.type(v))
    assert.equal("RawValue", mp.type(raw))
    assert.equal("mp.Value", getmetatable(v))
  end)

  it("checks self", function()
    local v <close> = mp.Value "i"
    local a <close> = mp.Array("i", 1)
    assert.error_matches(function() v.add(a, 1) end, "mp.Value expected, got mp.Array")
    assert.error_matches(function() v.add(io.stdout, 1) end,
      "mp.Value expected, got FILE*", 1, true)
    assert.error_matches(function() v.add({}, 1) end, "mp.Value expected, got table")
  end)

  describe("add", function()
    it("returns the new value", function()
      local v <close> = mp.Value("i", 40)
      local d <close> = mp.Value("d", 0.5)
      assert.equal(42, v:add(2))
      assert.equal(-58, v:add(-100))
      assert.equal(0.75, d:add(0.25))
      assert.equal(0.75, d.value)
    end)

    it("refuses a sum out of range, and adds nothing", function()
      for code, range in pairs(integers) do
        local high <const> = math.tointeger(range[2])
        local v <close> = mp.Value(code, high)
        if code:find "[LQ]" then
          assert.equal(high + 1.0, v:add(1)) -- one bit more than Lua's integers
          assert.equal(high, v:add(-1))
        else
          assert.error_matches(function() v:add(1) end,
            "sum out of range for code '" .. code .. "'", 1, true)
        end
        assert.equal(high, v.value)
        v.value = math.tointeger(range[1])
        assert.error_matches(function() v:add(-1) end, "sum out of range")
        assert.equal(math.tointeger(range[1]), v.value)
      end
    end)

    it("adds to numbers only", function()
      local flag <close> = mp.Value "?"
      local byte <close> = mp.Value "c"
      assert.error_matches(function() flag:add(1) end, "nothing can be added to code '%?'")
      assert.error_matches(function() byte:add(1) end, "nothing can be added to code 'c'")
    end)

    it("is exact with 4 processes × 20 000", within(30, function()
      for _, code in ipairs { "i", "q", "d" } do
        local v <close> = mp.Value(code)
        local list = {}
        for i = 1, 4 do
          list[i] = mp.spawn(function() for _ = 1, 20000 do v:add(1) end end)
        end
        join_all(list)
        assert.equal(80000, v.value)
      end
    end))

    it("is exact with 8 processes on bytes that lie side by side", within(30, function()
      local a <close> = mp.Array("H", 8)
      local list = {}
      for i = 1, 8 do
        list[i] = mp.spawn(function() for _ = 1, 5000 do a:add(i, 1) end end)
      end
      join_all(list)
      for i = 1, 8 do assert.equal(5000, a[i]) end
    end))
  end)

  describe("cas and exchange", function()
    it("set the value if it is the old one", function()
      local v <close> = mp.Value("i", 5)
      assert.same({ false, 5 }, { v:cas(4, 9) })
      assert.equal(5, v.value)
      assert.same({ true, 5 }, { v:cas(5, 9) })
      assert.equal(9, v.value)
      assert.equal(9, v:exchange(1))
      assert.equal(1, v.value)
    end)

    it("work on all codes", function()
      local flag <close> = mp.Value "?"
      local byte <close> = mp.Value "c"
      local d <close> = mp.Value "d"
      assert.same({ true, false }, { flag:cas(false, true) })
      assert.is_true(flag:exchange(false))
      assert.same({ true, "\0" }, { byte:cas("\0", "x") })
      assert.equal("x", byte:exchange "y")
      d.value = -0.0
      assert.is_true((d:cas(0, 1.5)))
      d.value = 0 / 0
      assert.is_true((d:cas(0 / 0, 2.5)))
      assert.equal(2.5, d.value)
    end)

    it("let one of many through", within(20, function()
      local turn <close> = mp.Value "i"
      local wins <close> = mp.Array("i", 4)
      local list = {}
      for i = 1, 4 do
        list[i] = mp.spawn(function()
          for n = 0, 999 do
            if turn:cas(n, n + 1) then wins:add(i, 1) end
          end
        end)
      end
      join_all(list)
      assert.equal(1000, turn.value)
      assert.equal(1000, wins[1] + wins[2] + wins[3] + wins[4])
    end))
  end)

  describe("its lock", function()
    it("is an RLock of its own", function()
      local v <close> = mp.Value "i"
      local w <close> = mp.Value "i"
      local lock <const> = v:get_lock()
      assert.equal("RLock", mp.type(lock))
      assert.is_true(rawequal(lock, v:get_lock()))
      assert.is_false(lock == w:get_lock())
      assert.is_true(lock:acquire())
      assert.is_true(v:acquire(0))
      v:release()
      lock:release()
      assert.error_matches(function() v:release() end,
        "attempt to release an RLock that is not owned")
    end)

    it("does not stand in the way of reading and writing", within(5, function()
      local v <close> = mp.Value "i"
      local p <const> = mp.spawn(function()
        v:acquire()
        mp.sleep(60)
      end)
      helper.eventually(5, function() return v:get_lock():locked() end)
      v.value = 5
      assert.equal(6, v:add(1))
      assert.same({ nil, "timeout" }, { v:acquire(0.01) })
      p:kill()
      p:join()
      assert.same({ true, "abandoned" }, { v:acquire() })
      v:release()
    end))

    it("can be given, and shared by several values", function()
      local lock <close> = mp.Lock()
      local a <close> = mp.Value("i", 0, { lock = lock })
      local b <close> = mp.Array("i", 3, { lock = lock })
      assert.is_true(a:get_lock() == lock)
      assert.is_true(b:get_lock() == lock)
      assert.is_true(a:acquire())
      assert.same({ nil, "timeout" }, { b:acquire(0) })
      a:release()
      local semaphore <close> = mp.Semaphore(1)
      local c <close> = mp.Value("i", { lock = semaphore })
      assert.is_true(c:acquire())
      assert.equal(0, semaphore.value)
      c:release()
      local closed
      do
        local l <close> = mp.Lock()
        closed = l
      end
      assert.error_matches(function() mp.Value("i", 0, { lock = closed }) end,
        "field 'lock' is closed")
      assert.error_matches(function() mp.Value("i", 0, { lock = a }) end,
        "field 'lock' must be a lock or a boolean")
    end)

    it("has the name that is given", function()
      local v <close> = mp.Value("i", 0, { name = "balance" })
      assert.matches("balance", tostring(v:get_lock()))
      local w <close> = mp.Value("i", 0, { lock = true })
      assert.equal("RLock", mp.type(w:get_lock()))
    end)

    it("is not there for raw values", function()
      local raw <close> = mp.RawValue "i"
      local also <close> = mp.Value("i", 0, { lock = false })
      for _, v in ipairs { raw, also } do
        assert.equal("RawValue", mp.type(v))
        for _, method in ipairs { "get_lock", "acquire", "release", "hold", "with" } do
          assert.is_nil(v[method])
        end
        v.value = 3
        assert.equal(5, v:add(2))
      end
    end)

    it("guards compound changes: hold, with", within(5, function()
      local v <close> = mp.Value("i", 1)
      do
        local _ <close> = v:hold()
        assert.is_true(v:get_lock():locked())
      end
      assert.is_false(v:get_lock():locked())
      assert.equal("result", v:with(function(n)
        v.value = v.value + n
        return "result"
      end, 41))
      assert.equal(42, v.value)
      assert.error_matches(function() v:with(error, "oops") end, "oops")
      assert.is_false(v:get_lock():locked())
      local inside <const> = coroutine.wrap(function()
        return v:with(function() return coroutine.yield(v:get_lock():locked()) end)
      end)
      assert.is_true(inside())
      assert.equal("back", inside "back")
      assert.is_false(v:get_lock():locked())
    end))

    it("checks its arguments", function()
      local v <close>, a = mp.Value "i", mp.Array("i", 1)
      local _ <close> = a
      for _, x in ipairs { v, a } do
        assert.error_matches(function() x:with(3) end,
          "bad argument #1 to 'with' (function expected, got number)", 1, true)
        assert.error_matches(function() x:acquire(0 / 0) end,
          "bad argument #1 to 'acquire' (timeout must not be NaN)", 1, true)
        assert.error_matches(function() x:hold "soon" end,
          "bad argument #1 to 'hold' (number expected, got string)", 1, true)
        assert.error_matches(function() x:release() end,
          "attempt to release an RLock that is not owned")
      end
    end)

    it("travels with the value", within(10, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local p <const> = mp.spawn(function()
        local v <close> = b:recv()
        v:acquire()
        b:send "mine"
        b:recv()
        v:release()
      end)
      local v <close> = mp.Value "i"
      a:send(v)
      assert.equal("mine", a:recv())
      assert.same({ nil, "timeout" }, { v:acquire(0.01) })
      a:send "release"
      assert.is_true(v:acquire(5))
      v:release()
      p:join()
    end))

    it("makes increments exact: 4 processes × 20 000, and 8 × 5 000", within(60, function()
      for _, shape in ipairs { { 4, 20000 }, { 8, 5000 } } do
        local v <close> = mp.Value "i"
        local list = {}
        for i = 1, shape[1] do
          list[i] = mp.spawn(function()
            local lock <const> = v:get_lock()
            for _ = 1, shape[2] do
              local _ <close> = lock:hold()
              v.value = v.value + 1
            end
          end)
        end
        join_all(list)
        assert.equal(shape[1] * shape[2], v.value)
      end
    end))

    it("comes back when its holder is killed, and counts stay exact", within(60, function()
      local v <close> = mp.Array("q", 3) -- [1] and [2] change together; [3] is what is done
      local rounds <const> = 15
      for _ = 1, rounds do
        local p <const> = mp.spawn(function()
          while true do
            local _ <close> = v:hold()
            v[1] = v[1] + 1
            v[2] = v[2] + 1
            v[3] = v[1]
          end
        end)
        local before <const> = v[3]
        helper.eventually(5, function() return v[3] > before + 100 end)
        p:kill()
        p:join()
        local ok <const>, how <const> = v:acquire(5)
        assert.is_true(ok)
        if how == "abandoned" then
          v[2] = v[1]
          v[3] = v[1]
        end
        assert.equal(v[1], v[2])
        assert.equal(v[1], v[3])
        v:release()
      end
    end))
  end)

  describe("in other processes", function()
    it("is the same value, however it came there", within(10, function()
      local v <close> = mp.Value("i", 1)
      local raw <close> = mp.RawValue("d", 0.5)
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local p = mp.spawn(function(w)
        local got = b:recv()
        assert(w == v, "an argument is the object itself")
        assert(mp.type(got[2]) == "RawValue")
        got[1].value = got[1].value + 1
        got[2].value = 2.5
      end, v)
      a:send { v, raw }
      p:join()
      assert.equal(0, p.exitcode)
      assert.equal(2, v.value)
      assert.equal(2.5, raw.value)
    end))

    it("received again is the very object", within(5, function()
      local v <close> = mp.Value "i"
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      a:send { v, v }
      local got <const> = b:recv()
      assert.is_true(rawequal(got[1], v) and rawequal(got[2], v))
    end))

    it("lives as long as somebody holds it", within(10, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local p = mp.spawn(function()
        local v = b:recv()
        v:add(1)
        b:send(v)
      end)
      do
        local v <close> = mp.Value("i", 41)
        a:send(v)
      end
      local v <close> = a:recv()
      assert.equal(42, v.value)
      p:join()
    end))

    it("is whole whenever its writer is killed", within(20, function()
      local v <close> = mp.Value "q"
      local count <const> = 20
      for _ = 1, count do
        local p = mp.spawn(function()
          while true do v.value = 0x1111111111111111; v.value = 0x2222222222222222 end
        end)
        helper.eventually(5, function() return v.value ~= 0 end)
        p:kill()
        p:join()
        assert.is_true(v.value == 0x1111111111111111 or v.value == 0x2222222222222222)
        v.value = 0
      end
    end))
  end)
end)
