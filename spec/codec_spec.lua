-- What can be sent, as data: mp.dumps and mp.loads, which are the codec of
-- every channel. Functions and modules: codec_function_spec; classes and
-- hooks: codec_class_spec; bytes that nobody wrote: codec_fuzz_spec.
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

local function roundtrip(v)
  return mp.loads(mp.dumps(v))
end

local function refusal(v)
  local ok, message = pcall(mp.dumps, v)
  assert.is_false(ok)
  return message
end

describe("mp.dumps and mp.loads", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("keep", function()
    it("nil and booleans", function()
      assert.is_nil(roundtrip(nil))
      assert.is_true(roundtrip(true))
      assert.is_false(roundtrip(false))
    end)

    it("every integer, as an integer", function()
      local list = { 0, math.maxinteger, math.mininteger }
      for bits = 0, 62 do
        for d = -1, 1 do
          list[#list + 1] = (1 << bits) + d
          list[#list + 1] = -(1 << bits) + d
        end
      end
      for _, i in ipairs(list) do
        local got <const> = roundtrip(i)
        assert.equal("integer", math.type(got))
        assert.equal(i, got)
      end
      assert.same(list, roundtrip(list))
    end)

    it("floats as floats, with the zero's sign, the infinities and NaN", function()
      for _, x in ipairs { 0.0, 1.0, -2.5, 1e308, 5e-324, 1 / 0, -1 / 0, 2 ^ 53, 2 ^ 63 } do
        local got <const> = roundtrip(x)
        assert.equal("float", math.type(got))
        assert.equal(x, got)
      end
      assert.equal(-1 / 0, 1 / roundtrip(-0.0))
      local nan <const> = roundtrip(0 / 0)
      assert.not_equal(nan, nan)
    end)

    it("strings of every size and byte", function()
      local all = {}
      for i = 0, 255 do
        all[#all + 1] = string.char(i)
      end
      all = table.concat(all)
      assert.equal(all, roundtrip(all))
      for size = 0, 300 do
        local s <const> = all:rep(2):sub(1, size)
        assert.equal(s, roundtrip(s))
        assert.same({ s, [s] = s }, roundtrip { s, [s] = s })
      end
      for _, size in ipairs { 1000, 0xffff, 0x10000, 1 << 20 } do
        local s <const> = ("\0x"):rep(size // 2)
        assert.equal(s, roundtrip(s))
      end
    end)

    it("tables with keys of every kind", function()
      local t <const> = {
        10, 20, 30, nil, 50,
        [0] = "zero", [-1] = "minus", [1.5] = "half", [math.maxinteger] = "max",
        [true] = "yes", [false] = "no", name = "n", [""] = "empty", ["a\0b"] = "nul",
      }
      assert.same(t, roundtrip(t))
      local key <const> = {}
      local got <const> = roundtrip { [key] = key }
      local k, v = next(got)
      assert.equal("table", type(k))
      assert.equal(k, v)
    end)

    it("integers and floats apart within a list", function()
      local t <const> = { 1, 2, 3, 4, 5.0, 6.0, 7.0, 8.0, 9.5, 10, 11, 12.0, 13, "x", 14, 15.0 }
      local got <const> = roundtrip(t)
      for i, v in ipairs(t) do
        assert.equal(v, got[i])
        assert.equal(math.type(v), math.type(got[i]))
      end
      assert.equal(#t, #got)
    end)

    it("lists of numbers of every width and length", function()
      for _, unit in ipairs { 1, 300, 70000, 1 << 40, 0.5 } do
        for n = 0, 140 do
          local t <const> = {}
          for i = 1, n do
            t[i] = unit * (i % 2 == 0 and i or -i)
          end
          assert.same(t, roundtrip(t))
        end
      end
    end)

    it("lists with holes", function()
      local t <const> = { n = 8, 1, nil, 3, nil, nil, "six", nil, false }
      local got <const> = roundtrip(t)
      assert.equal(8, got.n)
      for i = 1, 8 do
        assert.equal(t[i], got[i])
      end
    end)

    -- Where the items lie among the other keys of a table is its secret.
    it("lists whose items were put anywhere in the table", function()
      for n = 1, 70 do
        local t <const> = {}
        for i = 1, n do
          t["k" .. i] = true
        end
        for i = 1, n do
          t["k" .. i] = nil
        end
        t.x = "x"
        for i = n, 1, -1 do
          t[i] = i
        end
        t.y, t[-3], t[n + 5], t[2.5] = "y", "z", "far", "half"
        assert.same(t, roundtrip(t))
      end
    end)

    it("items beside keys that are their numerals", function()
      for n = 1, 40 do
        local t <const> = {}
        for i = n, 1, -1 do
          t[i], t[tostring(i)] = i, "numeral"
        end
        assert.same(t, roundtrip(t))
        t[n // 2 + 1] = nil
        assert.same(t, roundtrip(t))
      end
    end)

    it("lists whose items are of changing kinds", function()
      local kinds <const> = { 1, 2.5, "s", true, {}, 1 << 40 }
      for n = 1, 6 ^ 4 - 1 do
        local t, rest = {}, n
        while rest > 0 do
          local kind <const> = kinds[rest % 6 + 1]
          for _ = 1, rest % 4 + 1 do
            t[#t + 1] = kind
          end
          rest = rest // 6
        end
        assert.same(t, roundtrip(t))
      end
    end)

    it("tables nested to any depth, in items, values and keys", function()
      for _, way in ipairs {
        { wrap = function(t) return { t, 1 } end, unwrap = function(t) return t[1] end },
        { wrap = function(t) return { 1, nil, t, x = 2 } end,
          unwrap = function(t) return t[3] end },
        { wrap = function(t) return { x = t, y = 1 } end, unwrap = function(t) return t.x end },
        { wrap = function(t) return { [t] = true } end, unwrap = next },
      } do
        local t = { "core" }
        for depth = 1, 200 do
          t = way.wrap(t)
          local got = roundtrip(t)
          for _ = 1, depth do
            got = way.unwrap(got)
          end
          assert.same({ "core" }, got)
        end
      end
    end)

    it("maps of many keys", function()
      for _, n in ipairs { 222, 223, 224, 225, 255, 256, 257, 511, 512, 513, 5000 } do
        local t <const> = {}
        for i = 1, n do
          t["key " .. i] = i
        end
        assert.same(t, roundtrip(t))
      end
    end)

    it("records whose keys repeat, however many keys", function()
      local records <const> = {}
      for i = 1, 50 do
        local r <const> = { id = i, name = "name " .. i }
        for k = 1, 200 do
          r["field " .. k] = i * k
        end
        records[i] = r
      end
      assert.same(records, roundtrip(records))
    end)

    it("the light userdata that stands for NULL", function()
      local null <const> = mp.loads("\1\xe3")
      assert.equal("userdata", type(null))
      assert.same({ x = null }, roundtrip { x = null })
    end)
  end)

  describe("keep what is one table one table:", function()
    it("shared references", function()
      local shared <const> = { 1 }
      local got <const> = roundtrip { shared, shared, { deep = shared } }
      assert.equal(got[1], got[2])
      assert.equal(got[1], got[3].deep)
    end)

    it("tables that are equal but not the same stay two", function()
      local got <const> = roundtrip { { 1 }, { 1 } }
      assert.not_equal(got[1], got[2])
    end)

    it("cycles", function()
      local t <const> = { name = "t" }
      t.self = t
      t[t] = t
      t.list = { t, { up = t } }
      local got <const> = roundtrip(t)
      assert.equal(got, got.self)
      assert.equal(got, got[got])
      assert.equal(got, got.list[1])
      assert.equal(got, got.list[2].up)
    end)

    it("and a long string is sent once", function()
      local s <const> = ("x"):rep(100000)
      local bytes <const> = mp.dumps { s, s, { s, [s] = s } }
      assert.is_true(#bytes < 110000)
      assert.same({ s, s, { s, [s] = s } }, mp.loads(bytes))
    end)
  end)

  describe("need no depth of the C stack:", function()
    it("a list of 90 000 links", within(20, function()
      local list <const> = {}
      local last = list
      for _ = 1, 90000 do
        last.next = {}
        last = last.next
      end
      local got, n = roundtrip(list), 0
      while got do
        got, n = got.next, n + 1
      end
      assert.equal(90001, n)
    end))

    it("90 000 objects, each in the one before", within(20, function()
      local C <const> = mp.class("spec.Deep", {})
      local list = setmetatable({}, C)
      for i = 1, 90000 do
        list = setmetatable({ i, up = list }, C)
      end
      local got, n = roundtrip(list), 0
      while got do
        assert(getmetatable(got) == C)
        got, n = got.up, n + 1
      end
      assert.equal(90001, n)
    end))

    it("too deep is an error on both sides", within(20, function()
      local list = {}
      for _ = 1, 100001 do
        list = { list }
      end
      assert.matches("^cannot send value%[1%]%[1%].+%.%.%..+%(a table: nesting too deep%)$",
        refusal(list))
      local bytes <const> = "\1" .. ("\xf0\0\1"):rep(200001) .. "\1"
      assert.error(function()
        mp.loads(bytes)
      end, "cannot decode: nesting too deep")
    end))
  end)

  describe("refuse", function()
    local co <const> = coroutine.create(print)

    it("what cannot be sent, and name the path to it", function()
      assert.equal("cannot send value (a thread)", refusal(co))
      assert.equal("cannot send value.cfg.handlers[3] (a thread)",
        refusal { cfg = { handlers = { 1, 2, co } } })
      assert.equal("cannot send value.cfg.handlers[3] (a thread)",
        refusal { cfg = { handlers = { {}, {}, co } } })
      assert.equal("cannot send value.out (a FILE*)", refusal { out = io.stdout })
    end)

    it("with keys of every kind in the path", function()
      assert.equal('cannot send value["two words"] (a thread)', refusal { ["two words"] = co })
      assert.equal('cannot send value["9"] (a thread)', refusal { ["9"] = co })
      assert.equal([[cannot send value["a\"\\\010"] (a thread)]], refusal { ['a"\\\n'] = co })
      assert.equal("cannot send value[-1] (a thread)", refusal { [-1] = co })
      assert.equal("cannot send value[2.5] (a thread)", refusal { [2.5] = co })
      assert.equal("cannot send value[true] (a thread)", refusal { [true] = co })
      assert.equal("cannot send value[table].x (a thread)", refusal { [{}] = { x = co } })
      assert.equal("cannot send value[a key] (a thread)", refusal { [co] = 1 })
      assert.equal("cannot send value[a key][2] (a thread)", refusal { [{ 1, co }] = 1 })
      assert.equal('cannot send value["' .. ("k"):rep(40) .. '..."] (a thread)',
        refusal { [("k"):rep(50)] = co })
    end)

    it("mp objects, which a string cannot hold", function()
      local a, b = mp.Pipe()
      local conn <close> = a
      b:close()
      assert.matches("^cannot send value%.conn %(an mp%.%a+: a string cannot hold it%)$",
        refusal { conn = conn })
    end)

    it("calls without a value", function()
      assert.error(function()
        mp.dumps()
      end, "bad argument #1 to 'dumps' (value expected)")
    end)

    it("and work on afterwards", function()
      for _ = 1, 100 do
        refusal { 1, { co }, print, function()
          return co
        end }
        assert.same({ 1, { 2 } }, roundtrip { 1, { 2 } })
      end
    end)
  end)

  describe("mp.loads", function()
    it("refuses what dumps did not make", function()
      for _, s in ipairs { "", "hello", "\0", "\2x" } do
        assert.error(function()
          mp.loads(s)
        end, "bad argument #1 to 'loads' (not a string of mp.dumps)")
      end
      assert.error(function()
        mp.loads({})
      end, "bad argument #1 to 'loads' (string expected, got table)")
    end)

    it("refuses options that it does not know, by name", function()
      assert.error(function()
        mp.loads("\1\1", { function_ = true })
      end, "bad argument #2 to 'loads' (invalid option 'function_')")
      assert.error(function()
        mp.loads("\1\1", { functions = 1 })
      end, "bad argument #2 to 'loads' (field 'functions' must be a boolean)")
    end)

    it("refuses a string that is cut off, wherever", function()
      local t <const> = { 1, 2, 3, 4, x = { 1.5, "text", ("long"):rep(30) }, y = true, z = { 1 } }
      t.t, t.s = t, t.x
      local bytes <const> = mp.dumps(t)
      for size = 1, #bytes - 1 do
        local ok, message = pcall(mp.loads, bytes:sub(1, size))
        assert.is_false(ok)
        assert.matches("^cannot decode: ", message)
      end
      assert.error(function()
        mp.loads(bytes .. "\1")
      end, "cannot decode: 2 values instead of one")
    end)
  end)
end)
