# cmake --install: the library, its public headers, and what find_package(Belfry) reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# The folder of LibTorch goes into the run path: it is not a system library.
set_target_properties(belfry PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS belfry EXPORT BelfryTargets FILE_SET HEADERS)

set(_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Belfry)
get_target_property(_libtorch LibTorch::LibTorch IMPORTED_LOCATION)
cmake_path(SET LibTorch_ROOT_DIR NORMALIZE "${_libtorch}/../../..")
configure_package_config_file(cmake/BelfryConfig.cmake.in ${PROJECT_BINARY_DIR}/BelfryConfig.cmake
  INSTALL_DESTINATION ${_package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/BelfryConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT BelfryTargets NAMESPACE Belfry:: DESTINATION ${_package_folder})
install(FILES ${PROJECT_BINARY_DIR}/BelfryConfig.cmake ${PROJECT_BINARY_DIR}/BelfryConfigVersion.cmake
  cmake/FindLibTorch.cmake DESTINATION ${_package_folder})
