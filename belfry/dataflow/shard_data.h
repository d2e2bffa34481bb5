#pragma once

#include <cstdint>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct ShardDataOptions {
  int64_t shard = 0;      ///< which, from 0
  int64_t num_shard = 1;  ///< how many there are
};

/// Every `num_shard`-th datapoint of its source, beginning with number `shard`: the shards of one pass are
/// disjoint, together they are the pass, and their sizes differ by one at most. That holds between processes
/// too, where the passes of the source depend on its seeds alone. What the others have is stepped over with
/// DataIterator::skip: put it behind maps and batches, which do not work for them then, or in front of what
/// cannot skip.
class ShardData : public ProxyDataFlow {
 public:
  /// Throws UsageError unless 0 <= shard < num_shard.
  ShardData(AnyDataFlow source, ShardDataOptions options);
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override;

 private:
  ShardDataOptions options_;
};

}  // namespace belfry
