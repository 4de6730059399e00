-- The codec under values and bytes that nobody chose: MP_SEED=n repeats a run.
-- time limit: 300 s
local collector = require "spec.helper.collector"
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local random <const> = math.random

local function random_string()
  local bytes <const> = {}
  local size = random(12) == 1 and random(0, 300) or random(0, 45)
  for i = 1, size do
    bytes[i] = string.char(random(0, 255))
  end
  return table.concat(bytes)
end

local words <const> = { "id", "name", "x", "y", "next", "a longer key", ("key"):rep(20) }

local function random_scalar()
  local kind <const> = random(8)
  if kind == 1 then
    return random(2) == 1
  elseif kind == 2 then
    return random(-3, 200)
  elseif kind == 3 then
    return random(0) >> random(0, 63)
  elseif kind == 4 then
    return (random() - 0.5) * 10 ^ random(-20, 20)
  elseif kind == 5 then
    return random(-5, 5) + 0.0
  elseif kind == 6 then
    return random_string()
  end
  return words[random(#words)]
end

-- Some tables, in the list made, refer to others of them.
local function random_value(depth, made)
  local kind <const> = random(10)
  if depth == 0 or kind <= 4 then
    return random_scalar()
  elseif kind == 5 and #made > 0 then
    return made[random(#made)]
  end
  local t <const> = {}
  made[#made + 1] = t
  if random(2) == 1 then
    local n, one = random(0, 20), random(3)
    for i = 1, n do
      t[i] = one == 1 and random(-100, 1000) or one == 2 and random()
        or random_value(depth - 1, made)
    end
  end
  if random(3) == 1 then
    local hole <const> = random(30)
    t[hole] = nil
  end
  for _ = 1, random(0, 6) do
    local key = random_value(depth > 1 and random(4) == 1 and 1 or 0, made)
    t[key] = random_value(depth - 1, made)
  end
  return t
end

-- Whether two values are equal in all that can be seen: the tables correspond
-- one to one. Table keys have no order, so those are only counted. Changed bytes
-- may be a NaN, anywhere.
local function equal(a, b, map)
  if type(a) ~= "table" or type(b) ~= "table" then
    return (a == b or a ~= a and b ~= b) and math.type(a) == math.type(b)
  elseif map[a] or map[b] then
    return map[a] == b and map[b] == a
  end
  map[a], map[b] = b, a
  local keys = 0
  for k, v in pairs(a) do
    if type(k) == "table" then
      keys = keys + 1
    elseif not equal(v, rawget(b, k), map) then
      return false
    end
  end
  for k in pairs(b) do
    if type(k) == "table" then
      keys = keys - 1
    elseif a[k] == nil then
      return false
    end
  end
  return keys == 0
end

describe("the codec", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("keeps any value", within(60, function()
    helper.seed()
    for _ = 1, 4000 do
      local v <const> = random_value(5, {})
      local got <const> = mp.loads(mp.dumps(v))
      if not equal(v, got, {}) then
        error("not equal: " .. string.format("%q", mp.dumps(v)))
      end
    end
  end))

  it("keeps any value while the collector runs at every allocation", within(120, function()
    helper.seed()
    -- Finalizers that run the codec themselves, in the middle of it.
    local function trap()
      setmetatable({}, {
        __gc = function()
          assert(mp.loads(mp.dumps { "in a finalizer", { 1, x = { 2 } } })[2].x[1] == 2)
          trap()
        end,
      })
    end
    local C <const> = mp.class("spec.Fuzz", {
      __mp_pack = function(o)
        collectgarbage()
        return { o.v }
      end,
      __mp_unpack = function(p)
        collectgarbage()
        return setmetatable({ v = p[1] }, getmetatable(_G.spec_fuzz))
      end,
    })
    _G.spec_fuzz = setmetatable({}, C)
    local pause, step = collector.set("pause", 0), collector.set("stepmul", 1000)
    debug.sethook(function()
      collectgarbage("step", 0)
    end, "", 7)
    for round = 1, 150 do
      if round % 30 == 1 then
        trap()
      end
      local v <const> = {
        random_value(3, {}), setmetatable({ v = random_value(2, {}) }, C),
        function()
          return round, words
        end,
      }
      local got <const> = mp.loads(mp.dumps(v))
      assert(equal(v[1], got[1], {}))
      assert(getmetatable(got[2]) == C and equal(v[2].v, got[2].v, {}))
      local n, list = got[3]()
      assert(n == round and equal(words, list, {}))
    end
    debug.sethook()
    collector.set("pause", pause)
    collector.set("stepmul", step)
    _G.spec_fuzz = nil
  end))

  it("takes any bytes for a value or an error", within(120, function()
    helper.seed()
    local opts <const> = { functions = false }
    local values, errors = 0, 0
    for _ = 1, 400 do
      local bytes <const> = mp.dumps(random_value(4, {}))
      for _ = 1, 40 do
        local changed = bytes
        for _ = 1, random(3) do
          local at <const> = random(2, #bytes + 1)
          local with <const> = random(2) == 1 and random(0xe0, 0xff) or random(0, 255)
          changed = changed:sub(1, at - 1) .. string.char(with) .. changed:sub(at + random(0, 2))
        end
        local ok, what = pcall(mp.loads, changed, opts)
        if ok then
          values = values + 1
          assert(equal(what, mp.loads(mp.dumps(what)), {}))
        else
          errors = errors + 1
          assert(type(what) == "string" and what:find("cannot decode", 1, true)
            or what:find("overflow", 1, true), what)
        end
      end
    end
    assert.is_true(values > 0 and errors > 0)
  end))

  -- 56 bytes of a table, its stack slots and what keeps count of it are honest.
  it("needs memory by what a message holds, not by what it claims", within(60, function()
    helper.seed()
    local function tables(bytes, claim)
      return "\1" .. claim:rep(bytes // #claim)
    end
    local n <const> = 100000
    -- Each table claims to hold as much as the rest of the message might.
    local claims <const> = {
      "\xf0\0\xa0\x8d\6", -- 100 000 items, the first of which is the next table
      "\xf0\0\xff\xff\3", -- 65 535 items
      "\xee\xf0\1", -- up to 65 536 pairs, the first value is the next table
      "\xee\xdf\1", -- 223 pairs
      "\xf0\xf0\xff\xff\3",
    }
    for _, claim in ipairs(claims) do
      local s = tables(n, claim)
      collectgarbage()
      collectgarbage("stop")
      local before <const> = collectgarbage("count")
      local ok, message = pcall(mp.loads, s)
      local used <const> = (collectgarbage("count") - before) * 1024
      collectgarbage("restart")
      assert.is_false(ok)
      assert.matches("^cannot decode", message)
      assert(used < 100 * n, ("%d bytes for a message of %d"):format(used, n))
      s = nil
      assert.is_nil(s)
    end
    for _, size in ipairs { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", "\xff\xff\xff\xff\7" } do
      assert.error(function()
        mp.loads("\1\xec" .. size .. "x")
      end, "cannot decode: truncated")
    end
  end))
end)
