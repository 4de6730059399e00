-- What a Process refuses, and what it makes of targets that go wrong.

local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

local METHODS <const> = { "fork", "forkserver", "spawn" }

local function nothing() end

-- What a script prints, in a process of its own.
local function script(code)
  return helper.run_lua(code, { timeout = 10 })
end

describe("a Process", function()
  setup(function() -- the fork server is nothing that a test leaves behind
    mp.get_context("forkserver").spawn(nothing):join()
  end)
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("has methods that need a Process", function()
    for _, name in ipairs {
      "start", "run", "join", "is_alive", "terminate", "kill", "interrupt", "close", "result",
    } do
      for _, self in ipairs { 5, "p", {}, io.stdout } do
        assert.error_matches(function()
          mp.Process[name](self)
        end, ("bad argument #1 to '%s' %%(mp.Process expected, got "):format(name))
      end
    end
  end)

  it("is not waited for before its start, signalled or asked", function()
    local p <close> = mp.Process(nothing)
    assert.is_false(p:is_alive())
    for _, case in ipairs {
      { "join", "can only join a started process" },
      { "result", "can only ask a started process for its result" },
      { "terminate", "can only terminate a started process" },
      { "kill", "can only kill a started process" },
      { "interrupt", "can only interrupt a started process" },
    } do
      assert.error_matches(function() p[case[1]](p) end, case[2])
    end
    assert.error_matches(function() return p.sentinel end, "process not started")
    assert.is_nil(p.pid)
    assert.is_nil(p.exitcode)
  end)

  it("belongs to its creator: a brother only sees whether it lives", within(10, function()
    local go <const> = mp.Event()
    local first = mp.spawn(go.wait, go)
    local second = mp.spawn(function()
      local said = {}
      for _, name in ipairs { "start", "join", "result", "terminate", "kill", "interrupt" } do
        said[name] = select(2, pcall(first[name], first))
      end
      return said, first:is_alive(), first.pid
    end)
    local said, alive, pid = second:result()
    assert.matches("cannot start a process twice", said.start)
    assert.matches("can only join a child process", said.join)
    assert.matches("can only ask a child process for its result", said.result)
    for _, name in ipairs { "terminate", "kill", "interrupt" } do
      assert.matches(("can only %s a child process"):format(name), said[name])
    end
    assert.is_true(alive)
    assert.equal(first.pid, pid)
    go:set()
    first:join()
  end))

  it("refuses times that are none", within(10, function()
    local p = mp.spawn(nothing)
    for _, name in ipairs { "join", "result" } do
      assert.error_matches(function() p[name](p, 0 / 0) end, "timeout must not be NaN")
      assert.error_matches(function() p[name](p, "1") end, "number expected, got string")
      assert.error_matches(function() p[name](p, {}) end, "number expected, got table")
    end
    local said = mp.spawn(function()
      local parent = mp.parent_process()
      return {
        select(2, pcall(parent.join, parent, 0 / 0)),
        select(2, pcall(parent.join, parent, "1")),
        select(2, parent:join(0)),
        select(2, parent:join(-1)),
      }
    end):result()
    assert.matches("timeout must not be NaN", said[1])
    assert.matches("number expected, got string", said[2])
    assert.same({ "timeout", "timeout" }, { said[3], said[4] })
    p:join()
  end))

  it("waits for ever when the time is infinite", within(10, function()
    assert.is_true(mp.spawn(nothing):join(math.huge))
    assert.same({ nil, "timeout" }, { mp.spawn(mp.sleep, 0.01):join(-math.huge) })
    for _, p in ipairs(mp.active_children()) do
      p:join()
    end
  end))

  it("cannot be started when it is closed", function()
    local p = mp.Process(nothing)
    p:close()
    assert.error_matches(function() p:start() end, "attempt to use a closed process")
    assert.matches("closed", tostring(p))
  end)

  for _, method in ipairs { "forkserver", "spawn" } do
    it("can be started again when an argument could not be sent: " .. method, within(10, function()
      local context <const> = mp.get_context(method)
      local p = context.Process {
        target = nothing,
        args = { 1, { file = io.stdout } },
      }
      for _ = 1, 2 do
        assert.error_matches(function() p:start() end, "args%[2%]%.file")
        assert.is_false(p:is_alive())
        assert.same({}, mp.active_children())
      end
      p:close()
    end))
  end

  it("says why its program cannot be run, and can be tried again", within(10, function()
    local r = script [[
      local mp = require "mp"
      mp.set_executable "/nowhere/lua"
      local p = mp.get_context("spawn").Process(print, "at last")
      print(pcall(p.start, p))
      mp.set_executable(require("mp.core").executable())
      print(p:start():join(), p.exitcode)
    ]]
    assert.matches("^false\t[^\n]*cannot start process 'Process%-1': [^\n]*No such file", r.out)
    assert.matches("\nat last\ntrue\t0\n$", r.out)
  end))

  for _, method in ipairs(METHODS) do
    describe(("(%s)"):format(method), function()
      local context

      setup(function() context = mp.get_context(method) end)

      local function ended(target, ...)
        local p = context.Process(target, ...):start()
        p:join()
        return p
      end

      it("ends with code 1 by an error of any kind", within(10, function()
        local p = ended(function() error() end)
        assert.equal(1, p.exitcode)
        assert.is_nil(select(2, pcall(p.result, p)).value)
        p = ended(function() error { code = 7 } end)
        assert.equal(1, p.exitcode)
        assert.equal(7, select(2, pcall(p.result, p)).value.code)
        p = ended(function()
          error(setmetatable({}, { __tostring = function() error "again" end }))
        end)
        assert.equal(1, p.exitcode)
        p = ended(function()
          local function deeper() return 1 + deeper() end
          return deeper()
        end)
        assert.equal(1, p.exitcode)
        assert.matches("stack overflow", tostring(select(2, pcall(p.result, p))))
      end))

      it("ends with what os.exit was given, if that is a code", within(10, function()
        assert.equal(5, ended(function() os.exit(5) end).exitcode)
        assert.equal(0, ended(function() os.exit(true) end).exitcode)
        assert.equal(1, ended(function() os.exit(false) end).exitcode)
        assert.equal(255, ended(function() os.exit(-1) end).exitcode)
        assert.equal(3, ended(function() os.exit(3.0) end).exitcode)
        local p = ended(function() os.exit(3.5) end)
        assert.equal(1, p.exitcode)
        assert.matches("integer representation", tostring(select(2, pcall(p.result, p))))
      end))

      it("does not come back from a coroutine", within(10, function()
        local p
        local co = coroutine.wrap(function()
          p = context.Process(function()
            return coroutine.isyieldable(), mp.current_process().name
          end):start()
          coroutine.yield "the parent goes on"
        end)
        assert.equal("the parent goes on", co())
        assert.equal(p.name, select(2, p:result()))
      end))

      it("fails when a handler at its exit does", within(10, function()
        local p = ended(function()
          mp.at_exit(function() error "in the handler" end)
        end)
        assert.equal(1, p.exitcode)
        p = ended(function()
          mp.at_exit(function() error "in the handler" end)
          os.exit(4)
        end)
        assert.equal(4, p.exitcode)
      end))

      it("ends with its scope's error", within(10, function()
        local p
        local go <const> = mp.Event()
        assert.error_matches(function()
          local scoped <close> = context.Process(go.wait, go):start()
          p = scoped
          error "leaving"
        end, "leaving")
        assert.error_matches(function() return p.exitcode end, "closed process")
        assert.same({}, mp.active_children())
      end))

      it("takes its children with it when it is a daemon", within(20, function()
        local a, b <close> = mp.Pipe()
        local p = context.Process {
          daemon = true,
          target = function(conn)
            local child = mp.spawn(function() while true do end end)
            assert(child.daemon)
            conn:send(child.pid)
            child:join()
          end,
          args = { a },
        }
        p:start()
        local pid = b:recv()
        p:kill()
        p:join()
        helper.eventually(5, function()
          local stat = helper.read_file(("/proc/%d/stat"):format(pid))
          return not stat or stat:match "%) [ZX] "
        end)
        a:close()
      end))
    end)
  end

  it("has a name of any length, and any bytes but zeros count", within(10, function()
    local name <const> = ("long "):rep(100)
    local p = mp.Process { target = function() return mp.current_process().name end, name = name }
    assert.equal(name, p:start():result())
  end))

  it("refuses handlers that are no functions", function()
    assert.error_matches(function() mp.at_exit(5) end, "bad argument #1 to 'at_exit'")
    assert.error_matches(function() mp.at_worker_start(nil) end, "bad argument #1 to 'at_worker_st")
    assert.error_matches(function() mp.spawn(5) end, "bad argument #1 to 'spawn'")
    assert.error_matches(function() mp.Process:extend(5) end, "bad argument #1 to 'extend'")
  end)
end)
