# The runtime: one static library without any Lua in it.
# Position-independent, because mp/core.so is linked from it.

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

# Keys for sockets need libsodium; without it they are refused with a word.
option(MP_SODIUM "Use libsodium, where it is found, for keys on sockets" ON)
if(MP_SODIUM)
  find_path(SODIUM_INCLUDE_DIR sodium.h)
  find_library(SODIUM_LIBRARY sodium)
  if(SODIUM_INCLUDE_DIR AND SODIUM_LIBRARY)
    target_compile_definitions(mpr PRIVATE MPR_HAVE_SODIUM)
    target_include_directories(mpr SYSTEM PRIVATE ${SODIUM_INCLUDE_DIR})
    target_link_libraries(mpr PUBLIC $<BUILD_INTERFACE:${SODIUM_LIBRARY}>
      $<INSTALL_INTERFACE:sodium>)
    set(MP_SODIUM_LIBS " -lsodium")
    message(STATUS "libsodium: ${SODIUM_LIBRARY}")
  else()
    message(STATUS "libsodium: not found, no keys on sockets")
  endif()
endif()
