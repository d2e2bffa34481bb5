#pragma once

#include <string>
#include <vector>

#include "belfry/optim/optimizer.h"

namespace belfry {

/// Base of the optimizers that update variables themselves: keeps slots, and leaves the update to one
/// operator that takes all variables at once.
class VariableOptimizer : public Optimizer {
 public:
  using Optimizer::apply_gradients;
  Tensor apply_gradients(const GradientsAndVariables& gradients, const ApplyOptions& options) final;

  Variable slot(const Variable& variable, const std::string& name) const final;

 protected:
  /// Adds the operation. `gradients` are those of `variables`, of the same dtypes; all are defined.
  virtual Tensor update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                        const std::string& name) = 0;

  /// The slots of `variables`; a missing one is created, all `initial`, as "<variable>/<suffix>" of the root.
  std::vector<Tensor> slots(const std::vector<Variable>& variables, const std::string& name,
                            const std::string& suffix, double initial = 0);
  /// A float32 scalar of the optimizer's own at the root, "beta1_power" for instance.
  static Variable create_scalar(const std::string& name, double value);

 private:
  struct Slot {
    std::string name;
    Variable primary, value;
  };
  std::vector<Slot> slots_;
};

}  // namespace belfry
