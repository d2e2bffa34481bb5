#pragma once

#include <string>
#include <vector>

#include "belfry/optim/learning_rate_multipliers.h"
#include "belfry/optim/variable_optimizer.h"

namespace belfry {

struct LARSOptions {
  LearningRate learning_rate = 0.01;
  double momentum = 0.9;         ///< in [0, 1]
  double weight_decay = 0.0001;  ///< at least 0
  double eeta = 0.001;           ///< the paper's coefficient of trust
  double epsilon = 0;            ///< at least 0
  /// Regular expression (ECMAScript): variables whose whole name matches are left to plain momentum, without
  /// decay: `".*/(b|beta|gamma)"`. "": none.
  std::string skipped_variables = {};
  bool use_nesterov = false;
  LearningRateMultipliers learning_rate_multipliers = {};
};

/// Layer-wise adaptive rates, of "Large Batch Training of Convolutional Networks" (You, Gitman and Ginsburg),
/// as tf.contrib.opt.LARSOptimizer has them. Of each variable, with |x| its norm, and the gradient's:
///
///     rate = learning_rate * eeta |variable| / (|gradient| + weight_decay |variable| + epsilon)
///     accumulator = momentum * accumulator + rate * (gradient + weight_decay * variable)
///     variable -= accumulator
///
/// Where a norm is 0, rate = learning_rate. With Nesterov, variable -= rate * (...) + momentum * accumulator.
/// The slot is "momentum", in checkpoints "<variable>/LARSOptimizer".
class LARS : public VariableOptimizer {
 public:
  /// Throws UsageError when a number is out of range, or the expression is none.
  explicit LARS(const LARSOptions& options);
  std::string name() const override { return "LARSOptimizer"; }
  std::vector<std::string> slot_names() const override { return {"momentum"}; }

 protected:
  Tensor update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                const std::string& name) override;

 private:
  LARSOptions options_;
};

}  // namespace belfry
