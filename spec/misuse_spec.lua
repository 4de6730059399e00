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

  local function refusals(cases)
    local wrong <const> = {}
    for message, f in pairs(cases) do
      local ok <const>, err <const> = pcall(function()
        local r = f()
        return r
      end)
      if ok or not tostring(err):find(message, 1, true) then
        wrong[#wrong + 1] = ("%s: %s"):format(message, tostring(err))
      end
    end
    return wrong
  end

  it("values that look like some are refused", within(30, function()
    local pool <close> = mp.Pool(1)
    assert.same({}, refusals {
      ["argument #3 to 'Barrier' (timeout must not be negative"] = function()
        return (mp.Barrier(2, nil, -1))
      end,
      ["a range cannot be changed"] = function() mp.range(3)[1] = 99 end,
      ["9223372036854775807 results are too many"] = function()
        pool:map(print, mp.range(math.maxinteger))
      end,
      ["1125899906842624 results are too many"] = function()
        pool:map_async(print, { n = 1 << 50 })
      end,
      ["of arguments must be a count"] = function()
        pool:apply(print, { n = "x" })
      end,
      ["field 'n' of arguments must be a count"] = function()
        pool:starmap(print, { { n = 1 << 40 } })
      end,
      ["positive number expected, got inf"] = function() mp.chaos { rate = math.huge } end,
      ["cannot run on CPU 900"] = function()
        local p <close> = mp.Pool { processes = 1, affinity = { 900 } }
        p:apply(print)
      end,
      ["took longer than 0 s"] = function() pool:apply(mp.sleep, { 1 }, { timeout = 0 }) end,
    })
    for i, x in pool:imap(math.abs, mp.range(math.maxinteger)) do
      assert.equal(i, x)
      if i == 3 then break end
    end
  end))

  it("values beyond the last argument are refused", within(10, function()
    local wrong <const> = {}
    for name, make in pairs {
      Lock = mp.Lock, RLock = mp.RLock, Event = mp.Event, SimpleQueue = mp.SimpleQueue,
      Pipe = mp.Pipe, Pool = mp.Pool,
    } do
      local ok <const>, err <const> = pcall(make, nil, 1)
      if ok or not err:find("#2 to '[%w.]*" .. name .. "' %(no value expected%)") then
        wrong[#wrong + 1] = tostring(err)
      end
    end
    assert.same({}, wrong)
  end))

  it("a zero byte in a name is refused, not taken for its end", within(10, function()
    local named <const> = { name = "a\0b" }
    local process <const> = mp.Process { target = print }
    local wrong <const> = {}
    for what, f in pairs {
      lock = function() mp.Lock(named) end,
      semaphore = function() mp.Semaphore(1, named) end,
      queue = function() mp.Queue(1, named) end,
      barrier = function() mp.Barrier(2, nil, nil, named) end,
      dict = function() mp.dict({}, named) end,
      list = function() mp.list({}, named) end,
      pool = function() mp.Pool(named) end,
      process = function() mp.Process { target = print, name = named.name } end,
      renamed = function() process.name = named.name end,
    } do
      local ok <const>, err <const> = pcall(f)
      if ok or not err:find("must not contain '\\0'", 1, true) then
        wrong[#wrong + 1] = what .. ": " .. tostring(err)
      end
    end
    assert.same({}, wrong)
  end))

  it("variables of the environment that mean nothing are refused", within(20, function()
    for name, value in pairs { MP_ARENA = "xyz", MP_NUM_WORKERS = "0" } do
      local r <const> = helper.run_lua('require "mp"', { env = { [name] = value } })
      assert.equal(1, r.code)
      assert.matches("variable " .. name .. " of the environment: .* got '" .. value .. "'", r.err)
    end
  end))

  it("limits that leave no room are named", within(20, function()
    local lua <const> = os.getenv "MP_LUA" or "lua5.4"
    local code <const> = "print(pcall(require 'mp'.Pool, 1))"
    local pipe <close> = io.popen(([[ulimit -f 1000; '%s' -e "%s" 2>&1]]):format(lua, code))
    assert.matches("cannot make a pool: .*ulimit %-f", pipe:read "a")
  end))
end)
