#pragma once

#include <string>
#include <vector>

#include "belfry/optim/learning_rate_multipliers.h"
#include "belfry/optim/variable_optimizer.h"

namespace belfry {

struct GradientDescentOptions {
  LearningRate learning_rate = 0.01;
  LearningRateMultipliers learning_rate_multipliers = {};
};

/// variable -= learning_rate * gradient
class GradientDescent : public VariableOptimizer {
 public:
  explicit GradientDescent(const GradientDescentOptions& options) : options_(options) {}
  std::string name() const override { return "GradientDescent"; }

 protected:
  Tensor update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                const std::string& name) override;

 private:
  GradientDescentOptions options_;
};

}  // namespace belfry
