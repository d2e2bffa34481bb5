#pragma once

#include <functional>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry {

/// A variable with the gradient of a loss by it, which is none where the loss does not depend on it.
struct GradientAndVariable {
  Tensor gradient = {};
  Variable variable = {};
};
using GradientsAndVariables = std::vector<GradientAndVariable>;

/// A learning rate: a number, or a scalar tensor, usually a variable that callbacks set:
///
///     Variable rate = get_variable("learning_rate", {}, {.initializer = constant_initializer(0.1),
///                                                        .trainable = false});
class LearningRate {
 public:
  LearningRate(double value) : value_(value) {}
  /// Throws UsageError for what is not a floating-point scalar.
  LearningRate(const Tensor& tensor);
  LearningRate(const Variable& variable) : LearningRate(variable.defined() ? variable.tensor() : Tensor()) {}

  /// The scalar; a number becomes a float32 constant `name` of the default graph.
  Tensor tensor(const std::string& name) const;

 private:
  double value_ = 0;
  Tensor tensor_;
};

/// Adds the nodes that update variables by their gradients, in the shape of tf.train.Optimizer.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// The gradients of `loss`, a scalar, by `variables`; empty: by all trainable variables of its graph.
  virtual GradientsAndVariables compute_gradients(const Tensor& loss,
                                                  const std::vector<Variable>& variables = {});

  using Combine = std::function<GradientsAndVariables(const GradientsAndVariables&)>;
  struct ApplyOptions {
    Variable global_step = {};  ///< incremented after the update, if given
    std::string name = {};      ///< of the operation; "": the optimizer's
    /// What gradients go through once before they are processed and applied, such as their reduction over
    /// processes. Sums of several steps do so as sums.
    Combine combine = {};
  };
  /// One operation that updates all variables that have a gradient. Its slots are created now, at the root
  /// whatever scopes are open, on the devices of their variables and named after them ("conv0/W/Momentum").
  /// Throws UsageError when no variable has a gradient.
  virtual Tensor apply_gradients(const GradientsAndVariables& gradients, const ApplyOptions& options) = 0;
  Tensor apply_gradients(const GradientsAndVariables& gradients) { return apply_gradients(gradients, {}); }

  /// compute_gradients, then apply_gradients.
  Tensor minimize(const Tensor& loss, const std::vector<Variable>& variables, const ApplyOptions& options);
  Tensor minimize(const Tensor& loss) { return minimize(loss, {}, {}); }

  /// The names of its slots, the tensors that it keeps for each variable it updates.
  virtual std::vector<std::string> slot_names() const { return {}; }
  /// The slot of that name ("momentum"; Adam has "m" and "v") that was made for `variable`; not defined when
  /// there is none.
  virtual Variable slot(const Variable& variable, const std::string& name) const;

  /// TensorFlow's name: "Momentum".
  virtual std::string name() const = 0;
};

}  // namespace belfry
