#pragma once

#include <c10/core/Device.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include <chrono>

// c10d's backends. Each is made in a file of its own, as their headers ask for those of other projects.

namespace belfry::internal {

using BackendPointer = c10::intrusive_ptr<c10d::Backend>;
using StorePointer = c10::intrusive_ptr<c10d::Store>;

/// For tensors on the CPU. Waits for all ranks.
BackendPointer make_gloo_backend(const StorePointer& store, int rank, int world_size,
                                 std::chrono::milliseconds timeout);
/// For tensors on GPUs. Throws ResourceError where LibTorch or this build has no NCCL.
BackendPointer make_nccl_backend(const StorePointer& store, int rank, int world_size,
                                 std::chrono::milliseconds timeout);

}  // namespace belfry::internal
