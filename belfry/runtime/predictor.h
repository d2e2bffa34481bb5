#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace belfry {

/// A callable that maps input arrays to output arrays in inference mode. Implementations may be called from
/// several threads at the same time unless they say otherwise.
class Predictor {
 public:
  virtual ~Predictor() = default;

  /// One array for each input, one result for each output. Throws UsageError for a wrong number of inputs,
  /// dtype or shape.
  virtual std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs) const = 0;
  /// Shorthand for predictors of one input.
  std::vector<at::Tensor> operator()(const at::Tensor& input) const {
    return (*this)(std::vector<at::Tensor>{input});
  }

  virtual const std::vector<std::string>& input_names() const = 0;
  virtual const std::vector<std::string>& output_names() const = 0;
};

}  // namespace belfry
