#pragma once

#include <string>
#include <vector>

#include "belfry/optim/learning_rate_multipliers.h"
#include "belfry/optim/variable_optimizer.h"

namespace belfry {

struct FtrlOptions {
  LearningRate learning_rate = 0.001;
  double learning_rate_power = -0.5;       ///< at most 0; 0: a fixed learning rate
  double initial_accumulator_value = 0.1;  ///< at least 0
  double l1_regularization_strength = 0;   ///< at least 0
  double l2_regularization_strength = 0;   ///< at least 0
  /// Shrinks weights with large gradients less, as a penalty that is added to the loss does.
  double l2_shrinkage_regularization_strength = 0;  ///< at least 0
  double beta = 0;                                  ///< the paper's
  LearningRateMultipliers learning_rate_multipliers = {};
};

/// TensorFlow's Ftrl-proximal (McMahan et al., "Ad Click Prediction"). With p = -learning_rate_power, g the
/// gradient, g' = g + 2 l2_shrinkage variable, and l2' = l2 + beta / (2 learning_rate):
///
///     n = accum + g^2
///     linear += g' - (n^p - accum^p) / learning_rate * variable;  accum = n
///     variable = -softshrink(linear, l1) / (n^p / learning_rate + 2 l2')
///
/// Slots: "accum" and "linear", in checkpoints "<variable>/Ftrl" and "<variable>/Ftrl_1".
class Ftrl : public VariableOptimizer {
 public:
  /// Throws UsageError when a number is out of range.
  explicit Ftrl(const FtrlOptions& options);
  std::string name() const override { return "Ftrl"; }
  std::vector<std::string> slot_names() const override { return {"accum", "linear"}; }

 protected:
  Tensor update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                const std::string& name) override;

 private:
  FtrlOptions options_;
};

}  // namespace belfry
