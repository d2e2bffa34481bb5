#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "belfry/graph/types.h"

namespace belfry::internal {

/// Knows how many samples a batch has: the first dimension of the inputs that are batches. Those are the
/// input that is named, else those whose first dimension is dynamic, else all that have one, if theirs is the
/// same. Where there is none, or those of the first batch of an evaluation disagree, each batch counts as one
/// sample, with a warning.
class SampleCounter {
 public:
  /// `who` begins messages; `batch_input` names an input, or is "". Logs the choice. Throws UsageError for a
  /// batch_input that is no input with a first dimension.
  SampleCounter(std::string who, std::string batch_input, const std::vector<TensorSpec>& signature);

  /// Names of the inputs whose first dimensions count() wants.
  const std::vector<std::string>& inputs() const { return inputs_; }
  /// An evaluation begins.
  void start() { counted_ = 0; }
  /// The number of samples in the next batch, of which `sizes` are the first dimensions of inputs(). Throws
  /// UsageError where they disagree, those of the first batch did not.
  int64_t count(const std::vector<int64_t>& sizes);

 private:
  std::string who_;
  std::vector<std::string> inputs_;
  int64_t counted_ = 0;  ///< batches of this evaluation
  bool counts_batches_ = false, warned_ = false;
};

}  // namespace belfry::internal
