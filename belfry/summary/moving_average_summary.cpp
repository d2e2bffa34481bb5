#include "belfry/summary/moving_average_summary.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/node.h"
#include "belfry/loop/trainer.h"
#include "belfry/summary/internal/summary_nodes.h"
#include "belfry/summary/internal/summary_steps.h"

namespace belfry {

MovingAverageSummary::MovingAverageSummary(MovingAverageSummaryOptions options)
    : options_(std::move(options)) {
  internal::check_period("MovingAverageSummary", options_.period);
}

void MovingAverageSummary::setup_graph() {
  fetches_ = trainer().graph().collection(options_.collection);
  for (const Tensor& fetch : fetches_) {
    if (fetch.node().op_name() != internal::kMovingSummary) {
      throw UsageError(fmt::format(
          "[MovingAverageSummary] expected only tensors of add_moving_summary in collection '{}', got {}",
          options_.collection, describe(fetch)));
    }
    averages_.push_back(
        {.tag = internal::tag_of(fetch), .decay = fetch.node().attribute("decay").toDouble()});
  }
  log_info("[MovingAverageSummary] Averages {} tensors of collection '{}' in every step.", fetches_.size(),
           options_.collection);
}

std::vector<Tensor> MovingAverageSummary::before_run() {
  show_ = internal::is_summary_step(trainer(), options_.period);
  return fetches_;
}

void MovingAverageSummary::after_run(const std::vector<at::Tensor>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    Average& average = averages_[i];
    average.biased += (values[i].item<double>() - average.biased) * (1 - average.decay);
    average.weight += (1 - average.weight) * (1 - average.decay);
    if (show_) trainer().monitors().put_scalar(average.tag, average.biased / average.weight);
  }
}

}  // namespace belfry
