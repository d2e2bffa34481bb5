#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct BatchDataOptions {
  /// Whether datapoints that are left over at the end of a pass make a smaller last batch, or are dropped.
  bool remainder = false;
  /// Whether batches are made in page-locked memory, from which copies to a GPU are faster and can run beside
  /// the computation. Throws UsageError without CUDA.
  bool pinned = false;
  /// Whether a component of a batch is a list (make_list) of what the datapoints have there, as it is:
  /// tensors of different shapes, text, objects.
  bool use_list = false;
};

/// Stacks each `batch_size` datapoints into one: a component of shape [H, W, C] becomes [N, H, W, C] in new
/// memory, scalars become [N]. Each datapoint is copied to its place as soon as it comes.
///
/// Components with names stay so; they are found by name where the order differs. Throws DataError, naming
/// the component, when the datapoints of a batch differ in number or names of components, or, but for lists,
/// a component differs in shape or dtype or is no tensor.
class BatchData : public ProxyDataFlow {
 public:
  /// Throws UsageError when `batch_size` is not positive, and, where the source's size is known and there is
  /// no remainder, when it is greater than that size: no batch would ever come. Where that size is 0 it is a
  /// DataError.
  BatchData(AnyDataFlow source, int64_t batch_size, BatchDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override;

 private:
  int64_t batch_size_;
  BatchDataOptions options_;
};

}  // namespace belfry
