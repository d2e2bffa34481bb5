#pragma once

#include <string>
#include <vector>

#include "belfry/optim/learning_rate_multipliers.h"
#include "belfry/optim/variable_optimizer.h"

namespace belfry {

struct AdamWOptions {
  LearningRate learning_rate = 0.001;
  double beta1 = 0.9;    ///< in [0, 1)
  double beta2 = 0.999;  ///< in [0, 1)
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  /// Regular expression (ECMAScript): variables whose whole name matches decay. `".*/W"` leaves out biases
  /// and the parameters of normalisations.
  std::string decayed_variables = ".*";
  LearningRateMultipliers learning_rate_multipliers = {};
};

/// PyTorch's AdamW, of "Decoupled Weight Decay Regularization" (Loshchilov and Hutter). At step t: variable
/// -= learning_rate * weight_decay * variable; m and v as Adam's; variable -= learning_rate / (1 - beta1^t) *
/// m / (sqrt(v / (1 - beta2^t)) + epsilon). Epsilon is the paper's, which Adam's here is not. Slots: "m" and
/// "v", in checkpoints "<variable>/AdamW" and "<variable>/AdamW_1"; "beta1_power" and "beta2_power" as
/// Adam's.
class AdamW : public VariableOptimizer {
 public:
  /// Throws UsageError when a number is out of range, or the expression is none.
  explicit AdamW(const AdamWOptions& options);
  std::string name() const override { return "AdamW"; }
  std::vector<std::string> slot_names() const override { return {"m", "v"}; }

 protected:
  /// Warns where no variable decays.
  Tensor update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                const std::string& name) override;

 private:
  AdamWOptions options_;
  Variable beta1_power_, beta2_power_;
};

}  // namespace belfry
