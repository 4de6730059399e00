# The C test of runtime/sync/lock.c is runtime/sync/lock_test.c: a program of
# its own, passed when main returns 0. A test that needs more than
# MP_TEST_TIMEOUT says so in a comment: `time limit: 300 s`.

file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/runtime/*_test.c)

foreach(source IN LISTS test_sources)
  file(RELATIVE_PATH test ${PROJECT_SOURCE_DIR}/runtime ${source})
  string(REGEX REPLACE "\\.c$" "" test ${test})
  string(REPLACE "/" "_" target ${test})

  add_executable(${target} ${source})
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_link_libraries(${target} PRIVATE mp_flags mpr)
  # A test that uses assert() means it, whatever the build type.
  target_compile_options(${target} PRIVATE -UNDEBUG)

  set(limit ${MP_TEST_TIMEOUT})
  file(STRINGS ${source} own REGEX "time limit: [0-9]+ s" LIMIT_COUNT 1)
  if(own MATCHES "time limit: ([0-9]+) s" AND CMAKE_MATCH_1 GREATER limit)
    set(limit ${CMAKE_MATCH_1})
  endif()
  add_test(NAME ${test} COMMAND ${target})
  set_tests_properties(${test} PROPERTIES TIMEOUT ${limit})
endforeach()

set(test_targets ${test_sources})
list(TRANSFORM test_targets REPLACE "^${PROJECT_SOURCE_DIR}/runtime/" "")
list(TRANSFORM test_targets REPLACE "\\.c$" "")
list(TRANSFORM test_targets REPLACE "/" "_")

# What fuzzing found once, tried again without it: fuzz/corpus/X are inputs of
# fuzz/X_fuzz.c.
foreach(name frame handshake)
  file(GLOB inputs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name}/*)
  add_executable(${name}_replay fuzz/${name}_fuzz.c fuzz/replay.c)
  set_target_properties(${name}_replay PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_include_directories(${name}_replay PRIVATE runtime)
  target_link_libraries(${name}_replay PRIVATE mp_flags mpr)
  add_test(NAME fuzz/${name} COMMAND ${name}_replay ${inputs})
  set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT ${MP_TEST_TIMEOUT})
  list(APPEND test_targets ${name}_replay)
endforeach()

# Whoever wants the tests only: ninja tests.
add_custom_target(tests DEPENDS ${test_targets})

# A malloc that fails on order: spec/shortage_spec.lua.
if(MP_LUA_MODULE AND NOT MP_SANITIZE)
  add_library(shortage MODULE ${PROJECT_SOURCE_DIR}/tools/test/shortage.c)
  set_target_properties(shortage PROPERTIES
    PREFIX ""
    SUFFIX .so
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_include_directories(shortage SYSTEM PRIVATE ${LUA_INCLUDE_DIR})
  target_link_libraries(shortage PRIVATE mp_flags ${CMAKE_DL_LIBS})
  # The compiler knows what malloc does, but not this one.
  target_compile_options(shortage PRIVATE -fno-builtin)
endif()

# What MP_GC=stress ./dev test forces Lua's collector with.
if(MP_LUA_MODULE)
  add_library(collector MODULE ${PROJECT_SOURCE_DIR}/tools/test/collector.c)
  target_include_directories(collector SYSTEM PRIVATE ${LUA_INCLUDE_DIR})
  set_target_properties(collector PROPERTIES PREFIX "" SUFFIX .so
    C_VISIBILITY_PRESET default
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_link_libraries(collector PRIVATE mp_flags ${CMAKE_DL_LIBS})
  # Lua frees its last memory by it, behind the end of all modules.
  target_link_options(collector PRIVATE LINKER:-z,nodelete)
endif()
