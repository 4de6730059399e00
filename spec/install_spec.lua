-- What is installed works where it is put.
local helper = require "spec.helper"
local within <const> = helper.within

local build <const> = os.getenv "MP_BUILD"
local plain <const> = build and build:match("/release$") ~= nil

local function sh(command)
  local out <const> = os.tmpname()
  local ok <const> = os.execute(("{ %s\n} >%s 2>&1"):format(command, out))
  local text <const> = helper.read_file(out)
  os.remove(out)
  assert.is_true(ok, text)
  return text
end

describe("installed", function()
  local root

  setup(function()
    assert(build, "MP_BUILD is not set: run by ./dev test")
    root = os.tmpname()
    os.remove(root)
    sh("mkdir " .. root)
  end)

  teardown(function()
    sh("rm -rf " .. root)
  end)

  before_each(helper.baseline)
  after_each(helper.leaks)

  it("core.so, renamed mp.so, is all of mp", within(20, function()
    sh(("mkdir %s/one && cp %s/lua/mp/core.so %s/one/mp.so"):format(root, build, root))
    local r <const> = helper.run_lua([[
      local mp = require "mp"
      print(mp._VERSION, package.searchpath("mp.core", package.cpath))
      assert(not package.searchpath("mp", package.path), "another mp is in the way")
      for _, method in ipairs { "fork", "forkserver", "spawn" } do
        local p <close> = mp.get_context(method).spawn(function(n) return n + 1 end, 1)
        assert(p:result() == 2)
      end
    ]], { env = { LUA_PATH = "/nowhere/?.lua", LUA_CPATH = root .. "/one/?.so" } })
    assert.equal("", r.err)
    assert.matches("^" .. require("mp")._VERSION:gsub("%p", "%%%0") .. "\tnil", r.out)
  end))

  it("core.so exports luaopen_mp, luaopen_mp_core and nothing else", within(20, function()
    local names = {}
    for name in sh("nm -D --defined-only " .. build .. "/lua/mp/core.so"):gmatch("%x+ %u (%S+)") do
      if not name:match("^__[%l]+san_") and not name:match("^__gcov") then
        names[#names + 1] = name
      end
    end
    table.sort(names)
    assert.same({ "luaopen_mp", "luaopen_mp_core" }, names)
  end))

  it("a prefix serves Lua and C", within(100, function()
    if not plain then
      pending("the consumer is built without the sanitizer's flags")
    end
    sh(("cmake --install %s --prefix %s/prefix"):format(build, root))
    local version <const> = _VERSION:match "%d+%.%d+"
    local lua <const> = ("%s/prefix/share/lua/%s/"):format(root, version)
    local r <const> = helper.run_lua("print(require('mp')._VERSION)", { env = {
      LUA_PATH = lua .. "?.lua;" .. lua .. "?/init.lua",
      LUA_CPATH = ("%s/prefix/lib/lua/%s/?.so"):format(root, version),
    } })
    assert.equal("", r.err)
    assert.equal(require("mp")._VERSION .. "\n", r.out)

    -- The program finds the module beside itself.
    local clean <const> = "env -u LUA_PATH_5_4 -u LUA_CPATH_5_4 LUA_PATH=/x LUA_CPATH=/x "
    assert.equal("4\n9\n", sh(("printf '2\\n3\\n' | %s%s/prefix/bin/mp map 'x * x'")
      :format(clean, root)))
    assert.equal("4\n", sh(("cd %s/prefix && echo 2 | %sbin/mp map 'x * x'"):format(root, clean)))
    assert.equal("4\n", sh(("cd %s/prefix/bin && echo 2 | %s./mp map 'x * x'"):format(root, clean)))
    assert.equal("4\n", sh(("echo 2 | %sbin/mp map 'x * x'"):format(clean)), "in the clone")

    sh(("mkdir %s/user"):format(root))
    for name, text in pairs {
      ["CMakeLists.txt"] = [[
        cmake_minimum_required(VERSION 3.20)
        project(user C)
        find_package(mp REQUIRED)
        add_executable(user user.c)
        target_link_libraries(user mp::mp)]],
      ["user.c"] = [[
        #include <mpr.h>
        #include <stdio.h>
        int main(void)
        {
            printf("%d\n", mpr_cpu_count(1) > 0);
            return mpr_open();
        }]],
    } do
      local file <close> = assert(io.open(root .. "/user/" .. name, "w"))
      file:write(text, "\n")
    end
    sh(("cd %s/user && cmake -G Ninja -B b -D CMAKE_PREFIX_PATH=%s/prefix && ninja -C b")
      :format(root, root))
    assert.equal("1\n", sh(root .. "/user/b/user"))
  end))
end)
