#pragma once

namespace belfry::internal {

/// While the guard lives, CPU tensors made in this thread take their memory from blocks that earlier tensors
/// of such guards gave back, rather than from the system: a large block fresh from the system costs a page
/// fault for every 4 KiB, each step anew. Tensors may outlive the guard and be freed in any thread.
///
/// At most as many bytes wait for reuse as were ever in use at once.
class ReuseMemory {
 public:
  ReuseMemory();
  ~ReuseMemory();
  ReuseMemory(const ReuseMemory&) = delete;
  ReuseMemory& operator=(const ReuseMemory&) = delete;

 private:
  bool outer_;
};

}  // namespace belfry::internal
