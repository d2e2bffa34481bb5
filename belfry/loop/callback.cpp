#include "belfry/loop/callback.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry {

Trainer& Callback::trainer() const {
  if (!trainer_)
    throw UsageError(fmt::format("[{}] expected to be registered with a trainer, got none", name()));
  return *trainer_;
}

std::vector<Tensor> Callback::get_tensors_maybe_in_tower(const std::vector<std::string>& names) const {
  TowerTensorHandles training;
  if (const TowerFunc* function = trainer().tower_func()) training = function->towers().training();
  std::vector<Tensor> tensors;
  for (const std::string& name : names)
    tensors.push_back(training.empty() ? trainer().graph().tensor(name) : training.front().tensor(name));
  return tensors;
}

}  // namespace belfry
