#include "belfry/program/batch_split.h"

#include <algorithm>

namespace belfry::internal {

int64_t samples_at_once(const BatchSplit& split, int64_t weight_bytes, int64_t batch, int64_t threads,
                        int64_t cache_bytes) {
  auto divide = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  int64_t part = batch;
  // A quarter of the cache is best where one sample takes less than that.
  const int64_t fitting =
      split.working_set <= cache_bytes
          ? std::max<int64_t>(cache_bytes / 4 / std::max<int64_t>(split.working_set, 1), 1)
          : 0;
  // Bytes from beyond the cache for each sample: values, whose memory is read to be written, written, and
  // read again; or the weights once more for each part.
  if (fitting > 0 && fitting < batch && weight_bytes / fitting < 3 * split.values + weight_bytes / batch)
    part = fitting;
  part = std::min(part, divide(batch, threads));
  const int64_t parts = divide(divide(batch, part), threads) * threads;  // as many for each thread
  return divide(batch, std::min(parts, batch));
}

}  // namespace belfry::internal
