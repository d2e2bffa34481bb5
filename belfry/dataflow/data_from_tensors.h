#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct DataFromTensorsOptions {
  /// Whether each pass is in a new random order; otherwise it is in that of the rows.
  bool shuffle = false;
  uint64_t seed = 0;
};

/// Produces the rows of tensors that share their first dimension: datapoint i is {t[i] for each tensor t}, as
/// views.
class DataFromTensors : public DataFlow {
 public:
  /// Throws UsageError when there is no tensor, or one is a scalar or has another number of rows than the
  /// first.
  explicit DataFromTensors(std::vector<at::Tensor> tensors, DataFromTensorsOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return tensors_[0].size(0); }

  /// The rows [begin, end) as a dataflow of the same options; shares memory. Throws UsageError unless 0 <=
  /// begin <= end <= size().
  DataFromTensors slice(int64_t begin, int64_t end) const;

  const std::vector<at::Tensor>& tensors() const { return tensors_; }

 private:
  std::vector<at::Tensor> tensors_;
  DataFromTensorsOptions options_;
};

}  // namespace belfry
