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

local function forever()
  while true do end
end

-- Cannot be interrupted: one call into C that takes for ever.
local function stubborn()
  return string.find(("a"):rep(4000), ("a-"):rep(40) .. "b")
end

-- The error of f(…) under the options, and how long it took to come.
local function failed(pool, f, args, options)
  local t = mp.time()
  local ok, err = pool:apply_async(f, args, options):pget()
  assert.is_false(ok)
  return err, mp.time() - t
end

-- Clock ticks that the process has used.
local function cpu_time(pid)
  local rest = io.open("/proc/" .. pid .. "/stat"):read("a"):match "%) (.*)"
  return tonumber((rest:match("^" .. ("%S+ "):rep(11) .. "(%S+)")))
end

describe("mp.Pool", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("a time limit", function()
    it("raises in the task, wherever it is", within(20, function()
      local pool <close> = mp.Pool(1)
      local options = { timeout = 0.1, grace = 10 }
      local err, took = failed(pool, forever, {}, options)
      assert.equal("timeout", err.kind)
      assert.matches("^the task took longer than 0.1 s", tostring(err))
      assert.matches("pool_limits_spec.lua:%d+: in function", err.traceback)
      assert(took < 2, took)
      assert.equal("timeout", failed(pool, mp.sleep, { 60 }, options).kind)
      assert.equal("timeout", failed(pool, coroutine.wrap(forever) and function()
        coroutine.wrap(forever)()
      end, {}, options).kind)
      assert.equal("timeout", failed(pool, function()
        local a <close>, b = mp.Pipe()
        b:send(1)
        return a:recv(), a:recv()
      end, {}, options).kind)
      assert.equal(4, pool:apply(square, { 2 }))
      assert.equal(0, pool:stats().deaths)
    end))

    it("can be caught, and stands if the task returns", within(10, function()
      local pool <close> = mp.Pool(1)
      local options = { timeout = 0.1, grace = 10 }
      assert.equal("cleaned up", pool:apply(function()
        local ok, err = pcall(forever)
        assert(not ok and err.kind == "timeout")
        return "cleaned up"
      end, {}, options))
      local closed = pool:apply(function()
        local log = {}
        pcall(function()
          local _ <close> = setmetatable({}, { __close = function() log.closed = true end })
          forever()
        end)
        return log.closed
      end, {}, options)
      assert.is_true(closed)
      local err = failed(pool, function()
        pcall(forever)
        error "something else"
      end, {}, options)
      assert.equal("timeout", err.kind)
      assert.matches("something else", tostring(err))
    end))

    it("ends that worker only when the grace is over", within(20, function()
      local pool <close> = mp.Pool(2)
      pool:warm()
      local other = pool:map_async(function(x) mp.sleep(0.05) return x end, mp.range(10))
      local err, took = failed(pool, stubborn, {}, { timeout = 0.2, grace = 0.2 })
      assert.equal("timeout", err.kind)
      assert.equal("SIGKILL", err.signal)
      assert.matches("took too long and was ended", tostring(err))
      assert(took > 0.35 and took < 3, took)
      assert.equal(10, other:get().n)
      err = failed(pool, function()
        while true do
          pcall(forever)
        end
      end, {}, { timeout = 0.1, grace = 0.1 })
      assert.equal("timeout", err.kind)
    end))

    it("counts from the task's start, each task by itself", within(20, function()
      local pool <close> = mp.Pool(1)
      local r = pool:map(function(x) mp.sleep(0.06) return x end, mp.range(10), { timeout = 0.3 })
      assert.equal(10, r.n)
      local mixed = pool:map(function(x)
        if x == 2 then
          forever()
        end
        return x
      end, mp.range(3), { timeout = 0.1, on_error = "collect" })
      assert.same({ 2 }, mixed.errors)
      assert.equal("timeout", mixed[2].kind)
      assert.equal(2, mixed[2].index)
      assert.equal(3, mixed[3])
    end))

    it("is covered by retries", within(20, function()
      local pool <close> = mp.Pool(1)
      assert.equal("second", pool:apply(function()
        TRIED = (TRIED or 0) + 1 -- luacheck: ignore 111 113
        if TRIED == 1 then -- luacheck: ignore 113
          forever()
        end
        return "second"
      end, {}, { timeout = 0.1, retries = 1 }))
      local err = failed(pool, stubborn, {}, { timeout = 0.05, grace = 0.05, retries = 1 })
      assert.equal("timeout", err.kind)
      assert.equal(2, err.kills)
    end))

    it("leaves a hook of the task's own in place", within(10, function()
      local pool <close> = mp.Pool(1)
      assert.is_true(pool:apply(function()
        local function mine() end
        debug.sethook(mine, "", 1000)
        pcall(forever)
        local now = debug.gethook()
        debug.sethook()
        return now == mine
      end, {}, { timeout = 0.1, grace = 10 }))
    end))
  end)

  describe("cancel", function()
    it("gives up a task that has not begun", within(10, function()
      local pool <close> = mp.Pool(1)
      local gate <close> = mp.Event()
      local busy = pool:apply_async(function() gate:wait() end)
      local queued = pool:apply_async(error, { "never" })
      assert.equal("queued", queued:cancel())
      assert.is_false(queued:cancel())
      local ok, err = queued:pget()
      assert.is_false(ok)
      assert.equal("cancelled", err.kind)
      gate:set()
      busy:wait()
      assert.is_false(busy:cancel())
      assert.equal(4, pool:apply(square, { 2 }))
    end))

    it("interrupts a task that runs", within(20, function()
      local pool <close> = mp.Pool(1)
      pool:warm()
      local begun, begin = mp.Pipe(false)
      for _, f in ipairs { forever, function() mp.sleep(60) end, stubborn } do
        local r = pool:apply_async(function()
          begin:send(io.open("/proc/self/stat"):read("a"):match "^%d+")
          f()
        end)
        local pid = begun:recv(5)
        if f == stubborn then -- it must be inside
          helper.eventually(5, function() return cpu_time(pid) > 3 end)
        end
        assert.equal("running", r:cancel())
        assert.equal("cancelled", select(2, r:pget()).kind)
        assert.equal(4, pool:apply(square, { 2 }))
        assert.equal(f == stubborn and 1 or 0, pool:stats().deaths)
      end
      begun:close()
      begin:close()
    end))

    it("gives up a map", within(10, function()
      local pool <close> = mp.Pool(1)
      local r = pool:map_async(mp.sleep, { 0.1, 60, 60 })
      assert.is_truthy(r:cancel())
      assert.equal("cancelled", select(2, r:pget()).kind)
      pool:terminate()
    end))
  end)

  it("terminate lets tasks clear up", within(10, function()
    local seen, see = mp.Pipe(false)
    local pool <close> = mp.Pool(1)
    pool:apply_async(function()
      local _ <close> = setmetatable({}, { __close = function() see:send "closed" end })
      mp.at_exit(function() see:send "left" end)
      see:send "begun"
      forever()
    end)
    assert.equal("begun", seen:recv(5))
    local t = mp.time()
    pool:terminate()
    assert(mp.time() - t < 1)
    assert.equal("closed", seen:recv(1))
    assert.equal("left", seen:recv(1))
    seen:close()
    see:close()
  end))

  it("max_mem: a task that takes more fails, the worker lives", within(20, function()
    local pool <close> = mp.Pool { processes = 1, max_mem = 16 << 20 }
    local function hoard(n)
      local t = {}
      for i = 1, n do
        t[i] = ("x"):rep(100) .. i
      end
      return #t
    end
    for _ = 1, 3 do
      local err = failed(pool, hoard, { 10000000 })
      assert.equal("memory", err.kind)
      assert.equal("memory", failed(pool, string.rep, { "x", 20 << 20 }).kind)
      assert.equal(10000, pool:apply(hoard, { 10000 }))
      assert.equal(4 << 20, pool:apply(function() return #("x"):rep(4 << 20) end))
    end
    assert.equal(0, pool:stats().deaths)
    assert.same({ 50, n = 1 }, pool:map(hoard, { 50 }))
  end))

  describe("seed", function()
    local function draw(x)
      return math.random(1 << 30) + x
    end

    -- A worker's death and another number of workers change nothing.
    local function results(options, chunk)
      local pool <close> = mp.Pool(options)
      local path = os.tmpname()
      os.remove(path)
      local kill = options.kill and path or nil
      local a = pool:map(function(x)
        if kill and x == 30 and not io.open(kill) then
          io.open(kill, "w"):close()
          os.execute("kill -9 " .. io.open("/proc/self/stat"):read("a"):match "^%d+")
        end
        return draw(x)
      end, mp.range(100), { chunksize = chunk, retries = 2 })
      os.remove(path)
      local b = pool:map(draw, mp.range(100))
      local list = { pool:apply(draw, { 0 }), pool:apply(draw, { 0 }) }
      for _, v in pool:imap(draw, mp.range(10)) do
        list[#list + 1] = v
      end
      return table.concat(a, " ") .. "|" .. table.concat(b, " ") .. "|" .. table.concat(list, " ")
    end

    it("gives every task its own stream, the same however it is run", within(30, function()
      local first = results { processes = 1, seed = 42 }
      assert.equal(first, results { processes = 3, seed = 42 })
      assert.equal(first, results({ processes = 8, seed = 42 }, 7))
      assert.equal(first, results { processes = 0, seed = 42 })
      local killed = setmetatable({ processes = 3, seed = 42 }, { __index = { kill = true } })
      assert.equal(first, results(killed))
      assert.equal(first, results {
        processes = 2,
        seed = 42,
        context = mp.get_context "spawn",
      })
      assert.not_equal(first, results { processes = 1, seed = 43 })
    end))

    it("without one every worker draws others", within(10, function()
      local pool <close> = mp.Pool(4)
      local seen = {}
      local function draw_slowly()
        mp.sleep(0.01)
        return math.random(1 << 50)
      end
      for _, v in ipairs(pool:map(draw_slowly, mp.range(20))) do
        assert.is_nil(seen[v])
        seen[v] = true
      end
    end))
  end)

  it("priority: what is more urgent goes first, and nothing starves", within(20, function()
    local pool <close> = mp.Pool(1)
    local log, note = mp.Pipe(false)
    local function task(name)
      mp.sleep(0.01)
      note:send(name)
    end
    local low = pool:map_async(function() task "low" end, mp.range(30))
    local high = pool:apply_async(task, { "high" }, { priority = 9 })
    high:wait()
    local before = 0
    while log:recv() ~= "high" do
      before = before + 1
    end
    assert(before <= 5, before)
    low:cancel()
    -- Something more urgent all the time, and yet:
    local flood = pool:map_async(function() task "flood" end, mp.range(500), { priority = 3 })
    local one = pool:apply_async(task, { "one" })
    one:wait()
    assert.is_false(flood:ready())
    flood:cancel()
    log:close()
    note:close()
  end))

  describe("output", function()
    local script = [[
      local mp = require "mp"
      local pool <close> = mp.Pool { processes = %d, output = %s }
      pool:map(function(x)
        for i = 1, %d do
          io.write(x, ":", i)
          io.write(" ", ("."):rep(i %% 50))
          io.write("|\n")
        end
        io.stderr:write("error ", x, "\n")
      end, mp.range(%d))
    ]]

    local function lines(text)
      local list = {}
      for line in text:gmatch "([^\n]*)\n" do
        list[#list + 1] = line
      end
      return list
    end

    it("is whole lines, from many workers at once", within(60, function()
      local r = helper.run_lua(script:format(16, "nil", 1000, 16), { timeout = 50 })
      assert.equal(0, r.code)
      local list = lines(r.out)
      assert.equal(16000, #list)
      for _, line in ipairs(list) do
        assert(line:match "^%d+:%d+ %.*|$", line)
      end
      assert.equal(16, #lines(r.err))
    end))

    it("tag: the worker's name comes first", within(20, function()
      local r = helper.run_lua(script:format(2, "'tag'", 50, 4), { timeout = 15 })
      local list = lines(r.out)
      assert.equal(200, #list)
      for _, line in ipairs(list) do
        assert(line:match "^%[worker%-[12]%] %d+:%d+ %.*|$", line)
      end
      assert.matches("%[worker%-[12]%] error 3\n", r.err)
    end))

    it("group: a task's lines stay together", within(20, function()
      local r = helper.run_lua(script:format(4, "'group'", 50, 20), { timeout = 15 })
      local list = lines(r.out)
      assert.equal(1000, #list)
      for i = 1, 1000, 50 do
        local task = list[i]:match "^(%d+):1 "
        for k = 1, 49 do
          assert(list[i + k]:match("^" .. task .. ":" .. k + 1 .. " "), list[i + k])
        end
      end
      assert.equal(20, #lines(r.err))
    end))

    it("capture: it is on the result", within(10, function()
      local pool <close> = mp.Pool { processes = 2, output = "capture" }
      local function say(x)
        print("said", x)
        os.execute "echo by another"
        return x
      end
      local r = pool:apply_async(say, { 1 })
      assert.equal(1, r:get())
      assert.equal("said\t1\nby another\n", r.output)
      local list = pool:map(say, { 7, 8 })
      assert.same({ 7, 8 }, { list[1], list[2] })
      assert.equal("said\t8\nby another\n", list.outputs[2])
      local err = failed(pool, function() print "last words" error "x" end)
      assert.equal("last words\n", err.output)
      for i, v in pool:imap_unordered(say, { 5 }) do
        assert.same({ 1, 5 }, { i, v })
      end
    end))
  end)

  it("affinity and nice are the workers', restarted ones too", within(20, function()
    local function status(key)
      return (io.open("/proc/self/status"):read("a"):match(key .. ":%s*(%S+)"))
    end
    local function niceness()
      local rest = io.open("/proc/self/stat"):read("a"):match "%) (.*)"
      local n = 0
      for word in rest:gmatch "%S+" do
        n = n + 1
        if n == 17 then
          return tonumber(word)
        end
      end
    end
    local cpus = status "Cpus_allowed_list"
    local first = cpus:match "^%d+"
    local pool <close> = mp.Pool { processes = 2, affinity = { tonumber(first) }, nice = 3 }
    for round = 1, 2 do
      local function allowed() return status "Cpus_allowed_list" end
      for _, list in ipairs(pool:map(allowed, mp.range(4))) do
        assert.equal(first, list)
      end
      assert.equal(niceness() + 3, pool:apply(niceness))
      if round == 1 then
        pool:apply_async(os.exit, { 1 }):wait()
        pool:apply_async(os.exit, { 1 }):wait()
      end
    end
    assert.equal(cpus, status "Cpus_allowed_list")
    local spread <close> = mp.Pool { processes = 2, affinity = "spread" }
    assert.equal(1, #spread:apply(status, { "Cpus_allowed_list" }):gsub("%D", ""))
    assert.error_matches(function() mp.Pool { affinity = "none" } end, "affinity must be 'spread'")
    assert.error_matches(function() mp.Pool { nice = 50 } end, "nice must be at most 19")
  end))

  describe("progress", function()
    it("counts what is done, for a function", within(10, function()
      local pool <close> = mp.Pool(2)
      local calls = {}
      pool:map(function(x)
        mp.sleep(0.01)
        if x % 10 == 0 then
          error "x"
        end
      end, mp.range(60), {
        on_error = "collect",
        progress = function(...) calls[#calls + 1] = { ... } end,
      })
      local before = -1
      for _, call in ipairs(calls) do
        assert(call[1] >= before and call[1] <= 60)
        assert.equal(60, call[2])
        before = call[1]
      end
      assert.same({ 60, 60, 0, 6 }, calls[#calls])
      assert(#calls >= 3)
    end))

    it("is silent where there is no terminal, and cannot hurt", within(20, function()
      local r = helper.run_lua([[
        local mp = require "mp"
        local pool <close> = mp.Pool(1)
        pool:map(mp.sleep, { 0.01 }, { progress = true })
        local function fail() error "mine" end
        local list = pool:map(function(x) return x end, { 5 }, { progress = fail })
        print(list[1])
      ]])
      assert.equal("5\n", r.out)
      assert.equal("", r.err)
    end))

    it("draws a bar on a terminal's stderr", within(20, function()
      local path = os.tmpname()
      local file = io.open(path, "w")
      file:write [[
        local mp = require "mp"
        local pool <close> = mp.Pool(1)
        pool:map(mp.sleep, { 0.1, 0.1, 0.1 }, { progress = true })
      ]]
      file:close()
      local lua = os.getenv "MP_LUA" or "lua5.4"
      local pipe <close> = io.popen(("script -qec '%s %s' /dev/null </dev/null"):format(lua, path))
      local drawn = pipe:read "a"
      os.remove(path)
      assert.matches("%[=* +%] +%d+%% %d/3 %d+/s ETA", drawn)
      assert.matches("%[=+%] 100%% 3/3 %d+/s in 0:00", drawn)
    end))
  end)

  it("mp.stop ends a map with a value", within(10, function()
    for _, n in ipairs { 0, 2 } do
      local pool <close> = mp.Pool(n)
      assert.equal("found 7", pool:map(function(x)
        if x == 7 then
          mp.stop("found " .. x)
        end
        mp.sleep(0.001)
      end, mp.range(100000)))
      local seen = 0
      for i in pool:imap(function(x)
        if x == 5 then
          mp.stop()
        end
        return x
      end, mp.range(100)) do
        seen = i
      end
      assert.equal(4, seen)
      assert.equal(3, pool:apply(mp.stop, { 3 }))
    end
  end))

  it("at_worker_start installs a hook in every child, of every method", within(30, function()
    local r = helper.run_lua([[
      local mp = require "mp"
      mp.at_worker_start(function() STARTED = "yes" end)
      for _, method in ipairs { "fork", "spawn", "forkserver" } do
        local ctx = mp.get_context(method)
        local pool <close> = ctx.Pool(1)
        print(method, pool:apply(function() return STARTED end))
        print(ctx.spawn(function() return STARTED end):result())
      end
    ]], { timeout = 20 })
    assert.equal("fork\tyes\nyes\nspawn\tyes\nyes\nforkserver\tyes\nyes\n", r.out)
    assert.equal("", r.err)
  end))

  describe("inside a worker", function()
    it("pools do not multiply", within(30, function()
      local r = helper.run_lua([[
        local mp = require "mp"
        local core = require "mp.core"
        local pool <close> = mp.Pool()
        local most = pool:map(function()
          local inner <close> = mp.Pool()
          return math.max(table.unpack(inner:map(function()
            local inmost <close> = mp.Pool()
            return math.max(table.unpack(inmost:map(function(x)
              return core.worker_count()
            end, mp.range(4))))
          end, mp.range(4))))
        end, mp.range(4))
        print(math.max(table.unpack(most)) <= mp.cpu_count() + 2)
      ]], { timeout = 25 })
      assert.equal("true\n", r.out)
      assert.equal("", r.err)
    end))

    it("they can be made 3 deep, and go with the outermost", within(30, function()
      local seen, see = mp.Pipe(false)
      local outer = mp.Pool(1)
      outer:apply_async(function()
        local a <close> = mp.Pool(1)
        a:apply(function()
          local b <close> = mp.Pool(1)
          b:apply(function()
            see:send(io.open("/proc/self/stat"):read("a"):match "^%d+")
            mp.sleep(60)
          end)
        end)
      end)
      local pid = seen:recv(10)
      local worker = outer:stats().workers[1].pid
      os.execute("kill -9 " .. worker)
      helper.eventually(2, function() return not io.open("/proc/" .. pid .. "/stat") end)
      outer:terminate()
      outer:join()
      seen:close()
      see:close()
    end))

    it("more than 8 deep is an error", within(30, function()
      local pool <close> = mp.Pool(1)
      local ok, err = pcall(function()
        local function deep()
          local p <close> = mp.Pool(1)
          return p:apply(deep)
        end
        return pool:apply(deep)
      end)
      assert.is_false(ok)
      assert.matches("pools are nested too deep", tostring(err))
    end))
  end)

  it("Pool(0) runs in the caller", within(10, function()
    local pool <close> = mp.Pool(0)
    local seen = {}
    local function note(x)
      seen[#seen + 1] = x
      return x * 2
    end
    assert.equal(0, pool.processes)
    assert.same({ 2, 4, 6, n = 3 }, pool:map(note, { 1, 2, 3 }))
    assert.same({ 1, 2, 3 }, seen)
    assert.equal(10, pool:apply(note, { 5 }))
    assert.equal(12, pool:apply_async(note, { 6 }):get())
    assert.same({ 3, n = 1 }, pool:starmap(math.max, { { 1, 3 } }))
    local n = 0
    for i, v in pool:imap(note, mp.range(3)) do
      n = n + 1
      assert.same({ n, 2 * n }, { i, v })
    end
    for _ in pool:imap_unordered(note, mp.range(3)) do
      n = n + 1
    end
    assert.equal(6, n)
    assert.equal(5050, pool:reduce(function(a, b) return a + b end, mp.range(100)))
    local ok, err = pcall(pool.map, pool, error, { "no" })
    assert.is_false(ok)
    assert.equal("no", err.value)
    ok, err = pool:apply_async(forever, {}, { timeout = 0.05 }):pget()
    assert.is_false(ok)
    assert.equal("timeout", err.kind)
    local function picky(x)
      assert.is_true(x ~= 2)
      return x
    end
    local list = pool:map(picky, { 1, 2, 3 }, { on_error = "collect" })
    assert.same({ 2 }, list.errors)
    pool:close()
    assert.error_matches(function() pool:map(note, {}) end, "pool not running")
    pool:join()
  end))

  it("can be submitted to by processes that it was sent to", within(20, function()
    local pool <close> = mp.Pool(2)
    for _, method in ipairs { "fork", "spawn" } do
      local p = mp.get_context(method).spawn(function()
        local sum = 0
        for _, v in ipairs(pool:map(function(x) return x * x end, mp.range(100))) do
          sum = sum + v
        end
        local ok, why = pcall(pool.join, pool)
        return sum, pool:apply(math.max, { 3, 4 }), ok, why
      end)
      local deadline = mp.time() + 10
      while p:is_alive() and mp.time() < deadline do
        mp.poll(0.01) -- the creator looks after its workers
        mp.sleep(0.001)
      end
      local sum, most, ok, why = p:result()
      assert.same({ 338350, 4, false }, { sum, most, ok })
      assert.matches("can only join a pool of this process", why)
    end
  end))

  it("the end of its creator is the end of all", within(20, function()
    local r = helper.run_lua([[
      local mp = require "mp"
      local pool = mp.Pool(4)
      pool:map_async(function() while true do end end, mp.range(8))
      pool:warm()
      os.execute("kill -9 " .. require "mp.core".getpid())
    ]], { timeout = 10 })
    helper.eventually(1, function() return #helper.alive(r) == 0 end)
  end))

  it("dropped without close: one warning, and a quick end", within(20, function()
    local t = mp.time()
    local r = helper.run_lua([[
      warn "@on"
      local mp = require "mp"
      local pool = mp.Pool(4)
      pool:map_async(mp.sleep, { 60, 60, 60, 60 })
    ]], { timeout = 10 })
    assert(mp.time() - t < 3)
    assert.equal(0, r.code)
    assert.equal("Lua warning: mp: a pool was dropped without close\n", r.err)
    assert.same({}, helper.alive(r))
  end))

  it("Ctrl-C with 8 busy workers: one traceback, and all are gone", within(20, function()
    local r = helper.run_lua([[
      local mp = require "mp"
      local pool <close> = mp.Pool(8)
      pool:warm()
      local r = pool:map_async(function() while true do end end, mp.range(8))
      mp.spawn(function() mp.sleep(0.2) os.execute("kill -INT " .. mp.parent_process().pid) end)
      r:get()
    ]], { timeout = 10 })
    assert(r.seconds < 5)
    assert.matches("interrupted!", r.err)
    assert.equal(1, select(2, r.err:gsub("stack traceback", "")))
    assert.same({}, helper.alive(r))
  end))

  it("200 workers work", within(60, function()
    local pool <close> = mp.Pool(200)
    local r = pool:map(function(x) mp.sleep(0.01) return x end, mp.range(1000))
    assert.equal(1000, r.n)
    assert.equal(1000, r[1000])
  end))

  it("works in coroutines", within(10, function()
    local co = coroutine.wrap(function()
      local pool <close> = mp.Pool(2)
      local r = pool:map(square, { 1, 2, 3 })
      coroutine.yield(r[3])
      return pool:apply(square, { 4 })
    end)
    assert.equal(9, co())
    assert.equal(16, co())
  end))

  it("mp.wait takes results", within(10, function()
    local pool <close> = mp.Pool(2)
    local first <close>, second = mp.Event(), mp.Event()
    local fast = pool:apply_async(function() first:wait() end)
    local slow = pool:apply_async(function() second:wait() end)
    assert.same({}, mp.wait({ fast, slow }, 0))
    first:set()
    assert.equal(fast, mp.wait({ fast, slow }, 5)[1])
    assert.equal(fast, mp.wait({ fast, slow }, 5)[1])
    fast:get()
    assert.equal(fast, mp.wait { slow, fast }[1])
    second:set()
    slow:get()
  end))

  it("mp.poll calls back and looks after the workers", within(10, function()
    local pool <close> = mp.Pool(1)
    local got
    pool:apply_async(square, { 5 }, { callback = function(v) got = v end })
    helper.eventually(5, function()
      mp.poll(0)
      return got
    end)
    assert.equal(25, got)
  end))
end)
