-- Metatables in messages: by the name that mp.class gave, by the module that
-- they are; and the hooks that pack and unpack objects.
local helper = require "spec.helper"
local mp = require "mp"

local function roundtrip(v)
  return mp.loads(mp.dumps(v))
end

local function refusal(v)
  local ok, message = pcall(mp.dumps, v)
  assert.is_false(ok)
  return message
end

-- A name that no other test has registered.
local serial = 0
local function name()
  serial = serial + 1
  return "spec.Class" .. serial
end

local nameless <const> = "its metatable has no name: see mp.class"

describe("mp.class", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("returns the metatable, and takes the same again", function()
    local mt <const>, class <const> = {}, name()
    assert.equal(mt, mp.class(class, mt))
    assert.equal(mt, mp.class(class, mt))
  end)

  it("refuses a second metatable of the name, a second name, wrong types", function()
    local mt <const>, class <const> = {}, name()
    mp.class(class, mt)
    assert.error(function()
      mp.class(class, {})
    end, ("class '%s' has another metatable already"):format(class))
    assert.error(function()
      mp.class(name(), mt)
    end, ("the metatable is class '%s' already"):format(class))
    assert.error(function()
      mp.class(name(), 1)
    end, "bad argument #2 to 'class' (table expected, got number)")
    assert.error(function()
      mp.class({}, {})
    end, "bad argument #1 to 'class' (string expected, got table)")
  end)

  describe("lets a table", function()
    it("arrive with its metatable", function()
      local Point <const> = mp.class(name(), {})
      Point.__index = Point
      function Point:sum()
        return self.x + self.y
      end
      local p <const> = roundtrip(setmetatable({ x = 1, y = 2 }, Point))
      assert.equal(Point, getmetatable(p))
      assert.equal(3, p:sum())
    end)

    it("arrive as it is, without a metamethod called", function()
      local function fail()
        error "called"
      end
      local Loud <const> = mp.class(name(), {
        __index = fail, __newindex = fail, __len = fail, __pairs = fail, __eq = fail,
        __tostring = fail, __name = "Loud", __metatable = "hidden",
      })
      local t <const> = setmetatable({ 1, 2, x = 3 }, Loud)
      local got <const> = roundtrip(t)
      assert.equal(2, rawlen(got))
      assert.equal(2, rawget(got, 2))
      assert.equal(3, rawget(got, "x"))
      assert.equal("hidden", getmetatable(got))
    end)

    it("be part of cycles, and the class be a value", function()
      local Node <const> = mp.class(name(), {})
      local root <const> = setmetatable({ class = Node }, Node)
      root.child = setmetatable({ parent = root }, Node)
      root[root] = root.child
      local got <const> = roundtrip(root)
      assert.equal(Node, getmetatable(got))
      assert.equal(Node, getmetatable(got.child))
      assert.equal(Node, got.class)
      assert.equal(got, got.child.parent)
      assert.equal(got.child, got[got])
    end)

    it("be one of many, with its class named once", function()
      local class <const> = name() .. (".long"):rep(5)
      local C <const> = mp.class(class, {})
      local list <const> = {}
      for i = 1, 100 do
        list[i] = setmetatable({ i }, C)
      end
      local bytes <const> = mp.dumps(list)
      assert.is_true(#bytes < 100 * 8 + 60)
      for i, v in ipairs(mp.loads(bytes)) do
        assert.equal(C, getmetatable(v))
        assert.equal(i, v[1])
      end
    end)
  end)

  it("says which class the receiver does not know", function()
    local class <const> = name()
    local bytes <const> = mp.dumps(setmetatable({}, mp.class(class, {})))
    local other <const> = bytes:gsub(class, ("?"):rep(#class))
    assert.error(function()
      mp.loads(other)
    end, ("cannot decode: class '%s' is not registered here"):format(("?"):rep(#class)))
  end)

  it("is needed: a table with any other metatable is refused", function()
    assert.equal(("cannot send value.p (a table: %s)"):format(nameless),
      refusal { p = setmetatable({}, {}) })
    assert.equal(("cannot send value[1] (a Point: %s)"):format(nameless),
      refusal { setmetatable({}, { __name = "Point" }) })
    assert.equal(("cannot send value (a table: %s)"):format(nameless),
      refusal(setmetatable({}, { __mp_pack = tostring })))
  end)

  it("is not needed where the metatable is a module, or a class of one", function()
    local Shape <const> = { Inner = {} }
    Shape.__index = Shape
    Shape.Inner.__index = Shape.Inner
    package.loaded["spec.codec.shape"] = Shape
    local got <const> = roundtrip {
      setmetatable({ 1 }, Shape), setmetatable({ 2 }, Shape), setmetatable({ 3 }, Shape.Inner),
      class = Shape.Inner,
    }
    assert.equal(Shape, getmetatable(got[1]))
    assert.equal(Shape, getmetatable(got[2]))
    assert.equal(Shape.Inner, getmetatable(got[3]))
    assert.equal(Shape.Inner, got.class)
    assert.same({ 1, 2, 3 }, { got[1][1], got[2][1], got[3][1] })
    package.loaded["spec.codec.shape"] = nil
  end)
end)

describe("__mp_pack and __mp_unpack", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  local function boxed()
    local Box = {}
    Box.__index = Box
    Box.packed, Box.unpacked = 0, 0
    function Box.__mp_pack(box)
      Box.packed = Box.packed + 1
      return box.value
    end
    function Box.__mp_unpack(value)
      Box.unpacked = Box.unpacked + 1
      return setmetatable({ value = value }, Box)
    end
    function Box.new(value)
      return setmetatable({ value = value, secret = coroutine.create(print) }, Box)
    end
    return mp.class(name(), Box)
  end

  it("make an object travel as what pack returns", function()
    local Box <const> = boxed()
    for _, value in ipairs { 1, "two", { 3, { 4 } }, true } do
      local got <const> = roundtrip(Box.new(value))
      assert.equal(Box, getmetatable(got))
      assert.same(value, got.value)
      assert.is_nil(got.secret)
    end
    assert.is_nil(roundtrip(Box.new(nil)).value)
  end)

  it("are called once for an object that is there twice", function()
    local Box <const> = boxed()
    local box <const> = Box.new { 1 }
    local got <const> = roundtrip { box, box, x = { box } }
    assert.equal(got[1], got[2])
    assert.equal(got[1], got.x[1])
    assert.equal(1, Box.packed)
    assert.equal(1, Box.unpacked)
  end)

  it("work on objects within packed objects, the inner first", function()
    local Box <const> = boxed()
    local inner <const> = Box.new("inner")
    local got <const> = roundtrip { Box.new { Box.new(inner) }, inner }
    assert.equal("inner", got[1].value[1].value.value)
    assert.equal(got[2], got[1].value[1].value)
  end)

  it("may stand in a cycle that leads through the table around", function()
    local Box <const> = boxed()
    local t <const> = {}
    t.box = Box.new { up = t }
    local got <const> = roundtrip(t)
    assert.equal(got, got.box.value.up)
  end)

  it("refuse an object that is in its own packed value", function()
    local Box <const> = boxed()
    local box <const> = Box.new {}
    box.value.again = box
    assert.equal(
      "cannot send value.b:__mp_pack().again (a table: its __mp_pack leads back to it)",
      refusal { b = box })
  end)

  it("name the path into the packed value", function()
    local Box <const> = boxed()
    assert.equal("cannot send value[1]:__mp_pack().co (a thread)",
      refusal { Box.new { co = coroutine.create(print) } })
  end)

  it("pass the error of a hook on", function()
    local C <const> = mp.class(name(), {
      __mp_pack = function()
        error("no packing today", 0)
      end,
    })
    assert.equal("no packing today", refusal { setmetatable({}, C) })
    local D <const> = mp.class(name(), {
      __mp_pack = function()
        return 1
      end,
      __mp_unpack = function()
        error("no unpacking today", 0)
      end,
    })
    local bytes <const> = mp.dumps(setmetatable({}, D))
    assert.error(function()
      mp.loads(bytes)
    end, "no unpacking today")
  end)

  it("need both", function()
    local C <const> = mp.class(name(), { __mp_pack = function() end })
    assert.error(function()
      roundtrip(setmetatable({}, C))
    end, "cannot decode: the class of a packed object has no __mp_unpack here")
  end)

  it("may send and receive themselves", function()
    local C = {}
    C.__index = C
    function C.__mp_pack(c)
      return mp.dumps { c.depth > 0 and setmetatable({ depth = c.depth - 1 }, C) or "end", c.depth }
    end
    function C.__mp_unpack(s)
      local got <const> = mp.loads(s)
      return setmetatable({ below = got[1], depth = got[2] }, C)
    end
    mp.class(name(), C)
    local got = roundtrip { { 1, 2, 3 }, setmetatable({ depth = 10 }, C), { 4, 5 } }
    assert.same({ 1, 2, 3 }, got[1])
    assert.same({ 4, 5 }, got[3])
    got = got[2]
    for depth = 10, 1, -1 do
      assert.equal(depth, got.depth)
      got = got.below
    end
    assert.equal("end", got.below)
  end)

  it("may change the tables that are being sent", function()
    local C = {}
    local t <const> = { 1, 2, 3, a = "a", b = "b" }
    function C.__mp_pack()
      for k in pairs(t) do
        if k ~= "hooked" then
          t[k] = nil
        end
      end
      collectgarbage()
      return 1
    end
    C.__mp_unpack = tostring
    t.hooked = setmetatable({}, mp.class(name(), C))
    local ok, got = pcall(roundtrip, t)
    if ok then
      assert.equal("1", got.hooked)
    else
      assert.matches("invalid key to 'next'", got)
    end
  end)

  it("pack foreign userdata whose metatable is registered", function()
    local mt <const> = getmetatable(io.stdout)
    mp.class("spec.FILE", mt)
    assert.equal("cannot send value[1] (a FILE*)", refusal { io.stdout })
    mt.__mp_pack = function(f)
      return f == io.stdout and "stdout" or "stderr"
    end
    mt.__mp_unpack = function(which)
      return io[which]
    end
    local got <const> = roundtrip { io.stderr, io.stdout, io.stdout }
    mt.__mp_pack, mt.__mp_unpack = nil, nil
    assert.same({ io.stderr, io.stdout, io.stdout }, got)
  end)

  it("run for no message that is not whole", function()
    local Box <const> = boxed()
    local bytes <const> = mp.dumps { Box.new(1), "and more" }
    for size = 1, #bytes - 1 do
      assert.is_false(pcall(mp.loads, bytes:sub(1, size)))
    end
    assert.equal(0, Box.unpacked)
    mp.loads(bytes)
    assert.equal(1, Box.unpacked)
  end)
end)

describe("an error value", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  -- By fork, for classes that the tests register.
  local function fail_with(make)
    local p <close> = mp.get_context("fork").spawn(function()
      error(make(), 0)
    end)
    local ok, e = pcall(p.result, p, 20)
    assert.is_false(ok)
    return e
  end

  it("arrives whatever is in it: as text what cannot be sent", function()
    local e <const> = fail_with(function()
      return {
        code = 7,
        co = coroutine.create(print),
        f = coroutine.wrap(print),
        list = { io.stdout, io.stdout, "text" },
      }
    end)
    assert.equal(7, e.value.code)
    assert.matches("^thread: 0x", e.value.co)
    assert.matches("^function: ", e.value.f)
    assert.matches("^file %(0x", e.value.list[1])
    assert.matches("^file %(0x", e.value.list[2])
    assert.equal("text", e.value.list[3])
  end)

  it("arrives without its metatable, if that has no name", function()
    local e <const> = fail_with(function()
      local mt <const> = {
        __tostring = function(err)
          return "code " .. err.code
        end,
      }
      return setmetatable({ code = 7, inner = setmetatable({ 8 }, mt) }, mt)
    end)
    assert.matches("^code 7\n", tostring(e))
    assert.same({ code = 7, inner = { 8 } }, e.value)
    assert.is_nil(getmetatable(e.value))
  end)

  it("arrives though its hooks and its __tostring fail", function()
    local C <const> = mp.class(name(), {
      __mp_pack = function()
        error "no"
      end,
      __tostring = function()
        error "neither"
      end,
    })
    local e <const> = fail_with(function()
      return { setmetatable({}, C), 9 }
    end)
    assert.matches("^%(a table whose text cannot be had%)$", e.value[1])
    assert.equal(9, e.value[2])
  end)

  it("arrives when it is nested too deep", function()
    local e <const> = fail_with(function()
      local list = {}
      for _ = 1, 100010 do
        list = { list }
      end
      return { code = 7, list = list }
    end)
    assert.equal(7, e.value.code)
    assert.equal("table", type(e.value.list[1][1]))
  end)
end)
