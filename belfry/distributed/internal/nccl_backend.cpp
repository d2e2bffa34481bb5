#include <dlfcn.h>
#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/distributed/internal/backend.h"

// NCCL's backend is in a library of its own (belfry/distributed/nccl), beside ours, as only machines with
// GPUs can load it.

namespace belfry::internal {

BackendPointer make_nccl_backend(const StorePointer& store, int rank, int world_size,
                                 std::chrono::milliseconds timeout) {
  using Make = void(const StorePointer&, int, int, std::chrono::milliseconds, BackendPointer&);
  static void* const library = dlopen("libbelfry_nccl.so", RTLD_NOW | RTLD_LOCAL);
  static void* const make = library ? dlsym(library, "belfry_make_nccl_backend") : nullptr;
  if (!make) {
    const char* problem = dlerror();
    throw ResourceError(
        fmt::format("[ProcessGroup] expected libbelfry_nccl.so for tensors on GPUs, got: {}. It is built "
                    "where cmake finds "
                    "the "
                    "headers of CUDA and NCCL, and needs LibTorch's libraries for CUDA",
                    problem ? problem : "a library without its function"));
  }
  BackendPointer backend;
  reinterpret_cast<Make*>(make)(store, rank, world_size, timeout, backend);
  return backend;
}

}  // namespace belfry::internal
