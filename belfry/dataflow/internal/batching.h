#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace belfry::internal {

/// How a pass is divided into batches.
struct Batching {
  int64_t batch_size;
  bool remainder;  // whether what is left over at the end makes a smaller batch

  int64_t batches_in(int64_t datapoints) const {
    return datapoints / batch_size + (remainder && datapoints % batch_size != 0);
  }
  std::optional<int64_t> batches_in(std::optional<int64_t> datapoints) const {
    return datapoints ? std::optional(batches_in(*datapoints)) : std::nullopt;
  }

  /// As DataIterator::skip, for the batches of `source`, which stands at the beginning of one.
  template <typename Source>
  int64_t skip(Source& source, int64_t batches) const {
    const int64_t most = std::numeric_limits<int64_t>::max() / batch_size;
    return batches_in(source.skip(std::min(batches, most) * batch_size));
  }
};

}  // namespace belfry::internal
