#include "belfry/callbacks/stop_on_nan.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include "belfry/base/log.h"
#include "belfry/graph/tower.h"
#include "belfry/graph/variable.h"
#include "belfry/loop/trainer.h"

namespace belfry {

StopOnNaN::StopOnNaN(StopOnNaNOptions options) : options_(std::move(options)) {}

void StopOnNaN::before_train() {
  fetches_ = get_tensors_maybe_in_tower(options_.names);
  const TowerFunc* function = trainer().tower_func();
  if (!options_.names.empty() || !function) return;
  for (const TowerTensorHandle& tower : function->towers().training()) {
    if (tower.output()) fetches_.push_back(tower.output());
  }
}

void StopOnNaN::after_run(const std::vector<at::Tensor>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (at::isfinite(values[i]).all().item<bool>()) continue;
    const std::string reason =
        fmt::format("'{}' is not finite{} at global_step={}{}", fetches_[i].name(),
                    values[i].numel() == 1 ? fmt::format(" ({})", values[i].item<double>()) : "",
                    trainer().global_step(), learning_rate_text());
    log_error("[StopOnNaN] {}. Training stops; the last checkpoint was saved before.", reason);
    throw StopTraining(reason, EndReason::kNotFinite);
  }
}

std::string StopOnNaN::learning_rate_text() const {
  const VariableRecord* record = trainer().graph().find_variable(options_.learning_rate);
  if (!record || record->tensor.rank() != 0) return "";
  return fmt::format(", {}={:.6g}", options_.learning_rate,
                     trainer().session().value(Variable(record)).item<double>());
}

}  // namespace belfry
