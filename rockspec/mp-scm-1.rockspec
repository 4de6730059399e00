rockspec_format = "3.0"
package = "mp"
version = "scm-1"
source = {
  url = "git+file://.",
}
description = {
  summary = "Lua states on every core, over shared memory",
  detailed = [[
Processes, pipes, queues, locks, shared values and a pool for Lua 5.4: what
Python's multiprocessing gives Python. Whatever process is killed at whatever
moment, nobody else hangs, sees half a value, or leaks.]],
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = {
  "lua >= 5.4",
}
build = {
  type = "cmake",
  variables = {
    CMAKE_BUILD_TYPE = "RelWithDebInfo",
    CMAKE_INSTALL_PREFIX = "$(PREFIX)",
    LUA_INCLUDE_DIR = "$(LUA_INCDIR)",
    MP_INSTALL_LUADIR = "$(LUADIR)",
    MP_INSTALL_LUALIBDIR = "$(LIBDIR)",
    MP_INSTALL_DEV = "OFF",
    MP_TESTS = "OFF",
  },
}
test = {
  type = "command",
  command = "./dev test",
}
