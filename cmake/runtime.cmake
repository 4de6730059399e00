# The runtime: one static library without any Lua in it.
# Position-independent, because mp/core.so is linked from it.

include(CheckCCompilerFlag)

file(GLOB_RECURSE runtime_sources CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/runtime/*.c)
list(FILTER runtime_sources EXCLUDE REGEX "_test\\.c$")

add_library(mpr STATIC ${runtime_sources})
add_library(mp::mp ALIAS mpr)
set_target_properties(mpr PROPERTIES
  EXPORT_NAME mp
  POSITION_INDEPENDENT_CODE ON)
target_include_directories(mpr PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(mpr
  PRIVATE $<BUILD_INTERFACE:mp_flags>
  PUBLIC Threads::Threads)

# Runs of numbers are copied by vectors of them, which -O2 does not make.
set_source_files_properties(${PROJECT_SOURCE_DIR}/runtime/ipc/wire.c PROPERTIES
  COMPILE_OPTIONS "$<$<CONFIG:RelWithDebInfo,Release>:-O3>")

# Without jump tables for calls into the C library: a page of them would be one
# more that a forked child faults in.
check_c_compiler_flag(-fno-plt MP_HAVE_NO_PLT)
if(MP_HAVE_NO_PLT)
  target_compile_options(mpr PRIVATE -fno-plt)
endif()

# Keys for sockets need libsodium, which is loaded when the first one is used;
# without it they are refused with a word.
option(MP_SODIUM "Use libsodium, where it is found, for keys on sockets" ON)
if(MP_SODIUM)
  find_path(SODIUM_INCLUDE_DIR sodium.h)
  find_library(SODIUM_LIBRARY sodium)
  if(SODIUM_INCLUDE_DIR AND SODIUM_LIBRARY)
    file(REAL_PATH ${SODIUM_LIBRARY} sodium_file)
    get_filename_component(sodium_name ${sodium_file} NAME)
    # Named as its dependents name it: libsodium.so.23, of libsodium.so.23.3.0.
    string(REGEX MATCH "^.*\\.so\\.[0-9]+" sodium_soname ${sodium_name})
    if(NOT sodium_soname)
      set(sodium_soname ${sodium_name})
    endif()
    target_compile_definitions(mpr PRIVATE MPR_SODIUM="${sodium_soname}")
    target_include_directories(mpr SYSTEM PRIVATE ${SODIUM_INCLUDE_DIR})
    target_link_libraries(mpr PRIVATE ${CMAKE_DL_LIBS})
    message(STATUS "libsodium: ${sodium_soname}")
  else()
    message(STATUS "libsodium: not found, no keys on sockets")
  endif()
endif()
