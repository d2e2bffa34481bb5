#include "belfry/callbacks/simple_moving_average.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry {

SimpleMovingAverage::SimpleMovingAverage(std::vector<std::string> names, int64_t window_size)
    : names_(std::move(names)), window_size_(static_cast<size_t>(window_size)) {
  if (window_size < 1)
    throw UsageError(
        fmt::format("[SimpleMovingAverage] expected a window of at least 1 step, got {}", window_size));
}

void SimpleMovingAverage::setup_graph() {
  fetches_ = get_tensors_maybe_in_tower(names_);
  for (const Tensor& fetch : fetches_) {
    if (fetch.rank() != 0)
      throw UsageError(fmt::format("[SimpleMovingAverage] expected scalars, got {}", describe(fetch)));
  }
}

void SimpleMovingAverage::after_run(const std::vector<at::Tensor>& values) {
  std::vector<double>& step = window_.emplace_back();
  for (const at::Tensor& value : values) step.push_back(value.item<double>());
  if (window_.size() > window_size_) window_.pop_front();
}

void SimpleMovingAverage::trigger_step() {
  if (window_.empty() || trainer().global_step() % static_cast<int64_t>(window_size_) != 0) return;
  for (size_t i = 0; i < names_.size(); ++i) {
    double sum = 0;
    for (const auto& step : window_) sum += step[i];
    const std::string name = names_[i].substr(0, names_[i].find(':'));
    trainer().monitors().put_scalar(name + "/SMA", sum / static_cast<double>(window_.size()));
  }
}

}  // namespace belfry
