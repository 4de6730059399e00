# The fuzz targets: preset fuzz, clang only. See fuzz/wire_fuzz.c.

include(${CMAKE_CURRENT_LIST_DIR}/lua.cmake)
find_library(LUA_LIBRARY NAMES lua5.4 lua54 lua5.5 lua REQUIRED
  DOC "A Lua library for programs to link")

add_executable(wire_fuzz fuzz/wire_fuzz.c)
target_link_libraries(wire_fuzz PRIVATE mp_flags mpr)

# The binding itself, without the door that embeds the Lua half.
file(GLOB fuzz_core CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lua/core/*.c)
list(FILTER fuzz_core EXCLUDE REGEX "/open\\.c$")
add_executable(codec_fuzz fuzz/codec_fuzz.c ${fuzz_core})
target_include_directories(codec_fuzz PRIVATE ${PROJECT_SOURCE_DIR}/lua/core)
target_include_directories(codec_fuzz SYSTEM PRIVATE ${LUA_INCLUDE_DIR})
target_link_libraries(codec_fuzz PRIVATE mp_flags mpr ${LUA_LIBRARY})

foreach(target wire_fuzz codec_fuzz)
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
endforeach()
