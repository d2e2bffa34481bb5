// The library belfry_nccl, which libbelfry loads when the first tensor on a GPU is reduced: NCCL's backend
// lies in libtorch_cuda, which a machine without GPUs cannot load. Built where CUDA's and NCCL's headers are
// found.
#define USE_C10D_NCCL

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "belfry/distributed/internal/backend.h"

/// Puts a new backend into `result`. Throws what c10d does.
extern "C" __attribute__((visibility("default"))) void belfry_make_nccl_backend(
    const belfry::internal::StorePointer& store, int rank, int world_size, std::chrono::milliseconds timeout,
    belfry::internal::BackendPointer& result) {
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
  result = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, world_size, std::move(options));
}
