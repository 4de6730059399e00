local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local assert <const>, describe <const>, it <const> = assert, describe, it
local before_each <const>, after_each <const> = before_each, after_each
-- Busted runs this file with globals of its own, which functions that travel
-- would have to take along.
local _ENV <const> = _G -- luacheck: ignore 211

local function square(x)
  return x * x
end

-- An iterator of 1, 2, 3 … and what it has given so far.
local function counter(last)
  local state = { n = 0 }
  return function()
    if state.n == last then
      return nil
    end
    state.n = state.n + 1
    return state.n
  end, state
end

local function resident()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^RssAnon:%s+(%d+) kB"
    if kb then
      return tonumber(kb) / 1024
    end
  end
end

describe("mp.Pool", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("imap", function()
    it("yields index and value in order", within(10, function()
      local pool <close> = mp.Pool(2)
      local n = 0
      for i, v in pool:imap(square, mp.range(1000)) do
        n = n + 1
        assert(i == n and v == n * n)
      end
      assert.equal(1000, n)
      for i, v in pool:imap(tostring, { "a", nil, "c", n = 3 }) do
        assert.equal(({ "a", "nil", "c" })[i], v)
        n = i
      end
      assert.equal(3, n)
    end))

    it("takes iterators, and ends with them", within(10, function()
      local pool <close> = mp.Pool(2)
      local words = {}
      for i, v in pool:imap(string.upper, ("to be or not"):gmatch "%a+") do
        words[i] = v
      end
      assert.same({ "TO", "BE", "OR", "NOT" }, words)
      for _ in pool:imap(square, function() end) do
        error "nothing was to come"
      end
    end))

    it("never pulls far ahead", within(10, function()
      local pool <close> = mp.Pool(2)
      local items, state = counter()
      local results = pool:imap(function(x) mp.sleep(0.01) return x end, items)
      for n = 1, 10 do
        assert.equal(n, (results:next()))
        assert(state.n - n <= 2 * 2 * 1, state.n)
      end
      results:close()
      local fast, pulled = counter()
      results = pool:imap(function(x) return x end, fast, { chunksize = 8 })
      for n = 1, 1000 do
        results:next()
        assert(pulled.n - n <= 2 * 2 * 8)
      end
      results:close()
      local adaptive, most = counter()
      results = pool:imap(function(x) return x end, adaptive)
      for n = 1, 10000 do
        results:next()
        assert(most.n - n <= 2 * 2 * 64)
      end
      results:close()
    end))

    it("pulls in next only", within(10, function()
      local pool <close> = mp.Pool(1)
      local items, state = counter()
      local results <close> = pool:imap(square, items)
      pool:apply(mp.sleep, { 0.01 })
      assert.equal(0, state.n)
      results:next()
    end))

    it("an item can be done as soon as it is pulled", within(10, function()
      local pool <close> = mp.Pool(1)
      local seen, see = mp.Pipe(false)
      local n = 0
      local results <close> = pool:imap(function(x) see:send(x) return x end, function()
        n = n + 1
        if n > 1 then
          assert.equal(n - 1, seen:recv(5))
        end
        return n
      end, { chunksize = 16 })
      assert.equal(1, (results:next()))
      seen:close()
      see:close()
    end))

    it("break gives up the rest", within(10, function()
      local pool <close> = mp.Pool(2)
      local items, state = counter()
      for i in pool:imap(square, items) do
        if i == 100 then
          break
        end
      end
      local n = state.n
      assert.equal(4, pool:apply(square, { 2 }))
      assert.equal(n, state.n)
      helper.eventually(2, function() return pool.pending == 0 end)
    end))

    it("an iterator that is dropped gives up the rest", within(10, function()
      local pool <close> = mp.Pool(1)
      local results = pool:imap(mp.sleep, { 0.01, 60, 60, 60 }, { chunksize = 4 })
      results:next()
      results = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      pool:terminate()
    end))

    it("an error occupies its own place", within(10, function()
      local pool <close> = mp.Pool(2)
      local results <close> = pool:imap(function(x)
        if x == 3 then
          error("three", 0)
        end
        return x
      end, mp.range(5))
      assert.same({ 1, 1 }, { results:next() })
      assert.same({ 2, 2 }, { results:next() })
      local ok, err = pcall(results.next, results)
      assert.is_false(ok)
      assert.equal("three", err.message)
      assert.equal(3, err.index)
      assert.same({ 4, 4 }, { results:next() })
      assert.same({ 5, 5 }, { results:next() })
      assert.equal(0, select("#", (function(...) return ... end)(results:next())) - 1)
      assert.is_nil((results:next()))
    end))

    it("on_error: collect, or a function that decides", within(10, function()
      local pool <close> = mp.Pool(1)
      local function picky(x)
        if x % 2 == 0 then
          error("even", 0)
        end
        return x
      end
      local seen = {}
      for i, v in pool:imap(picky, mp.range(4), { on_error = "collect" }) do
        seen[i] = mp.type(v) == "Error" and v.message or v
      end
      assert.same({ 1, "even", 3, "even" }, seen)
      seen = {}
      local function skip() return "skip" end
      for i, v in pool:imap_unordered(picky, mp.range(4), { on_error = skip }) do
        seen[i] = v
      end
      assert.same({ 1, nil, 3 }, seen)
    end))

    it("an error of the source comes out at its place, and the pool lives", within(10, function()
      for _, name in ipairs { "imap", "imap_unordered" } do
        local pool <close> = mp.Pool(2)
        local n = 0
        local results <close> = pool[name](pool, square, function()
          n = n + 1
          if n == 5 then
            error("dry", 0)
          end
          return n
        end)
        local got = 0
        for _ = 1, 4 do
          got = got + select(2, results:next())
        end
        assert.equal(1 + 4 + 9 + 16, got)
        local ok, err = pcall(results.next, results)
        assert.is_false(ok)
        assert.equal("dry", err)
        assert.is_nil((results:next()))
        assert.equal(4, pool:apply(square, { 2 }))
      end
    end))

    it("next(timeout) can be called again", within(10, function()
      local pool <close> = mp.Pool(1)
      local gate <close> = mp.Event()
      local results <close> = pool:imap(function(x) gate:wait() return x end, { 7 })
      assert.same({ nil, "timeout" }, { results:next(0) })
      assert.same({ nil, "timeout" }, { results:next(0.01) })
      gate:set()
      assert.same({ 1, 7 }, { results:next(5) })
      assert.same({ nil }, { results:next() })
    end))

    it("a worker that dies costs its item only", within(20, function()
      local pool <close> = mp.Pool(2)
      local lost = {}
      local results <close> = pool:imap(function(x)
        if x == 20 then
          os.execute("kill -9 " .. io.open("/proc/self/stat"):read("a"):match "^%d+")
        end
        return x
      end, mp.range(50), { on_error = "collect" })
      for i, v in results do
        if mp.type(v) == "Error" then
          lost[#lost + 1] = i
          assert.equal("lost", v.kind)
        else
          assert.equal(i, v)
        end
      end
      assert.same({ 20 }, lost)
    end))

    it("takes items of every size", within(20, function()
      local pool <close> = mp.Pool(2)
      local items = {}
      for i = 1, 300 do
        items[i] = (i % 10 == 0 and ("x"):rep(i * 100) or "y") .. i
      end
      local at = 0
      for i, v in pool:imap(function(s) return s end, function()
        at = at + 1
        return items[at]
      end) do
        assert(items[i] == v)
      end
      assert.equal(301, at)
    end))

    it("of a million items keeps memory flat", within(60, function()
      local pool <close> = mp.Pool(2)
      local items = counter(1000000)
      local before
      local arena = mp.stats().used
      for i, v in pool:imap(function(x) return x end, items) do
        assert(i == v)
        if i == 50000 then
          before = resident()
          arena = mp.stats().used
        elseif i == 950000 then
          assert(resident() - before < 8, resident() - before)
          assert(mp.stats().used <= arena + (1 << 20))
        end
      end
    end))
  end)

  describe("imap_unordered", function()
    it("yields every result once, as they come", within(20, function()
      local pool <close> = mp.Pool(3)
      local gates = { mp.Event(), mp.Event(), mp.Event() }
      local results <close> = pool:imap_unordered(function(i)
        gates[i]:wait()
        return -i
      end, { 1, 2, 3 })
      for _, i in ipairs { 3, 1, 2 } do
        gates[i]:set()
        assert.same({ i, -i }, { results:next() })
      end
      assert.is_nil((results:next()))
      local count, sum = 0, 0
      for _, v in pool:imap_unordered(square, (counter(20000))) do
        count, sum = count + 1, sum + v
      end
      assert.equal(20000, count)
      assert.equal(20000 * 20001 * 40001 // 6, sum)
    end))
  end)

  describe("reduce", function()
    local function add(a, b)
      return a + b
    end

    it("folds by a function that is associative", within(10, function()
      local pool <close> = mp.Pool(2)
      assert.equal(500500, pool:reduce(add, mp.range(1000), 0))
      assert.equal(5005000, pool:reduce(add, mp.range(10, 10000, 10)))
      assert.equal(7, pool:reduce(add, {}, 7))
      assert.is_nil(pool:reduce(add, {}))
      assert.equal(8, pool:reduce(add, { 1 }, 7))
      assert.equal(1000, pool:reduce(math.max, mp.range(1000)))
      assert.equal(1000, pool:reduce("math.max", mp.range(1000)))
      local letters = {}
      for i = 1, 500 do
        letters[i] = string.char(97 + i % 26)
      end
      local function concat(a, b) return a .. b end
      assert.equal("-" .. table.concat(letters), pool:reduce(concat, letters, "-"))
      assert.equal(table.concat(letters), pool:reduce(concat, letters, "", { chunksize = 7 }))
    end))

    it("rounds the same for any number of workers", within(20, function()
      local fractions = {}
      for i = 1, 10000 do
        fractions[i] = 1 / i
      end
      local results = {}
      for _, n in ipairs { 1, 2, 5 } do
        local pool <close> = mp.Pool(n)
        results[#results + 1] = ("%a"):format(pool:reduce(add, fractions, 0))
      end
      assert.equal(results[1], results[2])
      assert.equal(results[1], results[3])
    end))

    it("raises what f raises", within(10, function()
      local pool <close> = mp.Pool(2)
      local ok, err = pcall(pool.reduce, pool, function() error("no", 0) end, mp.range(100))
      assert.is_false(ok)
      assert.equal("no", err.message)
    end))
  end)
end)

describe("mp.as_completed", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("yields results in the order in which they come", within(10, function()
    local pool <close> = mp.Pool(4)
    local gates, results, order = {}, {}, { 3, 1, 4, 2 }
    for i = 1, 4 do
      gates[i] = mp.Event()
      results[i] = pool:apply_async(function()
        gates[i]:wait()
        return i
      end)
    end
    gates[order[1]]:set()
    local n = 0
    for r in mp.as_completed { results[1], results[2], results[3], results[4], results[1] } do
      n = n + 1
      assert.equal(order[n], r:get())
      if n < 4 then
        gates[order[n + 1]]:set()
      end
    end
    assert.equal(4, n)
  end))

  it("raises kind 'timeout' when time runs out", within(10, function()
    local pool <close> = mp.Pool(1)
    local gate <close> = mp.Event()
    local fast = pool:apply_async(square, { 2 })
    local slow = pool:apply_async(function() gate:wait() end)
    fast:wait()
    local n = 0
    local ok, err = pcall(function()
      for _ in mp.as_completed({ fast, slow }, 0.2) do
        n = n + 1
      end
    end)
    assert.is_false(ok)
    assert.equal(1, n)
    assert.equal("timeout", err.kind)
    assert.matches("1 %(of 2%) results unfinished", err.message)
    gate:set()
    slow:wait()
    assert.error_matches(function() mp.as_completed { 1 } end, "element 1 is no AsyncResult")
  end))

  it("takes many results, and those of maps", within(20, function()
    local pool <close> = mp.Pool(2)
    local results = {}
    for i = 1, 3000 do
      results[i] = i % 100 == 0 and pool:map_async(square, { i }) or pool:apply_async(square, { i })
    end
    local n = 0
    for r in mp.as_completed(results) do
      n = n + 1
      assert(r:ready())
    end
    assert.equal(3000, n)
  end))
end)

describe("mp.map and its kin", function()
  it("work on a pool of their own, which ends with the program", within(20, function()
    local r = helper.run_lua([[
      local mp = require "mp"
      warn "@on"
      print(table.concat(mp.map(function(x) return x * x end, { 1, 2, 3 }), " "))
      print(mp.apply(math.max, { 3, 4 }), #mp.active_children() == mp.cpu_count())
      print(table.concat(mp.starmap(math.max, { { 1, 2 }, { 4, 3 } }), " "))
      for i, v in mp.imap(tostring, mp.range(3)) do io.write(i, v, " ") end
      for i, v in mp.imap_unordered(tostring, { 7 }) do io.write(i, v, "\n") end
      print(mp.reduce(function(a, b) return a + b end, mp.range(100), 0), mp.each(print, {}))
      local p = mp.spawn(function() return mp.map(function(x) return -x end, { 1 })[1] end)
      print(p:result())
      print(pcall(function() mp.map(5, {}) end))
    ]], { timeout = 15 })
    assert.equal("1 4 9\n4\ttrue\n2 4\n11 22 33 17\n5050\n-1\n", (r.out:gsub("false.*", "")))
    assert.matches("false\t[^\n]*: bad argument #1 to 'map' %(function expected", r.out)
    assert.equal("", r.err)
    assert.equal(0, r.code)
    assert.same({}, helper.alive(r))
  end))
end)
