-- time limit: 400 s
--
-- The programs of examples/host_*/ build from an installed prefix, by CMake
-- and by pkg-config, do what they say, and do nothing that valgrind or the
-- sanitizers object to.
local helper = require "spec.helper"
local within <const> = helper.within

local build <const> = os.getenv "MP_BUILD"
local preset <const> = build and build:match "/(%w+)$"
local with_sanitizer <const> = preset == "asan"
local root

local function sh(command)
  local out <const> = os.tmpname()
  local ok <const> = os.execute(("{ %s\n} >%s 2>&1 </dev/null"):format(command, out))
  local text <const> = helper.read_file(out)
  os.remove(out)
  assert.is_true(ok, text)
  return text
end

local function by_cmake(name)
  local where <const> = root .. "/" .. name
  sh(("cmake -G Ninja -S examples/%s -B %s -DCMAKE_PREFIX_PATH=%s/prefix %s"):format(
    name, where, root, with_sanitizer and "-DCMAKE_C_FLAGS=-fsanitize=address,undefined" or ""))
  sh("cmake --build " .. where)
  return ("%s/%s"):format(where, name)
end

local function by_pkg_config(name, packages)
  local program <const> = ("%s/%s-by-pc"):format(root, name)
  sh(([[
    export PKG_CONFIG_PATH=$(dirname $(find %s/prefix -name mp.pc)):$PKG_CONFIG_PATH
    cc -o %s examples/%s/main.c $(pkg-config --cflags %s) $(pkg-config --libs %s) %s
  ]]):format(root, program, name, packages, packages,
    with_sanitizer and "-fsanitize=address,undefined" or ""))
  return program
end

-- A small arena: what is shared is searched for pointers, too. Processes that
-- end by _exit leave their Lua state as it is: that is reachable, or may be.
local function under_valgrind(program)
  return ([[
    MP_ARENA=64M valgrind -q --trace-children=yes --error-exitcode=9 --leak-check=full \
      --show-leak-kinds=definite --errors-for-leak-kinds=definite %s 2>%s/errors
    code=$?; grep -v -e '^--' %s/errors; exit $code]]):format(program, root, root)
end

local lua <const> = "lua" .. _VERSION:match "%d+%.%d+" -- by its name for pkg-config

-- What each says; the words behind it on its command line.
local hosts <const> = {
  {
    name = "host_minimal",
    packages = "mp-lua " .. lua,
    says = "^5050 from a worker\n$",
  },
  {
    name = "host_c",
    packages = "mp",
    says = "^4 processes wrote 400 messages, and a killed one let go of the lock\n"
      .. "the pool's squares add up to 333833500\n$",
  },
  {
    name = "host_threads",
    packages = "mp-lua " .. lua,
    says = "^338350 from 2 threads\n$",
  },
  {
    name = "host_tool",
    packages = "mp-lua " .. lua,
    words = "$root/wikipedia /no/such/file",
    says = "^11e60398\t[^\n]*/wikipedia\n[^\n]*No such file or directory\t/no/such/file\n$",
  },
  {
    name = "host_game",
    packages = "mp-lua " .. lua,
    words = "30", -- frames
    says = "\n(%d+) tasks, %1 done, %1 right\n$",
  },
}

local function command(program, host)
  return program .. " " .. (host.words or ""):gsub("%$root", root)
end

describe("a host", function()
  setup(function()
    assert(build, "MP_BUILD is not set: run by ./dev test")
    root = sh("mktemp -d"):gsub("\n", "")
    sh(("cmake --install %s --prefix %s/prefix"):format(build, root))
    local f <close> = assert(io.open(root .. "/wikipedia", "w"))
    f:write "Wikipedia"
  end)

  teardown(function()
    sh("rm -rf " .. root)
  end)

  before_each(function()
    if preset == "cov" then
      pending("hosts are built without the flags for coverage")
    end
    helper.baseline()
  end)
  after_each(helper.leaks)

  for _, host in ipairs(hosts) do
    describe(host.name, function()
      it("does what it says", within(100, function()
        assert.matches(host.says, sh(command(by_cmake(host.name), host)))
      end))

      it("can be built by pkg-config", within(100, function()
        assert.matches(host.says, sh(command(by_pkg_config(host.name, host.packages), host)))
      end))

      if with_sanitizer then
        return -- its own checks are on above
      end

      it("is clean under valgrind", within(100, function()
        local program <const> = ("%s/%s/%s"):format(root, host.name, host.name)
        assert.matches(host.says, sh(under_valgrind(command(program, host))))
      end))
    end)
  end
end)
