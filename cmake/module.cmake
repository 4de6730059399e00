# The Lua module: BUILD/lua/mp/core.so, for `require "mp.core"`, and at the
# same time, renamed mp.so, all of `require "mp"`: it carries lua/mp/*.lua.
# It never links liblua: whoever loads it has the symbols already.

include(${CMAKE_CURRENT_LIST_DIR}/lua.cmake)

file(GLOB core_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lua/core/*.c)
file(GLOB_RECURSE lua_half CONFIGURE_DEPENDS
     RELATIVE ${PROJECT_SOURCE_DIR}/lua ${PROJECT_SOURCE_DIR}/lua/mp/*.lua)
list(TRANSFORM lua_half PREPEND ${PROJECT_SOURCE_DIR}/lua/
     OUTPUT_VARIABLE lua_half_files)

set(embedded ${PROJECT_BINARY_DIR}/embedded.c)
string(REPLACE ";" "," lua_half_list "${lua_half}")
add_custom_command(OUTPUT ${embedded}
  COMMAND ${CMAKE_COMMAND}
    -D ROOT=${PROJECT_SOURCE_DIR}/lua -D FILES=${lua_half_list}
    -D OUTPUT=${embedded} -P ${PROJECT_SOURCE_DIR}/tools/embed.cmake
  DEPENDS ${lua_half_files} ${PROJECT_SOURCE_DIR}/tools/embed.cmake
  COMMENT "Embedding lua/mp" VERBATIM)

# For hosts that embed Lua: the same objects as a library, mp::lua.
add_library(mp_lua STATIC ${core_sources} ${embedded})
add_library(mp::lua ALIAS mp_lua)
set_target_properties(mp_lua PROPERTIES
  EXPORT_NAME lua
  POSITION_INDEPENDENT_CODE ON)
target_include_directories(mp_lua
  PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/lua/core>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_include_directories(mp_lua SYSTEM PRIVATE ${LUA_INCLUDE_DIR})
target_link_libraries(mp_lua
  PRIVATE $<BUILD_INTERFACE:mp_flags>
  PUBLIC mpr)

list(FILTER core_sources EXCLUDE REGEX "host_main\\.c$")
add_library(core MODULE ${core_sources} ${embedded})
set_target_properties(core PROPERTIES
  PREFIX ""
  SUFFIX .so
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lua/mp
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
target_include_directories(core
  PRIVATE ${PROJECT_SOURCE_DIR}/runtime ${PROJECT_SOURCE_DIR}/lua/core)
target_include_directories(core SYSTEM PRIVATE ${LUA_INCLUDE_DIR})
target_link_libraries(core PRIVATE mp_flags mpr)

# Calls of Lua's functions go straight to them: the codec makes five of them a
# value and is 4 % faster so.
if(MP_HAVE_NO_PLT)
  target_compile_options(core PRIVATE -fno-plt)
endif()

# The map hides the runtime's own MPR_API names as well: two copies of it in
# one program must not see each other.
# Symbols are bound at load time: bound lazily, every forked child would look up
# again what its parent had not called yet, and copy the pages it is noted in.
target_link_options(core PRIVATE
  LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map
  LINKER:-z,now)
