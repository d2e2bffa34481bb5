#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct LocallyShuffleDataOptions {
  /// How often each datapoint enters the buffer.
  int64_t num_reuse = 1;
  /// The buffer is shuffled each time this many datapoints have come from the source; nullopt: a third of its
  /// size, at least 1. Often is random but slow, seldom the reverse.
  std::optional<int64_t> shuffle_interval = std::nullopt;
  /// True: the pass has no end; it starts the source again and again, and datapoints of different source
  /// passes mix. False: it ends with the source's pass, after what is left in the buffer, in random order;
  /// each datapoint comes exactly `num_reuse` times.
  bool endless = true;
  uint64_t seed = 0;
};

/// Shuffles within a buffer: for sources that are too large or too slow at random places for ShuffleData. A
/// datapoint that enters the full buffer at its end pushes the first one out, which is produced.
class LocallyShuffleData : public ProxyDataFlow {
 public:
  /// Throws UsageError when a number is not positive.
  LocallyShuffleData(AnyDataFlow source, int64_t buffer_size, LocallyShuffleDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  /// nullopt when it is endless.
  std::optional<int64_t> size() const override;

 private:
  int64_t buffer_size_;
  LocallyShuffleDataOptions options_;
};

}  // namespace belfry
