-- What each start method gives a child, and what becomes of the fork server.
local core = require "mp.core"
local helper = require "spec.helper"
local lfs = require "lfs"
local methods = require "spec.helper.methods"
local mp = require "mp"

local within <const> = helper.within

local function sh(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  return pipe:read "a"
end

-- What the descriptors of this process are, but the one that looks.
local function descriptors()
  local list = {}
  for name in lfs.dir "/proc/self/fd" do
    local target = lfs.symlinkattributes("/proc/self/fd/" .. name, "target")
    if target and not target:find "^/proc/%d+/fd" then
      list[#list + 1] = target
    end
  end
  return list
end

local function alive(pid)
  local stat <const> = helper.read_file(("/proc/%d/stat"):format(pid))
  return stat ~= nil and not stat:match "%) [ZX] "
end

describe("a child", function()
  methods.each(function(ctx, method)
    it("works with upvalues, arguments and required modules", within(10, function()
      local factor <const> = 6
      local p <close> = ctx.spawn(function(n)
        return require("mp").type(require("mp").Queue()), n * factor
      end, 7)
      local kind, product = p:result()
      assert.equal("Queue", kind)
      assert.equal(42, product)
    end))

    it("runs functions of load()ed text, stripped ones too", within(10, function()
      local plain = assert(load("local n = ... return n + 1", "=text"))
      local stripped = assert(load(string.dump(plain, true)))
      assert.equal(3, ctx.spawn(plain, 2):result())
      assert.equal(4, ctx.spawn(stripped, 3):result())
    end))

    it("has the script's arguments in 'arg'", within(10, function()
      local r = helper.run_lua(([[
        local mp = require "mp"
        print(mp.get_context(%q).spawn(function() return arg[1], arg[2] end):result())
      ]]):format(method), { args = { "one", "two" } })
      assert.equal("", r.err)
      assert.equal("one\ttwo\n", r.out)
    end))

    it("can be started at the top of a script, which is run once", within(20, function()
      local r = helper.run_lua(([[
        local mp = require "mp"
        print "once"
        local pool <close> = mp.get_context(%q).Pool(2)
        print(table.concat(pool:map(function(x) return x * x end, { 1, 2, 3 }), " "))
      ]]):format(method))
      assert.equal("", r.err)
      assert.equal("once\n1 4 9\n", r.out)
    end))

    it("can be started from standard input and from a command line", within(20, function()
      local code <const> = ("print(require 'mp'.get_context '%s'.spawn(math.max, 3, 8):result())")
        :format(method)
      assert.equal("8\n", sh(("echo %q | $MP_LUA -"):format(code)))
      assert.equal("8\n", sh(("$MP_LUA -e %q"):format(code)))
    end))

    it("can be started line by line, at the prompt", within(20, function()
      local out <const> = sh(([[printf '%%s\n' \
        'mp = require "mp"' \
        'p = mp.get_context("%s").spawn(function(n) return n * n end, 12)' \
        'print("the square is " .. p:result())' | $MP_LUA -i]]):format(method))
      assert.matches("the square is 144\n", out)
    end))

    it("has descriptors 0 to 2, the family's and what it was given", within(10, function()
      if method == "fork" then
        return -- it has its parent's
      end
      local _ <close> = assert(io.open "/etc/hostname") -- not for it
      local a, b = mp.Pipe()
      local open <const> = ctx.spawn(descriptors, a):result()
      local others = {}
      for _, target in ipairs(open) do
        if not target:find "^/memfd:mp%-arena" and not target:find "%[eventfd%]" then
          others[#others + 1] = target
        end
      end
      assert.equal(3, #others, table.concat(others, ", "))
      a:close() b:close()
    end))
  end)

  for _, method in ipairs { "forkserver", "spawn" } do
    local ctx <const> = mp.get_context(method)

    it("of " .. method .. " says which global it does not have, and why", within(10, function()
      local p <close> = ctx.spawn(assert(load "return some_helper()"))
      local _, e = pcall(p.result, p)
      assert.matches("attempt to call a nil value %(global 'some_helper'%)", tostring(e))
      assert.matches("this process was not forked", tostring(e))
    end))

    it("of " .. method .. " says what it cannot decode", within(10, function()
      local C <const> = mp.class("spec.start." .. method, {})
      local p <close> = ctx.spawn(type, setmetatable({}, C))
      local _, e = pcall(p.result, p)
      assert.matches("class 'spec%.start%." .. method .. "' is not registered here", tostring(e))
      assert.equal(1, p.exitcode)
    end))

    it("of " .. method .. " cannot be given what only a fork hands over", within(10, function()
      local file <close> = assert(io.open "/etc/hostname")
      local ok, message = pcall(ctx.spawn, function() return file:read() end)
      assert.is_false(ok)
      assert.matches("cannot send process%.target%(upvalue file%) %(a FILE%*%)", message)
      assert.matches("only a fork could hand it over", message)
      ok, message = pcall(ctx.spawn, print, {}, { f = file })
      assert.is_false(ok)
      assert.matches("cannot send process.args%[2%]%.f %(a FILE%*%)", message)
    end))
  end
end)

describe("a fork with threads", function()
  -- A script in whose process luv keeps four threads from the first line on.
  local function script(code)
    if not pcall(require, "luv") then
      pending("the module luv is not installed")
    end
    return helper.run_lua([[
      local mp, uv = require "mp", require "luv"
      uv.queue_work(uv.new_work(function() end, function() end))
      uv.run()
    ]] .. code, { env = { UV_THREADPOOL_SIZE = "4" } })
  end

  it("warns once, naming their number", within(20, function()
    local r = script [[
      warn "@on"
      local ctx = mp.get_context "fork"
      for _ = 1, 2 do
        ctx.spawn(function() end):join()
      end
    ]]
    local _, n = r.err:gsub("Lua warning: mp: fork in a process with 5 threads", "")
    assert.equal(1, n, r.err)
  end))

  it("is not the default", within(20, function()
    local r = script [[
      print(table.concat(mp.get_all_start_methods(), " "))
      print(mp["get_start_method"]())
    ]]
    assert.equal("", r.err)
    assert.equal("forkserver fork spawn\nforkserver\n", r.out)
  end))
end)

describe("the fork server", function()
  local ctx <const> = mp.get_context "forkserver"

  -- Of a script's own, whose children print their parent's pid.
  local function script(code, options)
    return helper.run_lua([[
      local mp = require "mp"
      local core = require "mp.core"
      local ctx = mp.get_context "forkserver"
      local function server()
        return ctx.spawn(function()
          return math.tointeger(io.open("/proc/self/stat"):read("a"):match "%) %u (%d+)")
        end):result()
      end
    ]] .. code, options)
  end

  it("is one for all, and another after it was killed", within(20, function()
    local r = script [[
      local first = server()
      assert(first == server())
      core.kill(first, 9)
      local second = server()
      assert(second ~= first and second == server())
      print "relaunched"
    ]]
    assert.equal("", r.err)
    assert.equal("relaunched\n", r.out)
  end))

  it("can be killed again and again while it starts children", within(60, function()
    local r = script([[
      math.randomseed(7)
      local ends = 0
      for i = 1, 60 do
        local pid = server()
        local p = ctx.spawn(function() return i end)
        if i % 3 == 0 then core.kill(pid, 9) end
        assert(ctx.spawn(function() return i end):result() == i)
        local ok, value = pcall(p.result, p)
        if ok then assert(value == i) else ends = ends + 1 end
        p:close()
      end
      print(ends < 60)
    ]], { timeout = 50 })
    assert.equal("", r.err)
    assert.equal("true\n", r.out)
  end))

  it("takes no notice of SIGINT", within(20, function()
    local r = script [[
      local first = server()
      core.kill(first, core.SIGINT)
      assert(first == server())
      print "still there"
    ]]
    assert.equal("", r.err)
    assert.equal("still there\n", r.out)
  end))

  it("ends with the program", within(20, function()
    local r = script [[print(server())]]
    local pid <const> = assert(math.tointeger(tonumber(r.out)), r.err)
    helper.eventually(5, function() return not alive(pid) end)
  end))

  it("ends when the program is killed", within(20, function()
    local r = script [[
      print(server())
      io.stdout:flush()
      core.kill(core.getpid(), 9)
    ]]
    local pid <const> = assert(math.tointeger(tonumber(r.out)), r.err)
    helper.eventually(5, function() return not alive(pid) end)
  end))

  it("loads modules beforehand, and says what is wrong with one", within(20, function()
    local r = script [[
      mp.set_forkserver_preload { "lfs" }
      print(ctx.spawn(function() return package.loaded.lfs ~= nil end):result())
    ]]
    assert.equal("", r.err)
    assert.equal("true\n", r.out)
    r = script [[
      mp.set_forkserver_preload { "no.such.module" }
      local ok, message = pcall(ctx.spawn, print)
      print(ok, message)
    ]]
    assert.matches("^false\t[^\n]*module 'no%.such%.module'", r.out)
    assert.error_matches(function()
      mp.set_forkserver_preload { 5 }
    end, "module names must be a list of strings")
    assert.error_matches(function()
      mp.set_forkserver_preload "lfs"
    end, "module names must be a list of strings")
  end))

  it("tells an exit code, and the signal that ended a child", within(20, function()
    local p <close> = ctx.spawn(os.exit, 7)
    p:join()
    assert.equal(7, p.exitcode)
    local q <close> = ctx.spawn(function() while true do end end)
    q:kill()
    q:join()
    assert.equal(-9, q.exitcode)
  end))

  it("has told it when the child is not alive any more", within(30, function()
    for _ = 1, 50 do
      local p <close> = ctx.spawn(function() while true do end end)
      p:kill()
      while p:is_alive() do end
      assert.equal(-9, p.exitcode)
    end
  end))
end)

describe("a context", function()
  it("has every constructor, and its own method", function()
    for _, method in ipairs(mp.get_all_start_methods()) do
      local ctx <const> = mp.get_context(method)
      assert.equal(method, ctx.get_start_method())
      assert.equal(ctx, ctx.get_context())
      assert.equal(ctx, mp.get_context(method))
      for name in pairs(mp) do
        assert.is_not_nil(ctx[name], name)
      end
      assert.error_matches(function()
        ctx.set_start_method "fork"
      end, "cannot set start method of concrete context")
    end
  end)

  it("of no such method is refused", function()
    assert.error_matches(function() mp.get_context "thread" end, "cannot find context for 'thread'")
    assert.error_matches(function() mp.get_context(5) end, "cannot find context for '5'")
  end)

  it("does not fix the default by its use", within(10, function()
    local r = helper.run_lua [[
      local mp = require "mp"
      mp.get_context("spawn").spawn(function() end):join()
      print(mp.get_start_method(true))
      print(mp.get_start_method())
      print(pcall(mp.set_start_method, "spawn"))
      mp.set_start_method("spawn", true)
      print(mp.get_start_method(), mp.get_all_start_methods()[1])
      mp.set_start_method(nil, true)
      print(mp.get_start_method(true))
    ]]
    assert.equal("", r.err)
    assert.matches("^nil\nfork\nfalse\t[^\n]*context has already been set\n", r.out)
    assert.matches("\nspawn\tspawn\nnil\n$", r.out)
  end))
end)

describe("set_executable", function()
  it("names the interpreter that spawn runs", within(20, function()
    local link <const> = os.tmpname()
    os.remove(link)
    sh(("ln -s $(readlink -f $MP_LUA) %s"):format(link))
    local r = helper.run_lua(([[
      local mp = require "mp"
      mp.set_executable(%q)
      print(mp.get_context("spawn").spawn(function()
        return (io.open("/proc/self/cmdline"):read("a"):match "^[^\0]*")
      end):result())
    ]]):format(link))
    os.remove(link)
    assert.equal("", r.err)
    assert.equal(link .. "\n", r.out)
  end))

  it("that cannot be run is an error of start", within(20, function()
    local r = helper.run_lua [[
      local mp = require "mp"
      mp.set_executable "/no/such/program"
      print(pcall(mp.get_context("spawn").spawn, print))
      print(pcall(mp.get_context("forkserver").spawn, print))
      print(#mp.active_children())
    ]]
    assert.matches("^false\t[^\n]*cannot start process 'Process%-1': [^\n]*No such file", r.out)
    assert.matches("\nfalse\tcannot start the fork server: [^\n]*No such file[^\n]*\n0\n$", r.out)
    assert.error_matches(function() mp.set_executable(5) end, "string expected, got number")
  end))

  it("is the executable of this process otherwise", function()
    assert.equal(core.executable(), sh("readlink -f $MP_LUA"):match "[^\n]+")
  end)
end)
