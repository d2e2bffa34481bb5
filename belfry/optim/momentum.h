#pragma once

#include <string>
#include <vector>

#include "belfry/optim/learning_rate_multipliers.h"
#include "belfry/optim/variable_optimizer.h"

namespace belfry {

struct MomentumOptions {
  LearningRate learning_rate = 0.01;
  double momentum = 0.9;  ///< in [0, 1]
  bool use_nesterov = false;
  LearningRateMultipliers learning_rate_multipliers = {};
};

/// accumulator = momentum * accumulator + gradient; variable -= learning_rate * accumulator, or with Nesterov
/// learning_rate * (gradient + momentum * accumulator). The accumulator is the slot "Momentum".
///
/// This goes for every row of an embedding's table at every step, rows that the step did not look up
/// included: their gradient is 0 and their momentum goes on. TensorFlow's, given the sparse gradient of a
/// lookup, leaves such rows and their accumulators alone.
class Momentum : public VariableOptimizer {
 public:
  /// Throws UsageError when the momentum is out of range.
  explicit Momentum(const MomentumOptions& options);
  std::string name() const override { return "Momentum"; }
  std::vector<std::string> slot_names() const override { return {"momentum"}; }

 protected:
  Tensor update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                const std::string& name) override;

 private:
  MomentumOptions options_;
};

}  // namespace belfry
