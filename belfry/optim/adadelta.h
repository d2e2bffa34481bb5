#pragma once

#include <string>
#include <vector>

#include "belfry/optim/learning_rate_multipliers.h"
#include "belfry/optim/variable_optimizer.h"

namespace belfry {

struct AdadeltaOptions {
  LearningRate learning_rate = 0.001;  ///< the paper's is 1
  double rho = 0.95;                   ///< in [0, 1]
  double epsilon = 1e-8;
  LearningRateMultipliers learning_rate_multipliers = {};
};

/// TensorFlow's Adadelta: accum = rho accum + (1 - rho) gradient^2; step = gradient * sqrt(accum_update +
/// epsilon) / sqrt(accum + epsilon); accum_update = rho accum_update + (1 - rho) step^2; variable -=
/// learning_rate * step. Slots: "accum" and "accum_update", in checkpoints "<variable>/Adadelta" and
/// "<variable>/Adadelta_1".
class Adadelta : public VariableOptimizer {
 public:
  /// Throws UsageError when a number is out of range.
  explicit Adadelta(const AdadeltaOptions& options);
  std::string name() const override { return "Adadelta"; }
  std::vector<std::string> slot_names() const override { return {"accum", "accum_update"}; }

 protected:
  Tensor update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                const std::string& name) override;

 private:
  AdadeltaOptions options_;
};

}  // namespace belfry
