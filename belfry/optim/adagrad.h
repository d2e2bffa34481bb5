#pragma once

#include <string>
#include <vector>

#include "belfry/optim/learning_rate_multipliers.h"
#include "belfry/optim/variable_optimizer.h"

namespace belfry {

struct AdagradOptions {
  LearningRate learning_rate = 0.01;
  double initial_accumulator_value = 0.1;  ///< positive
  LearningRateMultipliers learning_rate_multipliers = {};
};

/// TensorFlow's Adagrad: accumulator += gradient^2; variable -= learning_rate * gradient / sqrt(accumulator).
/// The slot is "accumulator", in checkpoints "<variable>/Adagrad".
class Adagrad : public VariableOptimizer {
 public:
  /// Throws UsageError when a number is out of range.
  explicit Adagrad(const AdagradOptions& options);
  std::string name() const override { return "Adagrad"; }
  std::vector<std::string> slot_names() const override { return {"accumulator"}; }

 protected:
  Tensor update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                const std::string& name) override;

 private:
  AdagradOptions options_;
};

}  // namespace belfry
