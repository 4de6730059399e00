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
