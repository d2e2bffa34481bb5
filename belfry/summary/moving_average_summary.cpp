#include "belfry/summary/moving_average_summary.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/node.h"
#include "belfry/loop/trainer.h"
#include "belfry/ops/state.h"
#include "belfry/summary/internal/summary_nodes.h"
#include "belfry/summary/internal/summary_steps.h"

namespace belfry {

MovingAverageSummary::MovingAverageSummary(MovingAverageSummaryOptions options)
    : options_(std::move(options)) {
  internal::check_period("MovingAverageSummary", options_.period);
}

void MovingAverageSummary::setup_graph() {
  averages_ = trainer().graph().collection(options_.collection);
  for (const Tensor& average : averages_) {
    if (average.node().op_name() == internal::kMovingSummary) continue;
    throw UsageError(fmt::format(
        "[MovingAverageSummary] expected only tensors of add_moving_summary in collection '{}', got {}",
        options_.collection, describe(average)));
  }
  if (!averages_.empty()) update_ = group(averages_, "maintain_moving_average_summary");
  if (options_.train_op) {
    const Tensor train_op = options_.train_op->resolve(trainer().graph());
    if (update_) trainer().run_together(train_op, update_);
    log_info("[MovingAverageSummary] Averages {} tensors of collection '{}' whenever '{}' runs.",
             averages_.size(), options_.collection, train_op.op_name());
    return;
  }
  log_info("[MovingAverageSummary] Averages {} tensors of collection '{}' in every step.", averages_.size(),
           options_.collection);
}

std::vector<Tensor> MovingAverageSummary::before_run() {
  if (!update_ || options_.train_op) return {};
  show_ = internal::is_summary_step(trainer(), options_.period);
  return show_ ? averages_ : std::vector<Tensor>{update_};
}

void MovingAverageSummary::after_run(const std::vector<at::Tensor>& values) {
  if (!show_ || !update_) return;
  for (size_t i = 0; i < values.size(); ++i)
    trainer().monitors().put_scalar(internal::tag_of(averages_[i]), values[i].item<double>());
}

void MovingAverageSummary::trigger_step() {
  if (!options_.train_op || !internal::is_summary_step(trainer(), options_.period)) return;
  for (const Tensor& average : averages_) {
    // The first input is the variable that holds the average; to fetch the tensor would update it.
    const at::Tensor value = trainer().session().run(average.node().inputs()[0]);
    trainer().monitors().put_scalar(internal::tag_of(average), value.item<double>());
  }
}

}  // namespace belfry
