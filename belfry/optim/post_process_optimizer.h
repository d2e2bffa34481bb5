#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "belfry/optim/proxy_optimizer.h"

namespace belfry {

/// Runs an operation on each variable after its update: clips or quantizes it.
class PostProcessOptimizer : public ProxyOptimizer {
 public:
  /// Returns the operation, or none for a variable that stays as it is.
  using Function = std::function<Tensor(const Variable& variable)>;

  /// `function` is called once for each variable that is updated. Neither may be null.
  PostProcessOptimizer(std::unique_ptr<Optimizer> optimizer, Function function);

  using Optimizer::apply_gradients;
  Tensor apply_gradients(const GradientsAndVariables& gradients, const ApplyOptions& options) override;

 private:
  Function function_;
};

/// Assigns each variable another value after its update:
///
///     VariableAssignmentOptimizer(std::make_unique<Adam>(options),
///                                 [](const Variable& v) { return clip_by_value(v, -0.01, 0.01); })
class VariableAssignmentOptimizer : public PostProcessOptimizer {
 public:
  /// `function` returns the value, or none for a variable that stays as it is.
  VariableAssignmentOptimizer(std::unique_ptr<Optimizer> optimizer, Function function);
};

}  // namespace belfry
