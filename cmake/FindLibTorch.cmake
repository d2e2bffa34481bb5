# Finds LibTorch inside a PyPI `torch` wheel, without a CUDA toolkit.
#
# Search order: -DLIBTORCH_ROOT (the folder that holds torch/include and torch/lib, or that folder's torch/),
# the project's own environment (.env/libtorch), the `torch` of the python3 on PATH.
#
# Result: LibTorch_FOUND, LibTorch_VERSION, LIBTORCH_ROOT and the imported target LibTorch::LibTorch (CPU part;
# libtorch_cuda is loaded at run time when a GPU is asked for).

set(LIBTORCH_ROOT "" CACHE PATH "Folder that holds torch/include and torch/lib")

set(_candidates "${LIBTORCH_ROOT}" "${LIBTORCH_ROOT}/.." "${CMAKE_CURRENT_LIST_DIR}/../.env/libtorch")
if(NOT LIBTORCH_ROOT)
  list(REMOVE_ITEM _candidates "" "/..")
endif()
foreach(_candidate IN LISTS _candidates)
  if(_candidate AND EXISTS "${_candidate}/torch/include/ATen/core/Tensor.h")
    get_filename_component(_root "${_candidate}" ABSOLUTE)
    break()
  endif()
endforeach()
if(NOT _root)
  find_program(_python3 python3)
  if(_python3)
    execute_process(
      COMMAND "${_python3}" -c
              "import importlib.util as u, os; print(os.path.dirname(os.path.dirname(u.find_spec('torch').origin)))"
      OUTPUT_VARIABLE _root OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()

if(_root AND EXISTS "${_root}/torch/version.py")
  file(STRINGS "${_root}/torch/version.py" _line REGEX "^__version__")
  string(REGEX REPLACE ".*'([0-9.]+).*" "\\1" LibTorch_VERSION "${_line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS _root VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "run scripts/setup, or pass -DLIBTORCH_ROOT=<folder that holds torch/>")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  set(_lib "${_root}/torch/lib")
  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${_lib}/libc10.so")
  add_library(LibTorch::LibTorch SHARED IMPORTED)
  # The wheel also carries old headers of protobuf, fmt and oneDNN: as a system folder it is searched last.
  set_target_properties(LibTorch::LibTorch PROPERTIES
    IMPORTED_LOCATION "${_lib}/libtorch_cpu.so"
    INTERFACE_COMPILE_OPTIONS "SHELL:-idirafter ${_root}/torch/include;SHELL:-idirafter ${_root}/torch/include/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES LibTorch::c10
    IMPORTED_LINK_DEPENDENT_LIBRARIES "${_lib}/libc10.so")
endif()
