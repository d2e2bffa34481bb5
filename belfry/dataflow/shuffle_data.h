#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct ShuffleDataOptions {
  /// Passes with the same seed, number and source have the same order.
  uint64_t seed = 0;
};

/// Produces each pass of its source in a random order, a different one in each pass. It reads the source's
/// whole pass before its first datapoint and holds it, so the source must be finite and fit in memory
/// (datasets in memory share theirs: only handles are held).
class ShuffleData : public ProxyDataFlow {
 public:
  explicit ShuffleData(AnyDataFlow source, ShuffleDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;

 private:
  ShuffleDataOptions options_;
};

}  // namespace belfry
