# Lua's headers, 5.4 or later: -D LUA_INCLUDE_DIR=DIR, or where systems keep
# them. Not FindLua: it insists on liblua, which a module must not link, and
# CMake 3.25's knows no version after 5.4.

find_path(LUA_INCLUDE_DIR lua.h
  PATH_SUFFIXES lua5.4 lua54 lua-5.4 lua5.5 lua55 lua-5.5 lua
  DOC "Directory of lua.h")
if(NOT LUA_INCLUDE_DIR)
  message(FATAL_ERROR
    "lua.h not found: install liblua5.4-dev or set LUA_INCLUDE_DIR")
endif()

# `#define LUA_VERSION_MINOR "4"` in 5.4, `#define LUA_VERSION_MINOR_N 5` later.
file(STRINGS ${LUA_INCLUDE_DIR}/lua.h lua_version
     REGEX "^#define[ \t]+LUA_VERSION_(MAJOR|MINOR)(_N)?[ \t]+\"?[0-9]")
string(REGEX REPLACE "[^;]*(MAJOR|MINOR)(_N)?[^0-9;]+([0-9]+)[^;]*" "\\3"
       lua_version "${lua_version}")
string(REPLACE ";" "." LUA_VERSION "${lua_version}")
if(NOT LUA_VERSION MATCHES "^[0-9]+\\.[0-9]+$" OR LUA_VERSION VERSION_LESS 5.4)
  message(FATAL_ERROR
    "${LUA_INCLUDE_DIR}/lua.h is Lua ${LUA_VERSION}, but mp needs 5.4 or later")
endif()
message(STATUS "Lua ${LUA_VERSION}: ${LUA_INCLUDE_DIR}")
