# What ./dev bench compares with: bench/floor/NAME.c is a program, the least
# that the kernel allows; bench/floor/lua_NAME.c a Lua module, the least that a
# C function called from Lua allows. All land in BUILD/bench.

file(GLOB floor_sources CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/bench/floor/*.c)

add_custom_target(bench_floor)
foreach(source IN LISTS floor_sources)
  get_filename_component(name ${source} NAME_WE)
  set(target floor_${name})
  if(name MATCHES "^lua_")
    if(NOT MP_LUA_MODULE)
      continue()
    endif()
    add_library(${target} MODULE ${source})
    target_include_directories(${target} SYSTEM PRIVATE ${LUA_INCLUDE_DIR})
    set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX .so
      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
  else()
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
  endif()
  target_link_libraries(${target} PRIVATE mp_flags Threads::Threads)
  add_dependencies(bench_floor ${target})
endforeach()
