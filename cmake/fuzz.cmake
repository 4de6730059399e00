# The fuzz targets: preset fuzz, clang only. See fuzz/wire_fuzz.c.

find_library(LUA_LIBRARY NAMES lua5.4 lua54 lua5.5 lua REQUIRED
  DOC "A Lua library for programs to link")

add_executable(wire_fuzz fuzz/wire_fuzz.c)
add_executable(codec_fuzz fuzz/codec_fuzz.c)
target_include_directories(codec_fuzz SYSTEM PRIVATE ${LUA_INCLUDE_DIR})
target_link_libraries(wire_fuzz PRIVATE mp_flags mpr)
target_link_libraries(codec_fuzz PRIVATE mp_flags mp_lua ${LUA_LIBRARY})

foreach(target frame_fuzz handshake_fuzz)
  add_executable(${target} fuzz/${target}.c)
  target_include_directories(${target} PRIVATE runtime)
  target_link_libraries(${target} PRIVATE mp_flags mpr)
endforeach()

foreach(target wire_fuzz codec_fuzz frame_fuzz handshake_fuzz)
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
endforeach()
