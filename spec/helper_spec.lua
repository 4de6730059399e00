local helper = require "spec.helper"
local within <const> = helper.within

describe("spec.helper", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  describe("within", function()
    it("returns what the function returns", within(5, function()
      assert.same({ 1, nil, 3, n = 3 }, table.pack(within(5, function()
        return 1, nil, 3
      end)))
    end))

    it("stops a loop that does not end", function()
      local ok, why = pcall(within, 0.05, function()
        while true do end
      end)
      assert.is_false(ok)
      assert.matches("not done within 0.05 s", why)
      assert.is_nil((debug.gethook()))
    end)

    it("passes errors on", function()
      assert.error_matches(function()
        within(5, function() error("mine") end)
      end, "mine")
    end)
  end)

  describe("leaks", function()
    local function complaint()
      return table.concat(helper.left(0), "\n")
    end

    it("raises in after_each", function()
      local file <close> = assert(io.open("/dev/null"))
      assert.is_truthy(file)
      assert.error_matches(helper.leaks, "left behind: descriptor %d+ %-> /dev/null")
    end)

    it("sees a child", function()
      local pipe <close> = assert(io.popen("exec sleep 30", "r"))
      assert.is_truthy(pipe)
      local why <const> = complaint()
      assert.matches("process %d+ %(s%l+, state %u%)", why)
      assert.matches("descriptor %d+ %-> pipe:", why)
      os.execute("kill " .. why:match("process (%d+)"))
    end)

    it("sees a descendant whose parent is gone", function()
      os.execute("sleep 30 >/dev/null 2>&1 &")
      local why <const> = complaint()
      assert.matches("process %d+ %(s%l+, state %u%)", why)
      os.execute("kill " .. why:match("process (%d+)"))
    end)

    it("sees a descriptor", function()
      local file <close> = assert(io.open("/dev/null"))
      assert.matches("descriptor %d+ %-> /dev/null", complaint())
      assert.is_truthy(file)
    end)

    it("sees a name in /dev/shm", function()
      local path <const> = "/dev/shm/mp-helper-spec"
      local file <close> = io.open(path, "w")
      if not file then
        pending("/dev/shm is missing or not writable")
      end
      file:close()
      local why <const> = complaint()
      os.remove(path)
      assert.matches("/dev/shm/mp%-helper%-spec", why)
    end)

    it("does not mind a name of another run on this machine", within(20, function()
      local code <const> = [[
        local mp = require "mp"
        local shm = mp.SharedMemory { create = true, size = 1 }
        print(mp.current_process().pid, shm.name)
        io.stdout:flush()
        mp.sleep(60)
      ]]
      local lua <const> = os.getenv "MP_LUA" or "lua5.4"
      local form <const> = "env -u MP_TEST_REPORT '%s' -e '%s' 2>&1 &"
      local pipe <const> = assert(io.popen(form:format(lua, code)))
      local pid <const>, name <const> = pipe:read "l":match "^(%d+)\t(%S+)"
      pipe:close()
      local why <const> = complaint()
      os.execute("kill -KILL " .. pid)
      assert.equal("", why)
      os.remove("/dev/shm/" .. name)
    end))
  end)

  describe("run_lua", function()
    it("returns output, errors and exit code", function()
      local r <const> = helper.run_lua(
        "io.write(arg[1], io.read('a'), os.getenv('X')) io.stderr:write('e') os.exit(7)",
        { args = { "it's" }, stdin = " in ", env = { X = "x y" } }
      )
      assert.same({ "it's in x y", "e", 7 }, { r.out, r.err, r.code })
      assert.is_false(r.timed_out)
    end)

    it("returns the signal that ended the script", function()
      local r <const> = helper.run_lua(
        "os.execute('kill -KILL ' .. io.open('/proc/self/stat'):read('n'))"
      )
      assert.same({ nil, 9, false }, { r.code, r.signal, r.timed_out })
    end)

    it("ends a script that takes too long", function()
      local r <const> = helper.run_lua("while true do end", { timeout = 0.2 })
      assert.is_true(r.timed_out)
    end)

    it("knows whom a script has left behind", function()
      local r <const> = helper.run_lua("os.execute('sleep 30 >/dev/null 2>&1 &')")
      local left <const> = helper.alive(r)
      assert.equal(1, #left)
      os.execute("kill " .. left[1])
      helper.eventually(5, function() return #helper.alive(r) == 0 end)
    end)

    it("gives scripts the build's module", function()
      local r <const> = helper.run_lua("print(require('mp')._VERSION)")
      assert.equal("", r.err)
      assert.equal(require("mp")._VERSION .. "\n", r.out)
    end)
  end)

  it("repeats a seed", function()
    local print_ <const> = print
    _G.print = function() end
    local seed <const> = helper.seed()
    _G.print = print_
    local first <const> = math.random(0)
    math.randomseed(seed)
    assert.equal(first, math.random(0))
  end)
end)
