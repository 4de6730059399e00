-- under every start method
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

-- Runs a script in a process of its own: for what ends the main program.
local function script(code, seconds)
  return helper.run_lua(code, { timeout = seconds or 10 })
end

-- Whether the process exists, and is more than a zombie.
local function exists(pid)
  local stat = helper.read_file(("/proc/%d/stat"):format(pid))
  return stat ~= nil and not stat:match "%) [ZX] "
end

describe("mp.Process", function()
  -- The fork server is nothing that a test leaves behind.
  setup(function()
    mp.get_context("forkserver").spawn(print):join()
  end)
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("the constructor", function()
    it("takes a table of options", within(5, function()
      local p = mp.Process { target = print, args = { 1, 2 }, name = "worker", daemon = true }
      assert.equal("worker", p.name)
      assert.is_true(p.daemon)
      assert.is_nil(p.pid)
      assert.is_nil(p.exitcode)
      assert.is_false(p:is_alive())
      assert.equal("Process", mp.type(p))
    end))

    it("takes a function and its arguments", within(5, function()
      local p = mp.Process(function(a, b)
        return a + b
      end, 2, 3):start()
      assert.equal(5, p:result())
    end))

    it("names processes by number", within(5, function()
      local a, b = mp.Process(print), mp.Process(print)
      local n = math.tointeger(a.name:match "^Process%-(%d+)$")
      assert.equal("Process-" .. n + 1, b.name)
    end))

    it("names children of children by path", within(5, function()
      local p = mp.spawn(function()
        return mp.current_process().name, mp.Process(print).name
      end)
      local outer, inner = p:result()
      assert.equal(p.name, outer)
      assert.equal(p.name .. ":1", inner)
    end))

    it("refuses options it does not know, by name", function()
      assert.error_matches(function()
        mp.Process { tarqet = print }
      end, "invalid option 'tarqet'")
    end)

    it("refuses what cannot be", function()
      assert.error_matches(function() mp.Process { target = 5 } end, "target must be a function")
      assert.error_matches(function() mp.Process { name = 5 } end, "name must be a string")
      assert.error_matches(function() mp.Process { daemon = 1 } end, "daemon must be a boolean")
      assert.error_matches(function() mp.Process { args = 1 } end, "args must be a table")
      assert.error_matches(function() mp.Process(5) end, "bad argument #1 to 'Process'")
    end)
  end)

  describe("start", function()
    it("returns the process", within(5, function()
      local p = mp.Process(function() end)
      assert.equal(p, p:start())
      p:join()
    end))

    it("refuses to start twice, also after the end", within(5, function()
      local p = mp.spawn(function() end)
      assert.error_matches(function() p:start() end, "cannot start a process twice")
      p:join()
      assert.error_matches(function() p:start() end, "cannot start a process twice")
    end))

    it("is for the creator only", within(5, function()
      local mine = mp.Process(print) -- which only a forked child can have
      local p = mp.get_context("fork").spawn(function()
        local ok, err = pcall(mine.start, mine)
        return ok, err
      end)
      local ok, err = p:result()
      assert.is_false(ok)
      assert.matches("can only start a process object created by current process", err)
    end))

    it("hands arguments over, nil among them", within(5, function()
      local n, a, b, c = mp.spawn(function(...)
        return select("#", ...), ...
      end, nil, 2, nil):result()
      assert.same({ 3, nil, 2, nil }, { n, a, b, c })
    end))

    it("flushes what was written before", within(10, function()
      local r = script [[
        local mp = require "mp"
        io.write("once ")
        mp.spawn(function() io.write("twice ") end):join()
      ]]
      assert.equal("once twice ", r.out)
    end))

    it("gives the child an empty standard input", within(5, function()
      assert.equal("", mp.spawn(function() return io.read "a" end):result())
    end))
  end)

  describe("join", function()
    it("returns true, also when repeated", within(5, function()
      local p = mp.spawn(function() end)
      assert.same({ true, n = 1 }, table.pack(p:join()))
      assert.is_true(p:join())
      assert.is_true(p:join(0))
    end))

    it("returns nil, 'timeout' when time runs out", within(5, function()
      local a, b <close> = mp.Pipe()
      local p = mp.spawn(function() b:recv() end)
      assert.same({ nil, "timeout" }, { p:join(0) })
      assert.same({ nil, "timeout" }, { p:join(-1) })
      assert.same({ nil, "timeout" }, { p:join(0.02) })
      a:send(1)
      assert.is_true(p:join())
      a:close()
    end))

    it("refuses NaN and what is no number", within(5, function()
      local p = mp.spawn(function() end)
      assert.error_matches(function() p:join(0 / 0) end, "timeout must not be NaN")
      assert.error_matches(function() p:join "1" end, "number expected, got string")
      p:join()
    end))

    it("is for a started process of one's own", within(5, function()
      assert.error_matches(function()
        mp.Process(print):join()
      end, "can only join a started process")
      local sibling = mp.spawn(function() end)
      local p = mp.spawn(function()
        return select(2, pcall(sibling.join, sibling))
      end)
      assert.matches("can only join a child process", p:result())
      sibling:join()
    end))

    it("cannot wait for oneself", function()
      assert.error_matches(function() mp.current_process():join() end, "can[not]* .*join")
    end)
  end)

  describe("exitcode", function()
    local function code(f)
      local p = mp.spawn(f)
      p:join()
      return p.exitcode
    end

    it("is 0 when the target returns", within(5, function()
      assert.equal(0, code(function() end))
      assert.equal(0, code(function() return 5 end))
    end))

    it("is what os.exit was given", within(5, function()
      assert.equal(3, code(function() os.exit(3) end))
      assert.equal(0, code(function() os.exit(true) end))
      assert.equal(1, code(function() os.exit(false) end))
      assert.equal(0, code(function() os.exit() end))
      assert.equal(44, code(function() os.exit(300) end))
    end))

    it("is -N when signal N ended it", within(5, function()
      local function signalled(name)
        local a, b <close> = mp.Pipe()
        local p = mp.spawn(function()
          a:send "begun"
          while true do end
        end)
        b:recv()
        p[name](p)
        p:join()
        a:close()
        return p.exitcode
      end
      assert.equal(-15, signalled "terminate")
      assert.equal(-9, signalled "kill")
      assert.equal(-2, signalled "interrupt")
    end))

    it("is 1 after an error, whose traceback is on stderr", within(10, function()
      local r = script [[
        local mp = require "mp"
        local p = mp.Process { target = function() error "no luck" end, name = "unlucky" }
        p:start()
        p:join()
        print(p.exitcode)
      ]]
      assert.equal("1\n", r.out)
      assert.matches("^Process unlucky:\n", r.err)
      assert.matches("no luck\nstack traceback:\n", r.err)
    end))

    it("is nil while it runs", within(5, function()
      local a, b <close> = mp.Pipe()
      local p = mp.spawn(function() b:recv() end)
      assert.is_nil(p.exitcode)
      a:send(1)
      p:join()
      a:close()
    end))
  end)

  describe("terminate, kill, interrupt", function()
    for _, method in ipairs { "fork", "forkserver", "spawn" } do
      it("end it by their signal: " .. method, within(10, function()
        local codes = { terminate = -15, kill = -9, interrupt = -2 }
        for name, code in pairs(codes) do
          local running = mp.Event()
          local p <close> = mp.get_context(method).Process(function(event)
            event:set()
            while true do end
          end, running):start()
          running:wait()
          p[name](p)
          p:join()
          assert.equal(code, p.exitcode)
        end
      end))
    end

    it("do nothing once it ended", within(5, function()
      local p = mp.spawn(function() end)
      p:join()
      p:terminate()
      p:kill()
      p:interrupt()
      assert.equal(0, p.exitcode)
    end))

    it("need a started process", function()
      local p = mp.Process(print)
      assert.error_matches(function() p:terminate() end, "can only terminate a started process")
      assert.error_matches(function() p:kill() end, "can only kill a started process")
    end)
  end)

  describe("close", function()
    it("refuses while the process runs", within(5, function()
      local a, b <close> = mp.Pipe()
      local p = mp.spawn(function() b:recv() end)
      assert.error_matches(function()
        p:close()
      end, "cannot close a process while it is still running")
      a:send(1)
      p:join()
      p:close()
      p:close()
      a:close()
    end))

    it("leaves name and daemon, and nothing else", within(5, function()
      local p = mp.spawn(function() end)
      p:join()
      local name = p.name
      p:close()
      assert.equal(name, p.name)
      assert.is_false(p.daemon)
      for _, use in ipairs {
        function() p:join() end,
        function() p:start() end,
        function() p:is_alive() end,
        function() p:kill() end,
        function() return p.pid end,
        function() return p.exitcode end,
        function() return p.sentinel end,
      } do
        assert.error_matches(use, "attempt to use a closed process")
      end
    end))

    it("ends a scope by waiting", within(5, function()
      local seen
      do
        local p <close> = mp.spawn(function() end)
        seen = p
      end
      assert.error_matches(function() seen:join() end, "closed process")
    end))
  end)

  describe("name and daemon", function()
    it("can be set until the start", within(5, function()
      local p = mp.Process(function()
        return mp.current_process().name, mp.current_process().daemon
      end)
      p.name = "renamed"
      p.daemon = true
      p:start()
      assert.error_matches(function() p.daemon = false end, "process has already started")
      local name, daemon = p:result()
      assert.equal("renamed", name)
      assert.is_true(daemon)
    end))

    it("are checked", function()
      local p = mp.Process(print)
      assert.error_matches(function() p.name = 3 end, "name must be a string")
      assert.error_matches(function() p.daemon = "yes" end, "daemon must be a boolean")
      assert.error_matches(function() p.pid = 3 end, "field 'pid' cannot be assigned")
    end)

    it("daemon is inherited from the creator", within(5, function()
      local p = mp.Process {
        daemon = true,
        target = function() return mp.Process(print).daemon end,
      }
      assert.is_true(p:start():result())
    end))
  end)

  describe("result", function()
    it("is what the target returned, all of it", within(5, function()
      local r = table.pack(mp.spawn(function() return 1, nil, "three", nil end):result())
      assert.same({ 1, nil, "three", nil, n = 4 }, r)
    end))

    it("can be asked again", within(5, function()
      local p = mp.spawn(function() return { 1 } end)
      assert.equal(p:result(), p:result())
    end))

    it("raises what the target raised, as an object", within(5, function()
      local p = mp.spawn(function() error({ code = 7 }) end)
      local ok, e = pcall(p.result, p)
      assert.is_false(ok)
      assert.equal("error", e.kind)
      assert.equal(7, e.value.code)
      assert.equal(p.name, e.process)
      assert.equal(p.pid, e.pid)
      assert.matches("stack traceback", e.traceback)
    end))

    it("prints as the message, then the remote traceback", within(5, function()
      local _, e = pcall(function()
        return mp.spawn(function() error("deep down", 0) end):result()
      end)
      assert.matches("^deep down\n.*stack traceback:\n", tostring(e))
    end))

    it("tells how a process ended that said nothing", within(5, function()
      local p = mp.spawn(function() while true do end end)
      p:kill()
      local _, e = pcall(p.result, p)
      assert.equal("lost", e.kind)
      assert.equal("SIGKILL", e.signal)
      assert.equal(9, e.signo)
      p = mp.spawn(function() os.exit(3) end)
      _, e = pcall(p.result, p)
      assert.equal("exit", e.kind)
      assert.equal(3, e.exitcode)
    end))

    it("returns nil, 'timeout' when time runs out", within(5, function()
      local a, b <close> = mp.Pipe()
      local p = mp.spawn(function() return b:recv() end)
      assert.same({ nil, "timeout" }, { p:result(0.01) })
      a:send "now"
      assert.equal("now", p:result())
      a:close()
    end))

    it("says what cannot be sent", within(5, function()
      local p = mp.spawn(function() return { co = coroutine.create(print) } end)
      local ok, e = pcall(p.result, p)
      assert.is_false(ok)
      assert.matches("cannot send .*%.co %(a thread%)", tostring(e))
      assert.equal(0, p.exitcode)
    end))

    it("brings mp objects back", within(5, function()
      local a = mp.spawn(function()
        local a, b = mp.Pipe()
        b:send "kept"
        return a
      end):result()
      assert.equal("kept", a:recv())
      assert.same({ nil, "closed" }, { a:recv() })
      a:close()
    end))
  end)

  describe("extend", function()
    it("makes a class whose objects run 'run'", within(5, function()
      local Worker = mp.Process:extend {
        run = function(self)
          return self:twice(self.number)
        end,
        twice = function(_, n)
          return 2 * n
        end,
      }
      local p = Worker { number = 21, name = "w" }
      assert.equal("w", p.name)
      assert.equal(42, p:start():result())
      local q = Worker()
      q.number = 4
      assert.equal(8, q:start():result())
    end))

    it("can be extended again", within(5, function()
      local A = mp.Process:extend { run = function(self) return self.word(self) end }
      local B = A:extend { word = function() return "b" end }
      assert.equal("b", B():start():result())
    end))
  end)

  describe("sent to others", function()
    for _, method in ipairs { "fork", "spawn" } do
      it("is told alive or ended as an argument of " .. method, within(10, function()
        local a, b <close> = mp.Pipe()
        local sleeper = mp.spawn(function() b:recv() end)
        local c, d = mp.Pipe()
        local p = mp.get_context(method).Process(function(other)
          local before = { other:is_alive(), other.exitcode }
          c:send "asked"
          c:recv()
          return before[1], before[2], other:is_alive(), other.exitcode
        end, sleeper):start()
        d:recv()
        a:send "end"
        sleeper:join()
        d:send "go on"
        assert.same({ true, nil, false, 0, n = 4 }, table.pack(p:result()))
      end))
    end

    it("tells who it is and how it ended", within(5, function()
      local a, b <close> = mp.Pipe()
      local sleeper = mp.spawn(function() b:recv() end)
      local c, d = mp.Pipe()
      local p = mp.spawn(function()
        local got = c:recv()
        local before = { got.pid, got.name, got:is_alive(), got.exitcode }
        c:send "asked"
        c:recv()
        return before, got:is_alive()
      end)
      d:send(sleeper)
      d:recv()
      a:send(1)
      sleeper:join()
      d:send "over"
      local before, after = p:result()
      assert.same({ sleeper.pid, sleeper.name, true }, before)
      assert.is_false(after)
      a:close() c:close() d:close()
    end))
  end)
end)

