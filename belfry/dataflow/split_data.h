#pragma once

#include <cstdint>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct SplitDataOptions {
  int64_t part = 0;      ///< which, from 0
  int64_t num_part = 1;  ///< how many there are
};

/// Every `num_part`-th datapoint of its source, beginning with number `part`: the parts of one pass are
/// disjoint, together they are the pass, and their sizes differ by one at most. That holds between processes
/// too, where the passes of the source depend on its seeds alone. What the others have is stepped over with
/// DataIterator::skip: put it behind maps and batches, which do not work for them then, or in front of what
/// cannot skip.
class SplitData : public ProxyDataFlow {
 public:
  /// Throws UsageError unless 0 <= part < num_part.
  SplitData(AnyDataFlow source, SplitDataOptions options);
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override;

 private:
  SplitDataOptions options_;
};

}  // namespace belfry
