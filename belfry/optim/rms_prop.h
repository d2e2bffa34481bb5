#pragma once

#include <string>
#include <vector>

#include "belfry/optim/learning_rate_multipliers.h"
#include "belfry/optim/variable_optimizer.h"

namespace belfry {

struct RMSPropOptions {
  LearningRate learning_rate = 0.001;
  double decay = 0.9;     ///< in [0, 1]
  double momentum = 0.0;  ///< in [0, 1]
  double epsilon = 1e-10;
  /// Divides by the standard deviation of past gradients rather than by their root mean square.
  bool centered = false;
  LearningRateMultipliers learning_rate_multipliers = {};
};

/// TensorFlow's RMSProp: rms = decay rms + (1 - decay) gradient^2; momentum = momentum * momentum +
/// learning_rate * gradient / sqrt(rms + epsilon); variable -= momentum. Centered, mg = decay mg + (1 -
/// decay) gradient, and rms - mg^2 stands for rms in the root.
///
/// Slots: "rms", which begins with ones, "mg" when centered, and "momentum"; in checkpoints
/// "<variable>/RMSProp", "<variable>/RMSProp_1" and so on, in this order.
class RMSProp : public VariableOptimizer {
 public:
  /// Throws UsageError when a number is out of range.
  explicit RMSProp(const RMSPropOptions& options);
  std::string name() const override { return "RMSProp"; }
  std::vector<std::string> slot_names() const override;

 protected:
  Tensor update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                const std::string& name) override;

 private:
  RMSPropOptions options_;
};

}  // namespace belfry
