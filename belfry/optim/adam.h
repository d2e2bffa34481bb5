#pragma once

#include <string>
#include <vector>

#include "belfry/optim/learning_rate_multipliers.h"
#include "belfry/optim/variable_optimizer.h"

namespace belfry {

struct AdamOptions {
  LearningRate learning_rate = 0.001;
  double beta1 = 0.9;    ///< in [0, 1)
  double beta2 = 0.999;  ///< in [0, 1)
  double epsilon = 1e-8;
  LearningRateMultipliers learning_rate_multipliers = {};
};

/// TensorFlow's Adam. At step t: m = beta1 m + (1 - beta1) gradient; v = beta2 v + (1 - beta2) gradient^2;
/// variable -= learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon): epsilon is the
/// paper's "epsilon hat", which PyTorch's is not. Slots: "m" and "v", in checkpoints "<variable>/Adam" and
/// "<variable>/Adam_1"; "beta1_power" and "beta2_power" hold beta^t of the coming step.
class Adam : public VariableOptimizer {
 public:
  /// Throws UsageError when a number is out of range.
  explicit Adam(const AdamOptions& options);
  std::string name() const override { return "Adam"; }
  std::vector<std::string> slot_names() const override { return {"m", "v"}; }

 protected:
  Tensor update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                const std::string& name) override;

 private:
  AdamOptions options_;
  Variable beta1_power_, beta2_power_;
};

}  // namespace belfry
