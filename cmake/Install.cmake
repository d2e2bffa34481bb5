# cmake --install: the library, its public headers, and what find_package(Belfry) reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

get_target_property(_libtorch LibTorch::LibTorch IMPORTED_LOCATION)
cmake_path(GET _libtorch PARENT_PATH _libtorch_folder)
cmake_path(SET LibTorch_ROOT_DIR NORMALIZE "${_libtorch_folder}/../..")

# LibTorch is no system library. INSTALL_RPATH_USE_LINK_PATH would leave out a folder inside the project, as .env is.
set_target_properties(belfry PROPERTIES INSTALL_RPATH ${_libtorch_folder})
install(TARGETS belfry EXPORT BelfryTargets FILE_SET HEADERS)
if(TARGET belfry_nccl)
  set_target_properties(belfry_nccl PROPERTIES INSTALL_RPATH "$ORIGIN;${_libtorch_folder}")
  install(TARGETS belfry_nccl LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET belfry_data)
  set_target_properties(belfry_data PROPERTIES INSTALL_RPATH "$ORIGIN;${_libtorch_folder}")
  install(TARGETS belfry_data EXPORT BelfryTargets FILE_SET HEADERS)
endif()
if(TARGET belfry_program)
  set_target_properties(belfry_program PROPERTIES
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};${_libtorch_folder}")
  install(TARGETS belfry_program)
endif()

set(_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Belfry)
configure_package_config_file(cmake/BelfryConfig.cmake.in ${PROJECT_BINARY_DIR}/BelfryConfig.cmake
  INSTALL_DESTINATION ${_package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/BelfryConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT BelfryTargets NAMESPACE Belfry:: DESTINATION ${_package_folder})
install(FILES ${PROJECT_BINARY_DIR}/BelfryConfig.cmake ${PROJECT_BINARY_DIR}/BelfryConfigVersion.cmake
  cmake/FindLibTorch.cmake DESTINATION ${_package_folder})
