-- runs alone: it looks at names in /dev/shm
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

local prefix <const> = "mp_list_" .. mp.current_process().pid .. "_"

local function on_disk(name)
  local file <close> = io.open("/dev/shm/" .. name, "rb")
  return file ~= nil
end

-- Equal, the same type of number, the same sign of zero; a NaN is a NaN.
local function same(a, b)
  if a ~= a then
    return b ~= b
  end
  return a == b and math.type(a) == math.type(b) and (a ~= 0 or 1 / a == 1 / b)
end

describe("mp.ShareableList", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("holds nil, booleans, numbers and strings", function()
    local list <const> = { 1, 2.5, "text", true, nil, false, "", n = 7 }
    local l <close> = mp.ShareableList(list)
    assert.equal(7, #l)
    for i = 1, 7 do assert.is_true(same(list[i], l[i])) end
    assert.is_nil(l[0])
    assert.is_nil(l[8])
    assert.is_nil(l[-1])
    assert.is_nil(l[1.5])
    assert.is_nil(l["1"])
    local empty <close> = mp.ShareableList {}
    assert.equal(0, #empty)
  end)

  it("gives back what was put in, whatever it is", within(60, function()
    helper.seed()
    local function random_value()
      local kind <const> = math.random(8)
      if kind == 1 then return nil end
      if kind == 2 then return math.random(2) == 1 end
      if kind == 3 then return math.random(0) end
      if kind == 4 then
        local extremes <const> = { math.mininteger, math.maxinteger, 0, -1 }
        return extremes[math.random(#extremes)]
      end
      if kind == 5 then
        local extremes <const> = { 0.0, -0.0, 1 / 0, -1 / 0, 0 / 0, 5e-324, 1.7e308 }
        return extremes[math.random(#extremes)]
      end
      if kind == 6 then return string.unpack("d", string.pack("j", math.random(0))) end
      -- Zeros, invalid UTF-8, every length modulo 8.
      local size <const> = kind == 7 and math.random(0, 40) or 1 << math.random(0, 20)
      local bytes <const> = {}
      for i = 1, math.min(size, 64) do bytes[i] = string.char(math.random(0, 255)) end
      local s <const> = table.concat(bytes)
      return (s .. ("\0\xc3\xff"):rep(size // 3 + 1)):sub(1, size)
    end
    for _ = 1, 30 do
      local list = { n = math.random(1, 20) }
      for i = 1, list.n do list[i] = random_value() end
      local l <close> = mp.ShareableList(list)
      local other <close> = mp.ShareableList { name = l.shm.name }
      for _ = 1, 20 do
        for i = 1, list.n do assert.is_true(same(list[i], other[i])) end
        local i <const> = math.random(list.n)
        local new <const> = random_value()
        local ok <const>, why <const> = pcall(function() l[i] = new end)
        if ok then
          list[i] = new
        else
          assert.matches("string of %d+ bytes is longer than the %d+ of item " .. i, why)
        end
      end
    end
  end))

  it("keeps a string as long as its slot: one byte more, by eights", function()
    local l <close> = mp.ShareableList { "", "1234567", "12345678", ("é"):rep(9), 0 }
    assert.equal("8s8s16s24sq", l.format)
    l[1] = "12345678"
    l[4] = ("x"):rep(24)
    l[5] = "12345678"
    assert.error_matches(function() l[1] = "123456789" end,
      "string of 9 bytes is longer than the 8 of item 1")
    assert.error_matches(function() l[4] = ("x"):rep(25) end,
      "string of 25 bytes is longer than the 24 of item 4")
    assert.equal("12345678", l[1])
    assert.equal("1234567", l[2])
    assert.equal(("x"):rep(24), l[4])
    l[4] = ("é"):rep(9)
    assert.equal(("é"):rep(9), l[4])
  end)

  it("lets any item change its type", function()
    local l <close> = mp.ShareableList { 1, "x" }
    for _, v in ipairs { 2.5, "text", true, 7, false } do
      l[1], l[2] = v, v
      assert.is_true(same(v, l[1]) and same(v, l[2]))
    end
    l[1] = nil
    assert.is_nil(l[1])
    assert.equal("x?", l.format)
  end)

  it("can be iterated, counted and searched", function()
    local l <close> = mp.ShareableList { 1, "a", nil, 1.0, "a", n = 5 }
    local seen = {}
    for i, v in pairs(l) do seen[#seen + 1] = i .. "=" .. tostring(v) end
    assert.equal("1=1 2=a 3=nil 4=1.0 5=a", table.concat(seen, " "))
    seen = {}
    for i in ipairs(l) do seen[#seen + 1] = i end
    assert.same({ 1, 2 }, seen)
    assert.equal(2, l:count "a")
    assert.equal(2, l:count(1))
    assert.equal(1, l:count(nil))
    assert.equal(0, l:count {})
    assert.equal(2, l:index "a")
    assert.equal(3, l:index(nil))
    assert.is_nil(l:index "b")
    assert.error_matches(function() l:index() end, "bad argument #1 to 'index' %(value expected%)")
  end)

  it("refuses writes outside, and other types", function()
    local l <close> = mp.ShareableList { 1, 2 }
    for _, i in ipairs { 0, 3, -1, 1.5 } do
      assert.error_matches(function() l[i] = 1 end,
        "index " .. i .. " out of range (1 to 2)", 1, true)
    end
    assert.error_matches(function() l.x = 1 end, "cannot set field 'x' of a ShareableList")
    assert.error_matches(function() l[1] = {} end, "a list in memory holds no table")
    assert.error_matches(function() l[1] = print end, "a list in memory holds no function")
    assert.error_matches(function() mp.ShareableList { 1, {} } end,
      "item 2: a list in memory holds no table")
    assert.equal(1, l[1])
  end)

  it("refuses arguments that are none", function()
    assert.error_matches(function() mp.ShareableList() end, "table expected")
    assert.error_matches(function() mp.ShareableList(5) end, "table expected, got number")
    assert.error_matches(function() mp.ShareableList({ 1 }, { size = 1 }) end,
      "invalid option 'size'")
    assert.error_matches(function() mp.ShareableList { name = "x", persist = true } end,
      "invalid option 'persist'")
    assert.error_matches(function() mp.ShareableList { name = "a/b" } end, "invalid name 'a/b'")
  end)

  it("is attached by name, and has its memory as shm", function()
    local name <const> = prefix .. "a"
    local l <close> = mp.ShareableList({ 1, 2 }, { name = name })
    assert.equal(name, l.shm.name)
    assert.equal("SharedMemory", mp.type(l.shm))
    assert.is_true(rawequal(l.shm, l.shm))
    do
      local m <close> = mp.ShareableList { name = name }
      m[2] = "two"
    end
    assert.equal("two", l[2])
    local none <const>, why <const>, errno <const> = mp.ShareableList { name = prefix .. "none" }
    assert.is_nil(none)
    assert.equal("shared memory '" .. prefix .. "none': No such file or directory", why)
    assert.equal(2, errno)
    assert.equal("shared memory '" .. name .. "': File exists",
      select(2, mp.ShareableList({ 1 }, { name = name })))
    local other <close> = mp.SharedMemory { create = true, size = 1000 }
    assert.error_matches(function() mp.ShareableList { name = other.name } end,
      "'" .. other.name .. "' is no ShareableList")
    assert.is_true(l.shm:unlink())
    assert.is_nil((l.shm:unlink()))
    assert.equal("two", l[2])
  end)

  it("goes with its last holder, or stays with persist", function()
    local name <const> = prefix .. "p"
    mp.ShareableList({ 1 }, { name = name }):close()
    assert.is_false(on_disk(name))
    mp.ShareableList({ 1 }, { name = name, persist = true }):close()
    assert.is_true(on_disk(name))
    local l <close> = mp.ShareableList { name = name }
    assert.equal(1, l[1])
    local shm <close> = l.shm
    shm:unlink()
  end)

  it("raises once it is closed", function()
    local l <const> = mp.ShareableList { 1 }
    assert.matches("^mp.ShareableList: 0x%x+ %('mp_%x+', 1 items%)$", tostring(l))
    assert.equal("ShareableList", mp.type(l))
    l:close()
    l:close()
    for _, f in ipairs {
      function() return l[1] end, function() l[1] = 1 end, function() return #l end,
      function() return l:count(1) end, function() return pairs(l) end,
    } do
      assert.error_matches(f, "attempt to use a closed ShareableList")
    end
    assert.is_nil(l.shm)
    assert.matches("^mp.ShareableList: 0x%x+ %(closed%)$", tostring(l))
  end)

  it("is passed on, whatever the start method", within(60, function()
    for _, method in ipairs(mp.get_all_start_methods()) do
      local r <const> = helper.run_lua(([[
        local mp = require "mp"
        mp.set_start_method %q
        local l <close> = mp.ShareableList { "parent", 0 }
        local p = mp.spawn(function(list)
          list[2] = list[1]
          list[1] = "child"
        end, l)
        p:join()
        io.write(p.exitcode, l[1], l[2])
      ]]):format(method))
      assert.equal("0childparent", r.out, r.err)
    end
  end))

  it("never shows half an item, whoever writes or is killed", within(60, function()
    local a <const>, b <const> = ("a"):rep(100000), ("b"):rep(50000)
    local l <close> = mp.ShareableList { a }
    for _ = 1, 8 do
      local writers = {}
      for i = 1, 2 do
        writers[i] = mp.spawn(function()
          while true do l[1] = b; l[1] = a end
        end)
      end
      for _ = 1, 100 do
        local now <const> = l[1]
        assert.is_true(now == a or now == b)
      end
      for _, p in ipairs(writers) do
        p:kill()
        p:join()
      end
      local now <const> = l[1]
      assert.is_true(now == a or now == b)
      l[1] = a
    end
  end))
end)
