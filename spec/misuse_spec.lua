-- What a hostile user did, and what must come of it.
local helper = require "spec.helper"
local mp = require "mp"
local within <const> = helper.within

describe("misuse", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("an object that is closed while it is sent is refused", within(10, function()
    local lock
    local Closer = {}
    Closer.__mp_pack = function()
      lock:close()
      return 1
    end
    Closer.__mp_unpack = function() return {} end
    mp.class("misuse_spec.Closer", Closer)
    local q <close> = mp.Queue()
    local a <const>, b <const> = mp.Pipe()
    for _, send in ipairs {
      function(v) return q:put(v) end,
      function(v) return a:send(v) end,
    } do
      lock = mp.Lock()
      local ok, err = pcall(send, { lock, setmetatable({}, Closer) })
      assert.is_false(ok)
      assert.matches("closed", tostring(err))
    end
    a:close()
    b:close()
  end))

  it("names the user's line and function, not ours", within(10, function()
    local here = "^" .. debug.getinfo(1, "S").short_src:gsub("%p", "%%%0") .. ":%d+: "
    local manager <close> = mp.Manager()
    for message, f in pairs {
      ["bad argument #1 to 'wait' (table expected, got number)"] = function()
        return (mp.wait(5, 0))
      end,
      ["cannot wait for element 1 (a function)"] = function()
        return (mp.wait({ print }, 0))
      end,
      ["bad argument #2 to 'wait' (timeout must not be NaN)"] = function()
        return (mp.wait({}, 0 / 0))
      end,
      ["bad argument #1 to 'Barrier' (at least one party expected)"] = function()
        return (manager:Barrier(0))
      end,
      ["bad argument #1 to 'Value' (invalid code 'k')"] = function()
        return (manager:Value "k")
      end,
      ["bad argument #2 to 'dict' (table expected, got string)"] = function()
        return (mp.dict({}, "x"))
      end,
      ["bad argument #2 to 'list' (table expected, got string)"] = function()
        return (mp.list({}, "x"))
      end,
      ["attempt to compare string with number"] = function()
        mp.list({ 1, "x" }):sort()
      end,
    } do
      local ok, err = pcall(f)
      assert.is_false(ok)
      assert.matches(here, err)
      assert.equal(message, (err:gsub(here, "")))
    end
  end))

  it("a retries.when that raises leaves the task's error, and says so", within(20, function()
    local pool <close> = mp.Pool(1)
    local retries <const> = { max = 3, when = function() error("no way", 0) end }
    local ok, err = pcall(pool.apply, pool, error, { "tea", 0 }, { retries = retries })
    assert.is_false(ok)
    assert.matches("tea %(and its retries.when raised: no way", tostring(err))
  end))

  it("a count of items that is none is refused", within(20, function()
    local pool <close> = mp.Pool(1)
    for _, n in ipairs { -1, 1.5, "x" } do
      local function map() pool:map(print, { 1, n = n }) end
      assert.error_matches(map, "field 'n' must be a count")
    end
  end))

  it("at_exit needs nothing else of mp", function()
    local r <const> = helper.run_lua [[require "mp".at_exit(function() print "bye" end)]]
    assert.equal("bye\n", r.out)
    assert.equal("", r.err)
  end)

  -- Its creator has them all, too, when it has opened some of its own: then it
  -- has no descriptor of most children, and ends them all the same.
  it("a fork server without descriptors says so, and its pool works on", within(60, function()
    local code <const> = "mp = require 'mp' mp.set_start_method 'forkserver' "
      .. "local own = {} for i = 1, %d do own[i] = io.open '/dev/null' end "
      .. "local p = mp.Pool(36) print(#p:map(tostring, mp.range(1000)))"
    local lua <const> = os.getenv "MP_LUA" or "lua5.4"
    for _, own in ipairs { 0, 4, 8 } do
      local command <const> = ([[ulimit -n 40; timeout -s KILL 20 '%s' -e "%s" 2>&1; echo rc $?]])
        :format(lua, code:format(own))
      local pipe <close> = io.popen(command)
      local out <const> = pipe:read "a"
      assert(not out:find("table index is nil", 1, true), out)
      assert.matches("1000\n", out)
      assert.matches("rc 0\n", out)
    end
  end))
end)
