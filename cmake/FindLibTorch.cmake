# Finds LibTorch inside a PyPI `torch` wheel, without a CUDA toolkit.
#
# Search order: -DLIBTORCH_ROOT (the folder that holds torch/include and torch/lib, or that folder's torch/),
# the project's own environment (.env/libtorch), the `torch` of the python3 on PATH.
#
# Result: LibTorch_FOUND, LibTorch_VERSION, LIBTORCH_ROOT and the imported target LibTorch::LibTorch (CPU part;
# libtorch_cuda is loaded at run time when a GPU is asked for).

set(LIBTORCH_ROOT "" CACHE PATH "Folder that holds torch/include and torch/lib")

unset(_libtorch_root)
if(LIBTORCH_ROOT)
  set(_libtorch_candidates "${LIBTORCH_ROOT}" "${LIBTORCH_ROOT}/..")
else()
  set(_libtorch_candidates "${CMAKE_CURRENT_LIST_DIR}/../.env/libtorch")
endif()
foreach(_libtorch_candidate IN LISTS _libtorch_candidates)
  if(EXISTS "${_libtorch_candidate}/torch/include/ATen/core/Tensor.h")
    get_filename_component(_libtorch_root "${_libtorch_candidate}" ABSOLUTE)
    break()
  endif()
endforeach()
if(NOT _libtorch_root AND NOT LIBTORCH_ROOT)
  find_program(_libtorch_python3 python3)
  mark_as_advanced(_libtorch_python3)
  if(_libtorch_python3)
    execute_process(
      COMMAND "${_libtorch_python3}" -c
              "import importlib.util as u, os; print(os.path.dirname(os.path.dirname(u.find_spec('torch').origin)))"
      OUTPUT_VARIABLE _libtorch_root OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()

unset(LibTorch_VERSION)
if(_libtorch_root AND EXISTS "${_libtorch_root}/torch/version.py")
  file(STRINGS "${_libtorch_root}/torch/version.py" _libtorch_line REGEX "^__version__")
  string(REGEX REPLACE ".*'([0-9.]+).*" "\\1" LibTorch_VERSION "${_libtorch_line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS _libtorch_root VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "run scripts/setup, or pass -DLIBTORCH_ROOT=<folder that holds torch/>")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  set(_libtorch_lib "${_libtorch_root}/torch/lib")
  set(_libtorch_include "${_libtorch_root}/torch/include")
  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${_libtorch_lib}/libc10.so")
  add_library(LibTorch::LibTorch SHARED IMPORTED)
  # The wheel also carries old headers of protobuf, fmt and oneDNN: as a system folder it is searched last.
  set_target_properties(LibTorch::LibTorch PROPERTIES
    IMPORTED_LOCATION "${_libtorch_lib}/libtorch_cpu.so"
    INTERFACE_COMPILE_OPTIONS "SHELL:-idirafter ${_libtorch_include};SHELL:-idirafter ${_libtorch_include}/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES LibTorch::c10
    IMPORTED_LINK_DEPENDENT_LIBRARIES "${_libtorch_lib}/libc10.so")
endif()
