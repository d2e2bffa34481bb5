#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "belfry/graph/types.h"

namespace belfry {

/// A callable that maps input arrays to output arrays in inference mode. Implementations may be called from
/// several threads at the same time unless they say otherwise.
class Predictor {
 public:
  virtual ~Predictor() = default;

  /// What goes in and what comes out, in the order of the arrays. Names are those by which the predictor was
  /// asked for.
  virtual const std::vector<TensorSpec>& inputs() const = 0;
  virtual const std::vector<TensorSpec>& outputs() const = 0;
  std::vector<std::string> input_names() const { return names_of(inputs()); }
  std::vector<std::string> output_names() const { return names_of(outputs()); }

  /// One array for each input, one result for each output. Throws UsageError for a wrong number of inputs,
  /// dtype or shape.
  virtual std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs) const = 0;
  /// Shorthand for predictors of one input.
  std::vector<at::Tensor> operator()(const at::Tensor& input) const {
    return (*this)(std::vector<at::Tensor>{input});
  }
  /// As a call, but writes the results into the caller's dense CPU tensors. Throws UsageError where one has
  /// another dtype or shape.
  virtual void run_into(const std::vector<at::Tensor>& inputs,
                        const std::vector<at::Tensor>& results) const = 0;

  /// What it does at a call, for people to read.
  virtual std::string describe() const = 0;

 protected:
  static std::vector<std::string> names_of(const std::vector<TensorSpec>& specs);
};

}  // namespace belfry
