local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

describe("mp.Struct", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("lays members out as C does", function()
    local inner <close> = mp.Struct { { "x", "f" }, { "y", "q" } }
    local s <close> = mp.Struct {
      { "a", "b" }, { "b", "d" }, { "c", "h" }, { "text", "c", 5 },
      { "inner", inner, 2 }, { "z", "?" },
    }
    assert.equal(16, inner.size)
    assert.equal(8, inner.align)
    local offsets = {}
    for _, name in ipairs { "a", "b", "c", "text", "inner", "z" } do
      offsets[name] = s:offset(name)
    end
    assert.same({ a = 0, b = 8, c = 16, text = 18, inner = 24, z = 56 }, offsets)
    assert.equal(64, s.size)
    local packed <close> = mp.Struct { { "a", "B" }, { "b", "B" }, { "c", "B" } }
    assert.equal(3, packed.size)
    assert.equal(1, packed.align)
    assert.error_matches(function() s:offset "w" end,
      "bad argument #1 to 'offset' %(no such member%)")
  end)

  it("refuses what is no format", function()
    local function bad(members, message)
      assert.error_matches(function() mp.Struct(members) end,
        "bad argument #1 to 'Struct' (" .. message, 1, true)
    end
    bad({}, "a Struct needs members")
    bad(nil, "table expected, got nil")
    bad({ "x" }, "member 1 is no {name, code}")
    bad({ { 1, "d" } }, "member 1 has no name")
    bad({ { "x" } }, "member 'x' has no valid code")
    bad({ { "x", "z" } }, "member 'x' has no valid code")
    bad({ { "x", "dd" } }, "member 'x' has no valid code")
    bad({ { "x", "d", 0 } }, "member 'x' has no valid count")
    bad({ { "x", "d", 1.5 } }, "member 'x' has no valid count")
    bad({ { "x", "d" }, { "x", "i" } }, "two members have one name")
    bad({ { "x", "d", 1 << 28 } }, "Struct is too large")
  end)

  it("shows its state, and its type", function()
    local s <close> = mp.Struct { { "x", "d" }, { "y", "d" } }
    assert.equal("Struct", mp.type(s))
    assert.matches("^mp.Struct: 0x%x+ %(2 members, 16 bytes%)$", tostring(s))
    s:close()
    assert.matches("^mp.Struct: 0x%x+ %(closed%)$", tostring(s))
    assert.error_matches(function() mp.Value(s) end,
      "bad argument #1 to 'Value' %(Struct is closed%)")
  end)

  describe("as a Value", function()
    it("is a live view", function()
      local s <close> = mp.Struct { { "x", "d" }, { "n", "i" } }
      local v <close> = mp.Value(s, { x = 1.5, n = 2 })
      local view <const> = v.value
      assert.equal(1.5, view.x)
      assert.equal(2, view.n)
      view.x = 7
      v.value.n = 8
      assert.equal(7.0, v.value.x)
      assert.equal(8, view.n)
      assert.is_true(v.code == s)
    end)

    it("takes members by name or by position; the others stay", function()
      local s <close> = mp.Struct { { "x", "d" }, { "y", "d" }, { "z", "d" } }
      local v <close> = mp.Value(s, { 1, 2, 3 })
      v.value = { y = 20 }
      assert.same({ 1.0, 20.0, 3.0 }, { v.value.x, v.value.y, v.value.z })
      v.value = { 10 }
      v.value = { 11, z = 30 }
      assert.same({ 11.0, 20.0, 30.0 }, { v.value.x, v.value.y, v.value.z })
      local w <close> = mp.Value(s)
      w.value = v.value
      assert.equal(20.0, w.value.y)
    end)

    it("refuses what does not fit, and changes nothing", function()
      local p <close> = mp.Struct { { "x", "B" }, { "y", "B" } }
      local s <close> = mp.Struct {
        { "id", "i" }, { "at", p }, { "name", "c", 4 }, { "v", "h", 2 },
      }
      local v <close> = mp.Value(s, { id = 1, at = { 2, 3 }, name = "four", v = { 5, 6 } })
      local function bad(value, message)
        assert.error_matches(function() v.value = value end, message, 1, true)
      end
      bad({ id = 9, at = { x = 9, y = 256 } },
        "member 'at': member 'y': value out of range for code 'B'")
      bad({ id = 9, q = 1 }, "no member 'q' in Struct")
      bad({ id = 9, name = "fives" }, "member 'name': string of 5 bytes is longer than 4")
      bad({ id = 9, name = 1 }, "member 'name': string expected, got number")
      bad({ id = 9, v = { 1 } }, "member 'v': list of 2 expected")
      bad({ id = 9, v = { 1, "x" } }, "member 'v': element 2: number expected, got string")
      bad({ id = 9, at = 5 }, "member 'at': table expected, got number")
      bad({ 1, { 1, 2 }, "a", { 1, 2 }, 5 }, "more than 4 members")
      bad(5, "table expected, got number")
      bad(nil, "table expected, got nil")
      assert.error_matches(function() v.value.q = 1 end, "no member 'q' in Struct")
      assert.error_matches(function() v.value.id = 2 ^ 31 end, "value out of range for code 'i'")
      assert.error_matches(function() v.value[1] = 1 end, "no member '1' in Struct")
      assert.equal(1, v.value.id)
      assert.equal(2, v.value.at.x)
      assert.equal(3, v.value.at.y)
      assert.equal("four", v.value.name)
      assert.is_nil(v.value.q)
      assert.error_matches(function() mp.Value(s, { id = "x" }) end,
        "bad argument #2 to 'Value' %(member 'id': number expected, got string%)")
    end)

    it("has no atomic operations", function()
      local s <close> = mp.Struct { { "x", "d" } }
      local v <close> = mp.Value(s)
      for _, f in ipairs { "add", "exchange", "cas" } do
        assert.error_matches(function() v[f](v, 1, 2) end, "a Struct has no atomic operations")
      end
    end)
  end)

  describe("as an Array", function()
    it("gives views by index", function()
      local s <close> = mp.Struct { { "x", "d" }, { "y", "d" } }
      local a <close> = mp.Array(s, { { 1, 2 }, { x = 3 } })
      assert.equal(2, #a)
      assert.equal(1.0, a[1].x)
      assert.equal(0.0, a[2].y)
      assert.is_nil(a[3])
      a[2].y = 4
      a[1] = a[2]
      a[2] = { x = 5 }
      assert.same({ { x = 3.0, y = 4.0 }, { x = 5.0, y = 4.0 } }, a:totable())
      assert.error_matches(function() a[3] = {} end, "index 3 out of range %(1 to 2%)")
      assert.error_matches(function() a:add(1, 1) end, "a Struct has no atomic operations")
    end)

    it("is two-dimensional with rows of cells", function()
      local row <close> = mp.Struct { { "cell", "i", 4 } }
      local a <close> = mp.Array(row, 3)
      for i = 1, 3 do
        local cells <const> = a[i].cell
        for j = 1, #cells do cells[j] = i * 10 + j end
      end
      assert.same({ { cell = { 31, 32, 33, 34 } } }, a:slice(-1))
      assert.equal(23, a[2].cell[3])
      a[1].cell = a[3].cell
      a[2].cell = { 1, 2, 3, 4 }
      assert.equal(34, a[1].cell[4])
      local sum = 0
      for _, x in ipairs(a[2].cell) do sum = sum + x end
      assert.equal(10, sum)
      assert.is_nil(a[1].cell[5])
      assert.is_nil(a[1].cell[0])
      assert.is_nil(a[1].cell.x)
      assert.error_matches(function() a[1].cell[5] = 1 end, "index 5 out of range %(1 to 4%)")
      assert.error_matches(function() return #a[1] end, "attempt to get length of a struct")
      local flat <close> = a:view(1, -1, "i")
      assert.equal(12, #flat)
      assert.equal(23 - 20, flat[7])
    end)

    it("copies in and out", function()
      local inner <close> = mp.Struct { { "a", "b" } }
      local s <close> = mp.Struct { { "n", "i" }, { "in", inner, 2 }, { "text", "c", 8 } }
      local list <const> = {
        { n = 1, ["in"] = { { a = 1 }, { a = 2 } }, text = "one" },
        { n = 2, ["in"] = { { a = 3 }, { a = 4 } }, text = "twelve!!" },
      }
      local a <close> = mp.Array(s, list)
      assert.same(list, a:totable())
      assert.equal(2 * s.size, #a:tostring())
      local b <close> = mp.Array(s, a:tostring())
      assert.same(list, b:totable())
      b:fill({ n = 7 }, 2)
      assert.equal(1, b[1].n)
      assert.equal(7, b[2].n)
      assert.equal("twelve!!", b[2].text)
      b:set(1, { { n = 5 } })
      assert.equal("one", b[1].text)
      assert.error_matches(function() b:set(1, { { n = 6 }, { n = "x" } }) end,
        "element 2: member 'n': number expected, got string")
      assert.equal(5, b[1].n)
      b:copy(a)
      assert.same(list, b:totable())
    end)

    it("views stay views of the same memory", function()
      local s <close> = mp.Struct { { "x", "d" } }
      local a <close> = mp.Array(s, 3)
      local v <close> = a:view(2)
      v[1].x = 5
      assert.equal(5.0, a[2].x)
      assert.is_true(v.code == s)
    end)
  end)

  it("members can be iterated", function()
    local s <close> = mp.Struct { { "b", "i" }, { "a", "c", 4 }, { "v", "h", 2 } }
    local v <close> = mp.Value(s, { 1, "xy", { 3, 4 } })
    local names, row = {}, {}
    for name, value in pairs(v.value) do
      names[#names + 1] = name
      if name == "v" then
        for i, x in pairs(value) do row[i] = x end
      end
    end
    assert.same({ "b", "a", "v" }, names)
    assert.same({ 3, 4 }, row)
  end)

  it("views raise when their array is closed", function()
    local s <close> = mp.Struct { { "x", "d" }, { "v", "i", 2 } }
    local a <const> = mp.Array(s, 2)
    local view <const> = a[1]
    local row <const> = view.v
    assert.matches("^mp.View: 0x%x+ %(2 members%)$", tostring(view))
    assert.matches("^mp.View: 0x%x+ %(2 elements%)$", tostring(row))
    a:close()
    assert.error_matches(function() return view.x end, "attempt to use a closed Array")
    assert.error_matches(function() view.x = 1 end, "attempt to use a closed Array")
    assert.error_matches(function() return #row end, "attempt to use a closed Array")
    assert.matches("^mp.View: 0x%x+ %(closed%)$", tostring(view))
  end)

  it("views keep their array", function()
    local s <close> = mp.Struct { { "x", "d" } }
    local view = mp.Array(s, { { 5 } })[1]
    collectgarbage()
    assert.equal(5.0, view.x)
    view = nil -- luacheck: ignore
  end)

  it("travels, and what it formats", within(10, function()
    local s <close> = mp.Struct { { "x", "d" }, { "name", "c", 8 } }
    local a <close> = mp.Array(s, 4)
    local here, there <close> = mp.Pipe()
    local _ <close> = here
    local p = mp.spawn(function()
      local format, array = table.unpack(there:recv())
      array[2] = { x = 2.5, name = "two" }
      local own <close> = mp.Value(format, { 9, "nine" })
      there:send(own)
      assert(there:recv() == "got it")
    end)
    here:send { s, a }
    local v <close> = here:recv()
    assert.equal("two", a[2].name)
    assert.equal(2.5, a[2].x)
    assert.equal("nine", v.value.name)
    local format <close> = v.code
    assert.is_true(format == s)
    here:send "got it"
    p:join()
    assert.equal(0, p.exitcode)
  end))

  it("views do not travel", function()
    local s <close> = mp.Struct { { "x", "d" } }
    local v <close> = mp.Value(s)
    assert.error_matches(function() mp.dumps(v.value) end, "cannot send value %(an mp.View%)")
  end)
end)
