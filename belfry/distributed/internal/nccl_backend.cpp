#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "belfry/base/error.h"
#include "belfry/distributed/internal/backend.h"

// NCCL's backend is in a library of its own (belfry/distributed/nccl), beside ours, as only machines with
// GPUs can load it.

namespace belfry::internal {
namespace {

using Make = void(const StorePointer&, int, int, std::chrono::milliseconds, BackendPointer&);

constexpr char kLibrary[] = "libbelfry_nccl.so";

/// Beside the library that this function is in.
std::string path_of_library() {
  Dl_info here{};
  if (!dladdr(reinterpret_cast<const void*>(&path_of_library), &here) || !here.dli_fname) return kLibrary;
  return std::filesystem::path(here.dli_fname).parent_path() / kLibrary;
}

Make* load() {
  void* library = dlopen(path_of_library().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  void* const make = library ? dlsym(library, "belfry_make_nccl_backend") : nullptr;
  if (make) return reinterpret_cast<Make*>(make);
  const char* problem = dlerror();
  throw ResourceError(fmt::format(
      "[ProcessGroup] expected {} for tensors on GPUs, got: {}. It is built where cmake finds the headers of "
      "CUDA and NCCL, and needs LibTorch's libraries for CUDA",
      kLibrary, problem ? problem : "a library without its function"));
}

}  // namespace

BackendPointer make_nccl_backend(const StorePointer& store, int rank, int world_size,
                                 std::chrono::milliseconds timeout) {
  static Make* const make = load();
  BackendPointer backend;
  make(store, rank, world_size, timeout, backend);
  return backend;
}

}  // namespace belfry::internal
