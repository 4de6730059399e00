-- under every start method
-- Functions and modules in messages: bytecode with its upvalues, or a name
-- that the receiver requires.
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

describe("mp.dumps and mp.loads", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("of a function", function()
    it("keep what it does with its arguments", function()
      local add <const> = roundtrip(function(a, b)
        return a + b
      end)
      assert.equal(5, add(2, 3))
      local count <const> = roundtrip(function(...)
        return select("#", ...), ...
      end)
      assert.same({ 3, nil, 7, nil }, { count(nil, 7, nil) })
    end)

    it("take its upvalues along, as they are then", function()
      local n, t, s = 1, { 2, { 3 } }, "four"
      local f <const> = function()
        return n, t[1], t[2][1], s
      end
      local got <const> = roundtrip(f)
      n, t, s = 10, {}, "else"
      assert.same({ 1, 2, 3, "four" }, { got() })
      assert.equal(10, n)
      assert.same({}, t)
      assert.equal("else", s)
    end)

    it("make a copy that changes nothing of the original's", function()
      local n = 0
      local function inc()
        n = n + 1
        return n
      end
      local got <const> = roundtrip(inc)
      assert.equal(1, got())
      assert.equal(2, got())
      assert.equal(1, inc())
    end)

    it("keep an upvalue shared that two functions of the message share", function()
      local n = 0
      local function inc()
        n = n + 1
      end
      local function get()
        return n
      end
      local got <const> = roundtrip { inc = inc, list = { get } }
      got.inc()
      got.inc()
      assert.equal(2, got.list[1]())
      assert.equal(0, n)
    end)

    it("keep upvalues apart that only have equal values", function()
      local function counter()
        local n = 0
        return function()
          n = n + 1
          return n
        end
      end
      local got <const> = roundtrip { counter(), counter() }
      assert.equal(1, got[1]())
      assert.equal(2, got[1]())
      assert.equal(1, got[2]())
    end)

    it("take recursive ones", function()
      local function factorial(n)
        return n < 2 and 1 or n * factorial(n - 1)
      end
      assert.equal(120, roundtrip(factorial)(5))
    end)

    it("take mutually recursive ones", function()
      local odd
      local function even(n)
        return n == 0 or odd(n - 1)
      end
      function odd(n)
        return n ~= 0 and even(n - 1)
      end
      local got <const> = roundtrip { even = even, odd = odd }
      assert.is_true(got.even(10))
      assert.is_false(got.odd(10))
      assert.is_true(roundtrip(even)(4))
    end)

    it("take a function that is an upvalue of its own upvalue's table", function()
      local object <const> = {}
      function object.get()
        return object
      end
      local got <const> = roundtrip(object)
      assert.equal(got, got.get())
    end)

    it("keep one function one function, and two of one source two", function()
      local function f()
        return print
      end
      local got <const> = roundtrip { f, f, [f] = "key" }
      assert.equal(got[1], got[2])
      assert.equal("key", got[got[1]])
      local list <const> = {}
      for i = 1, 10 do
        list[i] = function()
          return i
        end
      end
      for i, g in ipairs(roundtrip(list)) do
        assert.equal(i, g())
      end
    end)

    it("send the bytecode of closures of one source once", function()
      local function make(i)
        return function()
          return i, "a long text so that the bytecode is longer than its reference"
        end
      end
      local one <const>, two <const> = #mp.dumps { make(1) }, #mp.dumps { make(1), make(2) }
      assert.is_true(two - one < 12)
    end)

    it("give it the receiver's globals, whatever upvalue holds them", function()
      local G = _G
      local first <const> = 7
      local function f()
        return first, tostring(first), G, _ENV
      end
      local a, b, c, d = roundtrip(f)()
      assert.equal(7, a)
      assert.equal("7", b)
      assert.equal(_G, c)
      assert.equal(_G, d)
    end)

    it("take an environment that inherits for the globals", function()
      local env <const> = setmetatable({ own = 1 }, { __index = _G })
      local f <const> = load("return own, _ENV", "=f", "t", env)
      local own, got = roundtrip(f)()
      assert.is_nil(own)
      assert.equal(_G, got)
    end)

    it("take any other environment along", function()
      local f <const> = load("x = x + 1 return x", "=f", "t", { x = 1 })
      local got <const> = roundtrip(f)
      assert.equal(2, got())
      assert.equal(3, got())
      assert.equal(2, f())
    end)

    it("do not confuse functions that differ only in their constants", function()
      local fs <const> = {}
      for i = 1, 50 do
        fs[i] = load("return " .. i)
      end
      for i, f in ipairs(roundtrip(fs)) do
        assert.equal(i, f())
        assert.equal(i, roundtrip(fs[i])())
      end
    end)

    it("make it anew when the last copy's _ENV was changed", function()
      local f <const> = load "local was = answer; _ENV = { answer = 42 }; return was"
      _G.answer = 1
      assert.equal(1, roundtrip(f)())
      assert.equal(1, roundtrip(f)())
      _G.answer = nil
    end)

    it("keep its line numbers for errors", function()
      local function f()
        error("here")
      end
      local line <const> = debug.getinfo(f, "S").linedefined + 1
      local ok, message = pcall(roundtrip(f))
      assert.is_false(ok)
      assert.equal(("spec/codec_function_spec.lua:%d: here"):format(line),
        message:match("spec/.*"))
    end)

    it("take up to 255 upvalues, each with its value", function()
      local text <const> = {}
      for i = 1, 180 do
        text[#text + 1] = ("local v%d = %d"):format(i, i)
      end
      text[#text + 1] = "return function() return 0"
      for i = 1, 180 do
        text[#text + 1] = " + v" .. i
      end
      text[#text + 1] = " end"
      assert.equal(180 * 181 // 2, roundtrip(load(table.concat(text, "\n"))())())
    end)

    it("name the upvalue that cannot be sent", function()
      local co <const> = coroutine.create(print)
      local deep <const> = { { co } }
      local function f()
        return co
      end
      local function g()
        return deep
      end
      assert.equal("cannot send value.f(upvalue co) (a thread)", refusal { f = f })
      assert.equal("cannot send value.g(upvalue deep)[1][1] (a thread)", refusal { g = g })
    end)
  end)

  describe("of what a module has", function()
    it("name C functions, alone and among upvalues", function()
      assert.equal(print, roundtrip(print))
      assert.equal(string.format, roundtrip(string.format))
      assert.equal(math.floor, roundtrip { f = math.floor }.f)
      local floor <const> = math.floor
      assert.equal(2, roundtrip(function(x)
        return floor(x)
      end)(2.5))
      assert.is_true(#mp.dumps(string.format) < 20)
    end)

    it("name the module itself", function()
      assert.equal(string, roundtrip(string))
      local got <const> = roundtrip { math, m = { math } }
      assert.equal(math, got[1])
      assert.equal(math, got.m[1])
      assert.equal(mp, roundtrip(function()
        return mp
      end)())
    end)

    it("name its Lua functions too, which keeps the module's own upvalues", function()
      local count = 0
      package.loaded["spec.codec.counter"] = {
        next = function()
          count = count + 1
          return count
        end,
      }
      local counter <const> = package.loaded["spec.codec.counter"]
      roundtrip(counter.next)()
      roundtrip { counter }[1].next()
      assert.equal(2, count)
      package.loaded["spec.codec.counter"] = nil
    end)

    it("send a field that was replaced as what it is now", function()
      local module <const> = {
        f = function()
          return "old"
        end,
      }
      package.loaded["spec.codec.replaced"] = module
      local old <const> = module.f
      assert.equal(old, roundtrip(old))
      function module.f()
        return "new"
      end
      assert.equal("old", roundtrip(old)())
      assert.equal("new", roundtrip(module.f)())
      package.loaded["spec.codec.replaced"] = nil
    end)

    -- A table may lie where the one of a module that is gone lay.
    it("notice a module that took the place of another", function()
      local function load(name, module)
        function module.f()
          return name
        end
        package.loaded[name] = module
        local same <const> = module.f == roundtrip(module.f)
        package.loaded[name] = nil
        return same
      end
      local place
      do
        local first <const> = {}
        place = ("%p"):format(first)
        assert.is_true(load("spec.codec.first", first))
      end
      collectgarbage()
      local others <const> = {}
      for i = 1, 2000 do
        others[i] = {}
        if ("%p"):format(others[i]) == place then
          assert.is_true(load("spec.codec.second", others[i]))
        end
      end
    end)

    it("require the module where it is not loaded", function()
      package.preload["spec.codec.late"] = function(name)
        return { name = name, f = string.rep }
      end
      local late <const> = require "spec.codec.late"
      local bytes <const> = mp.dumps { late, print }
      package.loaded["spec.codec.late"] = nil
      assert.equal("spec.codec.late", mp.loads(bytes)[1].name)
      package.loaded["spec.codec.late"] = nil
      package.preload["spec.codec.late"] = nil
      local ok, message = pcall(mp.loads, bytes)
      assert.is_false(ok)
      assert.matches("^cannot decode: module 'spec%.codec%.late' cannot be loaded here: .*found",
        message)
    end)

    it("say what is missing in the receiver's module", function()
      package.loaded["spec.codec.fewer"] = { inner = { g = function() end } }
      local bytes <const> = mp.dumps(package.loaded["spec.codec.fewer"].inner.g)
      assert.equal("function", type(mp.loads(bytes)))
      package.loaded["spec.codec.fewer"] = { inner = {} }
      assert.error(function()
        mp.loads(bytes)
      end, "cannot decode: there is no 'spec.codec.fewer.inner.g' here")
      package.loaded["spec.codec.fewer"] = { inner = 1 }
      assert.error(function()
        mp.loads(bytes)
      end, "cannot decode: there is no 'spec.codec.fewer.inner.g' here")
      package.loaded["spec.codec.fewer"] = nil
    end)

    it("send global Lua functions by value: the script cannot be required", function()
      load "function spec_codec_global() return 'global' end"()
      local bytes <const> = mp.dumps(_G.spec_codec_global)
      _G.spec_codec_global = nil
      assert.equal("global", mp.loads(bytes)())
    end)

    it("refuse a C function that no module has", function()
      assert.equal("cannot send value.f (a C function: no loaded module has it)",
        refusal { f = coroutine.wrap(print) })
    end)
  end)

  describe("with functions = false", function()
    local strict <const> = { functions = false }

    it("take data", function()
      assert.same({ 1, { x = 2 } }, mp.loads(mp.dumps { 1, { x = 2 } }, strict))
    end)

    it("refuse functions, modules and the globals", function()
      local function f() end
      assert.error(function()
        mp.loads(mp.dumps { f }, strict)
      end, "cannot decode: functions are not accepted here")
      assert.error(function()
        mp.loads(mp.dumps(print), strict)
      end, "cannot decode: functions and modules are not accepted here")
      assert.error(function()
        mp.loads(mp.dumps { print, string }, strict)
      end, "cannot decode: functions and modules are not accepted here")
      assert.error(function()
        mp.loads("\1\xf7", strict)
      end, "cannot decode: functions are not accepted here")
    end)

    it("require nothing", function()
      local ran = false
      package.preload["spec.codec.trap"] = function()
        ran = true
        return {}
      end
      pcall(mp.loads, "\1\xf8\1\x8fspec.codec.trap", strict)
      assert.is_false(ran)
      -- Nor does a message that is not whole, where functions are taken.
      pcall(mp.loads, "\1\xf0\0\2\xf8\1\x8fspec.codec.trap")
      assert.is_false(ran)
      mp.loads("\1\xf8\1\x8fspec.codec.trap")
      assert.is_true(ran)
      package.loaded["spec.codec.trap"], package.preload["spec.codec.trap"] = nil, nil
    end)
  end)
end)
