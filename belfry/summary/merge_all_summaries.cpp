#include "belfry/summary/merge_all_summaries.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/node.h"
#include "belfry/loop/trainer.h"
#include "belfry/summary/internal/summary_nodes.h"
#include "belfry/summary/internal/summary_steps.h"

namespace belfry {
namespace {

bool is_summary(const Tensor& tensor) {
  const std::string op = tensor.node().op_name();
  return op == internal::kScalarSummary || op == internal::kHistogramSummary || op == internal::kImageSummary;
}

void put(Monitors& monitors, const Tensor& summary, const at::Tensor& value) {
  const std::string op = summary.node().op_name();
  const std::string tag = internal::tag_of(summary);
  if (op == internal::kScalarSummary) {
    monitors.put_scalar(tag, value.item<double>());
  } else if (op == internal::kHistogramSummary) {
    monitors.put_histogram(tag, value.to(at::kCPU, at::kFloat));
  } else {
    const int64_t max_images = summary.node().attribute("max_images").toInt();
    monitors.put_image(tag, internal::to_byte_images(value.to(at::kCPU), max_images));
  }
}

}  // namespace

MergeAllSummaries::MergeAllSummaries(MergeAllSummariesOptions options) : options_(std::move(options)) {
  internal::check_period("MergeAllSummaries", options_.period);
}

void MergeAllSummaries::setup_graph() {
  fetches_ = trainer().graph().collection(options_.collection);
  for (const Tensor& fetch : fetches_) {
    if (!is_summary(fetch)) {
      throw UsageError(fmt::format(
          "[MergeAllSummaries] expected only summaries in collection '{}', got {}; add tensors with "
          "scalar_summary, histogram_summary or image_summary",
          options_.collection, describe(fetch)));
    }
  }
  log_info("Summarizing collection '{}' of size {}.", options_.collection, fetches_.size());
}

std::vector<Tensor> MergeAllSummaries::before_run() {
  const bool wanted = !options_.run_alone && internal::is_summary_step(trainer(), options_.period);
  return wanted ? fetches_ : std::vector<Tensor>();
}

void MergeAllSummaries::after_run(const std::vector<at::Tensor>& values) {
  for (size_t i = 0; i < values.size(); ++i) put(trainer().monitors(), fetches_[i], values[i]);
}

void MergeAllSummaries::before_train() {
  if (options_.run_alone && !fetches_.empty())
    alone_ = trainer().session().make_callable({}, {fetches_.begin(), fetches_.end()});
}

void MergeAllSummaries::trigger_step() {
  // The end of the epoch triggers.
  const bool is_last = trainer().local_step() + 1 == trainer().loop().steps_per_epoch;
  if (!is_last && internal::is_summary_step(trainer(), options_.period)) trigger();
}

void MergeAllSummaries::trigger() {
  if (options_.run_alone && !fetches_.empty()) after_run(alone_());
}

}  // namespace belfry
