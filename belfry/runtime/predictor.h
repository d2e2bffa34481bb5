#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "belfry/runtime/session.h"

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

/// Predicts with a live session: in training, it always sees the current values of the variables.
class OnlinePredictor : public Predictor {
 public:
  /// `inputs` are fed, `outputs` fetched. Names are those of the tensors unless given.
  OnlinePredictor(Session& session, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                  std::vector<std::string> input_names = {}, std::vector<std::string> output_names = {});

  using Predictor::operator();
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs) const override;
  const std::vector<std::string>& input_names() const override { return input_names_; }
  const std::vector<std::string>& output_names() const override { return output_names_; }

 private:
  Callable callable_;
  std::vector<std::string> input_names_, output_names_;
};

}  // namespace belfry
