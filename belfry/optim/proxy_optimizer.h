#pragma once

#include <memory>
#include <string>
#include <vector>

#include "belfry/optim/optimizer.h"

namespace belfry {

/// Base of the optimizers that change what another one does: passes everything on.
class ProxyOptimizer : public Optimizer {
 public:
  using Optimizer::apply_gradients;
  std::string name() const override { return optimizer_->name(); }
  std::vector<std::string> slot_names() const override { return optimizer_->slot_names(); }
  Variable slot(const Variable& variable, const std::string& name) const override {
    return optimizer_->slot(variable, name);
  }
  GradientsAndVariables compute_gradients(const Tensor& loss,
                                          const std::vector<Variable>& variables) override {
    return optimizer_->compute_gradients(loss, variables);
  }
  Tensor apply_gradients(const GradientsAndVariables& gradients, const ApplyOptions& options) override {
    return optimizer_->apply_gradients(gradients, options);
  }

 protected:
  /// Throws UsageError when `optimizer` is null.
  explicit ProxyOptimizer(std::unique_ptr<Optimizer> optimizer);

  Optimizer& inner() const { return *optimizer_; }

 private:
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace belfry
