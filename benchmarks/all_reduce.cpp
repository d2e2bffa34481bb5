// How long a reduction over all processes takes, by its size: what docs/scaling.md fits its model to.
//
// usage, for each of N processes: torchrun --nproc-per-node N --no-python all_reduce     (or mpirun -np N
// all_reduce)
//
// Rank 0 prints, for each size, the median time in ms of 41 reductions of float32, and the bytes that a
// process sends in a second.

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <vector>

#include "belfry/distributed/process_group.h"

int main() try {
  using Clock = std::chrono::steady_clock;
  belfry::ProcessGroup& group = belfry::process_group();
  const int size = group.world_size();
  if (group.rank() == 0) fmt::print("{} processes\n{:>12}{:>12}{:>12}\n", size, "bytes", "ms", "GB/s sent");
  for (int64_t count = 1; count <= 1 << 25; count *= 8) {
    const at::Tensor values = at::full({count}, 1.0F);
    std::vector<double> times;
    for (int i = 0; i < 41; ++i) {
      group.barrier();
      const auto start = Clock::now();
      group.start_all_reduce(values)();
      times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
    std::nth_element(times.begin(), times.begin() + 20, times.end());
    const double bytes = static_cast<double>(values.nbytes());
    const double sent = 2.0 * (size - 1) / size * bytes;
    if (group.rank() == 0) fmt::print("{:>12}{:>12.3f}{:>12.3f}\n", bytes, times[20], sent / times[20] / 1e6);
  }
  group.barrier();
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
