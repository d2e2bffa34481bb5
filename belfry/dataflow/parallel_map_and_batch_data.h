#pragma once

#include <functional>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// One component of what MultiThreadMapAndBatchData makes of a datapoint.
struct BatchComponent {
  std::vector<int64_t> shape = {};
  at::ScalarType dtype = at::kFloat;
};

/// Makes one row of a batch of a datapoint: `out[c]`, a view of shape `components[c].shape` into the batch,
/// is to be written completely (`out[0].copy_(…)`, or through its data pointer). It must not write into
/// `datapoint`.
using MapIntoFunction = std::function<void(const Datapoint& datapoint, const Datapoint& out, Rng& rng)>;

struct MultiThreadMapAndBatchDataOptions {
  int64_t num_thread = 1;
  int64_t batch_size = 1;
  /// What the function makes of each datapoint.
  std::vector<BatchComponent> components = {};
  /// Whether datapoints that are left over at the end of a pass make a smaller last batch, or are dropped.
  bool remainder = false;
  /// At most this many datapoints are being mapped or wait for their batch to be complete.
  int64_t buffer_size = 200;
  /// As in BatchDataOptions.
  bool pinned = false;
  /// For the function's Rng, which depends on seed, pass and index of the datapoint, as in MapData.
  uint64_t seed = 0;
};

/// BatchData of MultiThreadMapData without the copy between: the function, which runs in several threads,
/// writes its results where they belong in the batch. Produces the same batches for any number of threads. It
/// cannot drop datapoints.
///
/// Threads, exceptions, stopping early: as MultiThreadMapData.
class MultiThreadMapAndBatchData : public ProxyDataFlow {
 public:
  /// Throws UsageError when `function` or the list of components is empty, a number is not positive, a shape
  /// is negative, pinned memory is not to be had, or no batch would ever come (as in BatchData).
  MultiThreadMapAndBatchData(AnyDataFlow source, MapIntoFunction function,
                             MultiThreadMapAndBatchDataOptions options);
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override;

 private:
  std::shared_ptr<const MapIntoFunction> function_;
  MultiThreadMapAndBatchDataOptions options_;
};

}  // namespace belfry