describe("the family", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("begins with MainProcess", function()
    local main = mp.current_process()
    assert.equal("MainProcess", main.name)
    assert.is_false(main.daemon)
    assert.is_true(main:is_alive())
    assert.is_nil(main.exitcode)
    assert.is_nil(mp.parent_process())
  end)

  it("knows parents", within(5, function()
    local mine = mp.current_process().pid
    local name, pid, alive = mp.spawn(function()
      local parent = mp.parent_process()
      return parent.name, parent.pid, parent:is_alive()
    end):result()
    assert.equal("MainProcess", name)
    assert.equal(mine, pid)
    assert.is_true(alive)
  end))

  it("lists active children, those that ended no more", within(5, function()
    local a, b <close> = mp.Pipe()
    local p = mp.spawn(function() b:recv() end)
    assert.same({ p }, mp.active_children())
    a:send(1)
    helper.eventually(5, function() return #mp.active_children() == 0 end)
    a:close()
  end))

  it("waits for ended children in mp.poll, and says for how many", within(5, function()
    assert.equal(0, mp.poll())
    assert.equal(0, mp.poll(0.001))
    local a, b <close> = mp.Pipe()
    mp.spawn(function() b:recv() end)
    assert.equal(0, mp.poll(0))
    a:send(1)
    helper.eventually(5, function() return mp.poll(0.001) == 1 end)
    assert.same({}, mp.active_children())
    assert.error_matches(function() mp.poll "x" end, "bad argument #1 to 'poll' %(number expected")
    assert.error_matches(function() mp.poll(0 / 0) end, "NaN")
    a:close()
  end))

  it("runs at_exit handlers in children, the last registered first", within(10, function()
    local r = script [[
      local mp = require "mp"
      mp.at_exit(function() print "main" end)
      local p = mp.spawn(function()
        mp.at_exit(function() print "first" end)
        mp.at_exit(function() print "second" end)
        print "target"
      end)
      p:join()
      local q = mp.spawn(function()
        mp.at_exit(function() print "after os.exit" end)
        os.exit(4)
      end)
      q:join()
      print(q.exitcode)
    ]]
    assert.equal("target\nsecond\nfirst\nafter os.exit\n4\nmain\n", r.out)
  end))

  it("waits for children at the end of the program", within(10, function()
    local r = script [[
      local mp = require "mp"
      mp.spawn(function() mp.sleep(0.1) print "child" end)
      print "main"
    ]]
    assert.equal("main\nchild\n", r.out)
    assert.equal(0, r.code)
  end))

  it("ends daemons at the end of the program", within(10, function()
    local r = script [[
      local mp = require "mp"
      local p = mp.Process { target = function() while true do end end, daemon = true }
      p:start()
      print(p.pid)
    ]]
    assert.equal(0, r.code)
    assert.is_false(exists(math.tointeger(tonumber(r.out))))
  end))

  it("takes daemons down with a killed parent", within(10, function()
    local before <const> = mp.stats().processes
    local a, b <close> = mp.Pipe()
    local p = mp.spawn(function()
      local inner = mp.Process { daemon = true, target = function() while true do end end }
      a:send(inner:start().pid)
      while true do end
    end)
    local pid = b:recv()
    p:kill()
    p:join()
    helper.eventually(1, function() return not exists(pid) end)
    a:close()
    helper.eventually(5, function() return mp.stats().processes == before end)
  end))

  it("lets other children outlive a killed parent", within(10, function()
    local before <const> = mp.stats().processes
    local a, b <close> = mp.Pipe()
    local p = mp.spawn(function()
      mp.spawn(function()
        b:send "started"
        b:send(b:recv())
      end)
      while true do end
    end)
    assert.equal("started", a:recv())
    p:kill()
    p:join()
    a:send "still here"
    assert.equal("still here", a:recv())
    a:close()
    helper.eventually(5, function() return mp.stats().processes == before end)
  end))
end)

describe("Ctrl-C", function()
  it("in a pool's call names one place, the caller's", within(10, function()
    local r = script [[
      local mp = require "mp"
      local pid = mp.current_process().pid
      local pool <close> = mp.Pool(1)
      local function interrupt()
        require("mp.core").kill(pid, 2)
        return mp.sleep(10)
      end
      pool:map(interrupt, { 1 })
    ]]
    local first = r.err:match "^[^\n]*"
    assert.matches("^[^:]+: [^:]+:8: interrupted!$", first)
  end))

  it("ends a program that waits, with one traceback", within(10, function()
    local r = script [[
      local mp = require "mp"
      local p <close> = mp.Process { daemon = true, target = function() while true do end end }
      p:start()
      os.execute("(sleep 0.1; kill -INT " .. mp.current_process().pid .. ") &")
      mp.sleep(5)
    ]]
    assert.is_true(r.code ~= 0 or r.signal ~= nil)
    local _, n = r.err:gsub("stack traceback", "")
    assert.equal(1, n)
  end))
end)
