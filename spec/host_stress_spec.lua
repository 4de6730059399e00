-- time limit: 300 s
--
-- spec/hosts/stress.c: what threads, many states and endless workers do to a
-- host. Short here; MP_LONG=1 for 2000 children and 10000 states.
local helper = require "spec.helper"
local core = require "mp.core"
local within <const> = helper.within

local build <const> = os.getenv "MP_BUILD"
local preset <const> = build and build:match "/(%w+)$"
local flags <const> = preset == "asan" and "-fsanitize=address,undefined" or ""
local lua <const> = "lua" .. _VERSION:match "%d+%.%d+" -- by its name for pkg-config
local long <const> = os.getenv "MP_LONG" ~= nil
local root

local function sh(command)
  local out <const> = os.tmpname()
  local ok <const> = os.execute(("{ %s\n} >%s 2>&1 </dev/null"):format(command, out))
  local text <const> = helper.read_file(out)
  os.remove(out)
  assert.is_true(ok, text)
  return text
end

describe("a host", function()
  setup(function()
    assert(build, "MP_BUILD is not set: run by ./dev test")
    if preset == "cov" then
      return
    end
    root = sh("mktemp -d"):gsub("\n", "")
    sh(([[
      cmake --install %s --prefix %s/prefix
      export PKG_CONFIG_PATH=$(dirname $(find %s/prefix -name mp.pc)):$PKG_CONFIG_PATH
      cc -std=gnu11 -O1 -g -o %s/stress spec/hosts/stress.c -pthread %s \
        $(pkg-config --cflags mp-lua %s) $(pkg-config --libs mp-lua %s)
    ]]):format(build, root, root, root, flags, lua, lua))
  end)

  teardown(function()
    if root then
      sh("rm -rf " .. root)
    end
  end)

  before_each(function()
    if preset == "cov" then
      pending("hosts are built without the flags for coverage")
    end
    helper.baseline()
  end)
  after_each(helper.leaks)

  it("starts children while eight threads use malloc, stdio and mp", within(280, function()
    local count <const> = long and 2000 or 100
    assert.equal(("forkserver\t%d\n"):format(count), sh(("%s/stress start %d"):format(root, count)))
  end))

  it("opens and closes states in two threads, and nothing is left", within(280, function()
    if preset == "asan" then
      pending("what is freed is kept for a while")
    end
    local count <const> = long and 10000 or 100
    assert.equal(("%d states\n"):format(count), sh(("%s/stress states %d"):format(root, count)))
  end))

  it("closes a state within two seconds, whatever its children do", within(60, function()
    local pid, seconds = sh(root .. "/stress close"):match "^(%d+)\n([%d.]+)\n$"
    core.kill(assert(math.tointeger(tonumber(pid))), 9) -- not a daemon: it runs on
    assert.is_true(tonumber(seconds) < 4, seconds)
  end))
end)
