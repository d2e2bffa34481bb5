# Installs BUILD_DIR into a fresh prefix under WORK_DIR; configures, builds and runs consumer/ against that prefix.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(prefix ${WORK_DIR}/prefix)
set(consumer ${WORK_DIR}/consumer)
file(REMOVE_RECURSE ${prefix} ${consumer})
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix})

file(GLOB_RECURSE private_headers ${prefix}/include/*/internal/*)
if(private_headers)
  message(FATAL_ERROR "private headers were installed: ${private_headers}")
endif()

if(EXISTS ${prefix}/bin/belfry)
  run(${prefix}/bin/belfry --version)
endif()

run(${CMAKE_COMMAND} -G Ninja -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${consumer}
    -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${consumer})
run(${consumer}/consumer)

# The consumer names LibTorch itself; the library alone must find it too.
file(GLOB library ${prefix}/lib*/libbelfry.so)
file(GET_RUNTIME_DEPENDENCIES LIBRARIES ${library} UNRESOLVED_DEPENDENCIES_VAR missing
     RESOLVED_DEPENDENCIES_VAR found CONFLICTING_DEPENDENCIES_PREFIX twice)
if(missing)
  message(FATAL_ERROR "the installed library does not find ${missing}")
endif()
