#include "belfry/callbacks/check_numerics.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "belfry/base/error.h"
#include "belfry/graph/variable.h"
#include "belfry/loop/trainer.h"

namespace belfry {

void CheckNumerics::trigger_step() {
  if (options_.run_step) check();
}

void CheckNumerics::trigger() {
  if (options_.run_as_trigger) check();
}

void CheckNumerics::check() const {
  std::vector<std::string> names;
  for (const Variable& variable : variables_in(trainer().graph(), kTrainableVariables)) {
    if (!at::isfinite(trainer().session().value(variable)).all().item<bool>())
      names.push_back(variable.name());
  }
  if (names.empty()) return;
  throw DataError(
      fmt::format("[CheckNumerics] expected finite variables at global_step={}, got NaN or infinity in {}",
                  trainer().global_step(), fmt::join(names, ", ")));
}

}  // namespace belfry
