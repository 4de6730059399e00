-- time limit: 300 s
--
-- The programs of examples/host_*/ build from an installed prefix, by CMake
-- and by pkg-config, and do what they say.
local helper = require "spec.helper"
local within <const> = helper.within

local build <const> = os.getenv "MP_BUILD"
local plain <const> = build and build:match("/release$") ~= nil
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
    root = sh("mktemp -d"):gsub("\n", "")
    if plain then
      sh(("cmake --install %s --prefix %s/prefix"):format(build, root))
    end
  end)

  teardown(function()
    sh("rm -rf " .. root)
  end)

  before_each(function()
    if not plain then
      pending("hosts are built without the sanitizer's flags")
    end
    helper.baseline()
  end)

  local function by_cmake(name)
    local where <const> = root .. "/" .. name
    sh(("cmake -S examples/%s -B %s -DCMAKE_PREFIX_PATH=%s/prefix"):format(name, where, root))
    sh("cmake --build " .. where)
    return ("%s/%s/%s"):format(root, name, name)
  end

  it("of fifty lines runs a worker from its own executable", within(100, function()
    local program <const> = by_cmake "host_minimal"
    assert.equal("5050 from a worker\n", sh(program))
  end))

  it("can be built by pkg-config", within(100, function()
    sh(([[
      export PKG_CONFIG_PATH=$(dirname $(find %s/prefix -name mp.pc))
      cc -o %s/by_pc examples/host_minimal/main.c \
        $(pkg-config --cflags mp-lua lua5.4) $(pkg-config --libs mp-lua lua5.4)
    ]]):format(root, root))
    assert.equal("5050 from a worker\n", sh(root .. "/by_pc"))
  end))

  it("shares its queues with the states of its threads", within(100, function()
    local program <const> = by_cmake "host_threads"
    assert.equal("338350 from 2 threads\n", sh(program))
  end))

  it("gives its own functions to worker states", within(100, function()
    local program <const> = by_cmake "host_tool"
    local file <const> = root .. "/wikipedia"
    local f <close> = assert(io.open(file, "w"))
    f:write "Wikipedia"
    f:close()
    local out <const> = sh(("%s %s /no/such/file"):format(program, file))
    assert.matches("^11e60398\t" .. file:gsub("%p", "%%%0") .. "\n", out)
    assert.matches("No such file or directory\t/no/such/file\n", out)
  end))
end)
