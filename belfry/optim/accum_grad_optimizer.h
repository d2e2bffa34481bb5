#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "belfry/optim/proxy_optimizer.h"

namespace belfry {

/// Sums up the gradients of `niter` steps, and lets another optimizer apply the sums in every `niter`-th: the
/// same as batches and a learning rate `niter` times as large, with less memory.
///
///     AccumGradOptimizer(std::make_unique<Momentum>(options), 4)
///
/// Between, nothing of the other optimizer runs, what it makes of gradients included (RunIf): what it is
/// given as gradients are the variables that hold the sums. These are "<variable>/AccumGrad", and the number
/// of steps is "AccumGrad/counter", so that a training resumes between two updates.
class AccumGradOptimizer : public ProxyOptimizer {
 public:
  /// Throws UsageError when `optimizer` is null, or `niter` is not positive.
  AccumGradOptimizer(std::unique_ptr<Optimizer> optimizer, int64_t niter);

  using Optimizer::apply_gradients;
  /// Variables without a gradient are left out, with a warning. The global step counts every step.
  Tensor apply_gradients(const GradientsAndVariables& gradients, const ApplyOptions& options) override;

 private:
  /// What a step does: adds `values` to `sums`, and applies these when it is time.
  std::vector<Tensor> build_update(const GradientsAndVariables& accumulated,
                                   const std::vector<Variable>& sums, const std::vector<Tensor>& values,
                                   const Variable& counter, const Combine& combine);

  int64_t niter_;
};

}  // namespace belfry
