#include "belfry/dataflow/internal/indexed_pass.h"

#include <algorithm>
#include <numeric>

namespace belfry::internal {
namespace {

struct IndexedPass {
  std::optional<Datapoint> next() {
    if (done == size) return std::nullopt;
    const int64_t i = done++;
    return at(order.empty() ? i : order[static_cast<size_t>(i)]);
  }
  int64_t skip(int64_t count) {
    count = std::min(count, size - done);
    done += count;
    return count;
  }

  int64_t size;
  std::vector<int64_t> order;  // empty: their own
  std::function<Datapoint(int64_t)> at;
  int64_t done = 0;
};

}  // namespace

DataIterator indexed_pass(int64_t size, std::optional<Rng> rng, std::function<Datapoint(int64_t)> at) {
  std::vector<int64_t> order;
  if (rng) {
    order.resize(static_cast<size_t>(size));
    std::iota(order.begin(), order.end(), 0);
    rng->shuffle(order);
  }
  return DataIterator(IndexedPass{size, std::move(order), std::move(at)});
}

}  // namespace belfry::internal
