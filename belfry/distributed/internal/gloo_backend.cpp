// LibTorch has Gloo inside, but not the headers of Gloo that its own include; they come from Debian's
// libgloo-dev. Only pointers to their types occur, and nothing of that package is linked.
#define USE_C10D_GLOO

#include "belfry/distributed/internal/backend.h"

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

namespace belfry::internal {

BackendPointer make_gloo_backend(const StorePointer& store, int rank, int world_size,
                                 std::chrono::milliseconds timeout) {
  auto options = c10d::ProcessGroupGloo::Options::create_default(timeout);  // reads GLOO_SOCKET_IFNAME
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, world_size, std::move(options));
}

}  // namespace belfry::internal
