local helper = require "spec.helper"

local within <const> = helper.within

-- A family has one logger, for good: each test has a program of its own.
local function script(code, ...)
  local r = helper.run_lua("local mp = require 'mp'\n" .. code, { timeout = 20, args = { ... } })
  assert.equal(0, r.code, r.err)
  return r.out, r.err
end

local METHODS <const> = { "fork", "forkserver", "spawn" }

describe("mp.get_logger", function()
  it("writes nothing without a handler", within(10, function()
    local out, err = script [[
      local logger = mp.get_logger()
      logger:critical "unheard"
      print(mp.type(logger), logger == mp.get_logger(), logger.level)
    ]]
    assert.equal("Logger\ttrue\twarning\n", out)
    assert.equal("", err)
  end))

  it("has a method for each level, in their order", within(10, function()
    local out = script [[
      local logger = mp.get_logger()
      local words = { "debug", "info", "warning", "error", "critical" }
      local seen
      logger:add_handler(function(r) seen[#seen + 1] = r.level end)
      for _, level in ipairs(words) do
        seen = {}
        logger:set_level(level)
        for _, word in ipairs(words) do
          logger[word](logger, "x")
        end
        print(logger.level, table.concat(seen, " "))
      end
    ]]
    assert.equal(table.concat {
      "debug\tdebug info warning error critical\n",
      "info\tinfo warning error critical\n",
      "warning\twarning error critical\n",
      "error\terror critical\n",
      "critical\tcritical\n",
    }, out)
  end))

  it("gives handlers the whole record", within(10, function()
    local out = script [[
      local before = os.time()
      local record
      mp.get_logger():add_handler(function(r) record = r end)
      mp.get_logger():error("%d of %s", 3, "four")
      print(record.level, record.message, record.process)
      print(record.pid == mp.current_process().pid)
      print(record.time >= before and record.time <= os.time() + 1)
    ]]
    assert.equal("error\t3 of four\tMainProcess\ntrue\ntrue\n", out)
  end))

  it("takes a message without arguments as it is", within(10, function()
    local out = script [[
      mp.get_logger():add_handler(function(r) print(r.message) end)
      mp.get_logger():error "100%"
      mp.get_logger():error(nil)
      mp.get_logger():error(12)
    ]]
    assert.equal("100%\nnil\n12\n", out)
  end))

  it("says what went wrong in a handler, and goes on", within(10, function()
    local out, err = script [[
      mp.get_logger():add_handler(function() error("full", 0) end)
      mp.get_logger():add_handler(function(r) print(r.message) end)
      mp.get_logger():error "x"
    ]]
    assert.equal("x\n", out)
    assert.equal("error in a log handler: full\n", err)
  end))

  it("keeps what a handler logs, and hands it to none", within(10, function()
    local out, err = script [[
      local logger = mp.log_to_stderr "info"
      local seen = 0
      local f = logger:add_handler(function(r)
        seen = seen + 1
        logger:info("about %s", r.message)
        coroutine.wrap(function() logger:info("far about %s", r.message) end)()
        if r.message == "two" then
          coroutine.yield()
        end
      end)
      logger:info "one"
      local waiting = coroutine.create(function() logger:info "two" end)
      coroutine.resume(waiting) -- it is in its handler still
      logger:info "three"
      assert(coroutine.resume(waiting))
      print(seen, #logger:recent())
      -- A child that is forked in a handler has handlers of its own.
      logger:remove_handler(f)
      local p
      logger:add_handler(function()
        p = p or mp.get_context("fork").spawn(function()
          local heard
          mp.get_logger():add_handler(function(r) heard = r.message end)
          mp.get_logger():error "in the child"
          return heard
        end)
      end)
      logger:error "four"
      print(p:result())
    ]]
    assert.equal("3\t9\nin the child\n", out)
    assert.matches("one\n[^\n]*about one\n[^\n]*far about one\n", err)
  end))

  it("lets a handler take itself away", within(10, function()
    local out = script [[
      local logger = mp.get_logger()
      local function once()
        print "once"
        logger:remove_handler(once)
      end
      logger:add_handler(once)
      logger:add_handler(function(r) print(r.message) end)
      logger:error "one"
      logger:error "two"
    ]]
    assert.equal("once\none\ntwo\n", out)
  end))

  it("takes handlers away", within(10, function()
    local out = script [[
      local logger = mp.get_logger()
      local f = logger:add_handler(function(r) print(r.message) end)
      logger:error "one"
      print(logger:remove_handler(f), logger:remove_handler(f))
      logger:error "two"
    ]]
    assert.equal("one\ntrue\tfalse\n", out)
  end))

  it("leaves handlers in the process that added them", within(20, function()
    for _, method in ipairs(METHODS) do
      local out = script([[
        mp.set_start_method(arg[1])
        local logger = mp.get_logger()
        logger:add_handler(function(r) print(r.message) io.stdout:flush() end)
        mp.spawn(function() mp.get_logger():error "child" end):join()
        logger:error "parent"
      ]], method)
      assert.equal("parent\n", out)
    end
  end))

  it("refuses what cannot be", within(10, function()
    local out = script [[
      local logger = mp.get_logger()
      local function refused(...) print(select(2, pcall(...))) end
      refused(logger.set_level, logger, "loud")
      refused(logger.set_level, logger, 10)
      refused(logger.add_handler, logger, 5)
      refused(logger.info, 5, "x")
      refused(mp.log_to_stderr, "loud")
      refused(logger.error, logger, "%d", "x")
      refused(function() return (logger:recent "x") end)
      refused(function() logger.x = 1 end)
    ]]
    for _, text in ipairs {
      "bad argument #1 to 'set_level' (invalid level 'loud')",
      "bad argument #1 to 'set_level' (level expected, got number)",
      "bad argument #1 to 'add_handler' (function expected, got number)",
      "bad argument #1 to 'info' (mp.Logger expected, got number)",
      "bad argument #1 to 'log_to_stderr' (invalid level 'loud')",
      "number expected, got string",
      ":10: bad argument #1 to 'recent' (number expected, got string)",
      "field 'x' cannot be assigned",
    } do
      assert(out:find(text, 1, true), text .. " is not in:\n" .. out)
    end
  end))

  it("gives a logger that can be sent", within(20, function()
    for _, method in ipairs(METHODS) do
      local out = script([[
        mp.set_start_method(arg[1])
        local p = mp.spawn(function(logger)
          logger:error "sent"
          return logger == mp.get_logger()
        end, mp.get_logger())
        print(p:result(), mp.get_logger():recent()[1].message)
      ]], method)
      assert.equal("true\tsent\n", out)
    end
  end))
end)

describe("mp.log_to_stderr", function()
  it("writes a line for each record, with level and process", within(10, function()
    local _, err = script [[
      local logger = mp.log_to_stderr "info"
      logger:debug "no"
      logger:info("%d rows", 12)
      mp.log_to_stderr():warning "once"
    ]]
    assert.equal("[INFO/MainProcess] 12 rows\n[WARNING/MainProcess] once\n", err)
  end))

  for _, method in ipairs(METHODS) do
    it("holds for children started by " .. method .. ", and theirs", within(20, function()
      local _, err = script([[
        mp.set_start_method(arg[1])
        local logger = mp.log_to_stderr "error"
        logger:warning "no"
        mp.spawn(function()
          mp.get_logger():warning "no"
          mp.get_logger():error "child"
          mp.spawn(function()
            mp.get_logger():error "grandchild"
          end):join()
        end):join()
      ]], method)
      assert.equal("[ERROR/Process-1] child\n[ERROR/Process-1:1] grandchild\n", err)
    end))
  end

  it("tells of the start and end of processes at level info", within(20, function()
    for _, method in ipairs(METHODS) do
      local _, err = script([[
        mp.set_start_method(arg[1])
        mp.log_to_stderr "info"
        mp.spawn(function() os.exit(3) end):join()
      ]], method)
      assert.equal(
        "[INFO/Process-1] process started\n[INFO/Process-1] process ends with exit code 3\n",
        err
      )
    end
  end))

  it("writes whole lines from 16 processes at once", within(60, function()
    local _, err = script [[
      mp.log_to_stderr "warning"
      local list = {}
      for i = 1, 16 do
        list[i] = mp.spawn(function()
          local logger = mp.get_logger()
          for k = 1, 100 do
            logger:warning("%d %s", k, ("x"):rep(k))
          end
        end)
      end
      for i = 1, 16 do list[i]:join() end
    ]]
    local last, lines = {}, 0
    for line in err:gmatch "[^\n]+" do
      local name, k, text = line:match "^%[WARNING/(Process%-%d+)%] (%d+) (x+)$"
      assert(name, "no whole line: " .. line)
      assert.equal(tonumber(k), #text)
      assert.equal((last[name] or 0) + 1, tonumber(k))
      last[name] = tonumber(k)
      lines = lines + 1
    end
    assert.equal(1600, lines)
  end))
end)

describe("lines of any length", function()
  -- Runs a script whose standard error is a pipe that is read slowly.
  local function piped(code)
    local path <const> = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write("local mp = require 'mp'\n", code)
    file:close()
    local lua <const> = os.getenv "MP_LUA" or "lua5.4"
    local pipe <close> = io.popen(("timeout 60 %s %s 2>&1"):format(lua, path))
    local out <const> = pipe:read "a"
    os.remove(path)
    return out
  end

  it("stay whole among those of 16 processes, in a pipe", within(90, function()
    local out = piped [[
      mp.log_to_stderr "warning"
      local list = {}
      for i = 1, 16 do
        list[i] = mp.spawn(function()
          local logger = mp.get_logger()
          for k = 1, 10 do
            logger:warning("%d %s", k * 7000, ("x"):rep(k * 7000))
            logger:warning("%d %s", k, ("x"):rep(k))
          end
        end)
      end
      for i = 1, 16 do list[i]:join() end
    ]]
    local lines = 0
    for line in out:gmatch "[^\n]*\n" do
      local k, text = line:match "^%[WARNING/Process%-%d+%] (%d+) (x+)\n$"
      assert(k and tonumber(k) == #text, "no whole line: " .. line:sub(1, 60))
      lines = lines + 1
    end
    assert.equal(320, lines)
  end))

  it("wait for no writer that is killed inside", within(60, function()
    local out = piped [[
      local core = require "mp.core"
      mp.log_to_stderr "warning"
      local before = mp.time()
      for i = 1, 10 do
        mp.spawn(function()
          core.testpoint("log.line", 1, 9)
          mp.get_logger():warning "never"
        end):join()
        mp.get_logger():warning(("y"):rep(10000))
      end
      mp.get_logger():warning(mp.time() - before < 5 and "soon" or "late")
    ]]
    local whole = 0
    for line in out:gmatch "[^\n]+" do
      if line == "[WARNING/MainProcess] " .. ("y"):rep(10000) then
        whole = whole + 1
      end
    end
    assert.equal(10, whole)
    assert.matches("%] soon\n$", out)
  end))
end)

describe("logger:recent", function()
  it("has the last records of all, or of one process", within(20, function()
    local out = script [[
      local logger = mp.get_logger()
      logger:error "first"
      local p = mp.spawn(function()
        for i = 1, 5 do mp.get_logger():error("child %d", i) end
      end)
      p:join()
      logger:error "last"
      local function show(list)
        local texts = {}
        for i, r in ipairs(list) do texts[i] = r.process .. ":" .. r.message end
        print(table.concat(texts, " "))
      end
      show(logger:recent(p.pid, 2))
      show(logger:recent(nil, 2))
      print(#logger:recent(), #logger:recent(p.pid), #logger:recent(nil, 0))
    ]]
    assert.equal(table.concat {
      "Process-1:child 4 Process-1:child 5\n",
      "Process-1:child 5 MainProcess:last\n",
      "7\t5\t0\n",
    }, out)
  end))

  it("keeps the latest when there are more than it holds, and cuts long ones", within(10, function()
    local out = script [[
      local logger = mp.get_logger()
      for i = 1, 1000 do logger:error("%d", i) end
      local list = logger:recent()
      print(#list, list[1].message, list[#list].message, logger:dropped())
      logger:error(("y"):rep(5000))
      print(#logger:recent(nil, 1)[1].message < 1100, logger:recent(nil, 1)[1].message:sub(-12))
    ]]
    assert.equal("256\t745\t1000\t0\ntrue\t(5000 bytes)\n", out)
  end))

  it("has what a killed process said last", within(10, function()
    local out = script [[
      local logger = mp.get_logger()
      local p = mp.spawn(function()
        mp.get_logger():error "my last words"
        require("mp.core").kill(mp.current_process().pid, 9)
      end)
      p:join()
      print(p.exitcode, logger:recent(p.pid)[1].message)
    ]]
    assert.equal("-9\tmy last words\n", out)
  end))

  it("is attached to the error of a pool's task that was lost", within(20, function()
    local out = script [[
      mp.get_logger()
      local pool <close> = mp.Pool(1)
      local ok, err = pcall(pool.apply, pool, function()
        mp.get_logger():error "in the task"
        require("mp.core").kill(mp.current_process().pid, 9)
      end)
      print(ok, err.kind, err.log[1].message)
    ]]
    assert.equal("false\tlost\tin the task\n", out)
  end))

  it("is not stopped by writers that are killed inside", within(30, function()
    local out = script [[
      local core = require "mp.core"
      local logger = mp.get_logger()
      for i = 1, 20 do
        local p = mp.spawn(function()
          mp.get_logger():error "before"
          core.testpoint("log.write", 1, 9)
          mp.get_logger():error "never"
        end)
        p:join()
        assert(p.exitcode == -9)
      end
      for i = 1, 600 do logger:error("%d", i) end
      local list = logger:recent()
      print(#list, list[1].message, list[#list].message, logger:dropped(), core.check())
    ]]
    assert.equal("256\t345\t600\t0\t0\n", out)
  end))
end)
