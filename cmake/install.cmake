# What goes where:
#   include/mpr.h mpr_lua.h · lib/libmpr.a · lib/cmake/mp · lib/pkgconfig/mp.pc
#   share/lua/5.4/mp/*.lua · lib/lua/5.4/mp/core.so (or 5.5) · bin/mp
# LuaRocks names its own Lua directories and takes nothing of the C library.

include(CMakePackageConfigHelpers)

if(MP_LUA_MODULE)
  set(MP_INSTALL_LUADIR share/lua/${LUA_VERSION}
      CACHE STRING "Where the Lua half goes")
  set(MP_INSTALL_LUALIBDIR lib/lua/${LUA_VERSION}
      CACHE STRING "Where mp/core.so goes")
  install(TARGETS core LIBRARY DESTINATION ${MP_INSTALL_LUALIBDIR}/mp)
  # The program runs under the Lua that the module is of.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/bin/mp)
  file(READ ${PROJECT_SOURCE_DIR}/bin/mp program)
  string(REPLACE "/usr/bin/env lua5.4" "/usr/bin/env lua${LUA_VERSION}"
         program "${program}")
  file(WRITE ${PROJECT_BINARY_DIR}/bin/mp "${program}")
  install(PROGRAMS ${PROJECT_BINARY_DIR}/bin/mp DESTINATION bin)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/lua/mp
    DESTINATION ${MP_INSTALL_LUADIR} FILES_MATCHING PATTERN "*.lua")
endif()

if(MP_INSTALL_DEV)
  set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mp)
  install(TARGETS mpr EXPORT mp
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  if(MP_LUA_MODULE)
    install(TARGETS mp_lua EXPORT mp
      ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
  install(FILES ${PROJECT_SOURCE_DIR}/runtime/mpr.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(FILES ${PROJECT_SOURCE_DIR}/lua/core/mpr_lua.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} OPTIONAL)
  install(EXPORT mp NAMESPACE mp:: FILE mp-targets.cmake
    DESTINATION ${package_dir})

  configure_package_config_file(
    ${CMAKE_CURRENT_LIST_DIR}/mp-config.cmake.in
    ${PROJECT_BINARY_DIR}/mp-config.cmake
    INSTALL_DESTINATION ${package_dir})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/mp-config-version.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/mp-config.cmake
    ${PROJECT_BINARY_DIR}/mp-config-version.cmake
    DESTINATION ${package_dir})

  # Relative, so that `cmake --install --prefix` and a moved tree stay right.
  file(RELATIVE_PATH pc_to_prefix
    /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  foreach(pc mp mp-lua)
    configure_file(${CMAKE_CURRENT_LIST_DIR}/${pc}.pc.in
      ${PROJECT_BINARY_DIR}/${pc}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${pc}.pc
      DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  endforeach()
endif()
