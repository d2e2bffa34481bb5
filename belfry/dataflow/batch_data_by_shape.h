#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct BatchDataByShapeOptions {
  /// Whether datapoints that are left over at the end of a pass make smaller batches, in the order in which
  /// their shapes first came, or are dropped.
  bool remainder = false;
  /// As in BatchDataOptions.
  bool pinned = false;
};

/// BatchData for datapoints of different shapes: each batch consists of `batch_size` datapoints whose
/// component `index` has the same shape, and comes when they are together. Datapoints of rare shapes may
/// never make a batch; until the pass ends they are held.
///
/// Throws DataError when a datapoint has no component `index`, or datapoints of one batch differ otherwise.
class BatchDataByShape : public ProxyDataFlow {
 public:
  /// Throws UsageError when `batch_size` is not positive or `index` negative.
  BatchDataByShape(AnyDataFlow source, int64_t batch_size, int64_t index,
                   BatchDataByShapeOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  /// nullopt: it depends on the shapes.
  std::optional<int64_t> size() const override { return std::nullopt; }

 private:
  int64_t batch_size_, index_;
  BatchDataByShapeOptions options_;
};

}  // namespace belfry
