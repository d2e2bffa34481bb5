#include "belfry/callbacks/progress_bar.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

/// "cost" of "tower0/cost:0"
std::string short_name(const std::string& tensor_name) {
  const std::string name = tensor_name.substr(0, tensor_name.find(':'));
  return name.substr(name.rfind('/') + 1);
}

}  // namespace

ProgressBar::ProgressBar(std::vector<std::string> names) : names_(std::move(names)) {}

void ProgressBar::before_train() {
  fetches_ = get_tensors_maybe_in_tower(names_);
  for (const Tensor& fetch : fetches_) {
    if (fetch.rank() != 0) {
      throw UsageError(fmt::format("[ProgressBar] expected scalars, got {}", describe(fetch)));
    }
  }
}

void ProgressBar::before_epoch() {
  const LoopOptions& loop = trainer().loop();
  const int64_t epoch = trainer().epoch_num();
  bar_ = std::make_unique<TerminalBar>(
      loop.steps_per_epoch,
      TerminalBarOptions{.title = fmt::format("Epoch {}", epoch),
                         .initial = epoch == loop.starting_epoch ? loop.starting_step : 0});
}

std::vector<Tensor> ProgressBar::before_run() {
  const bool is_last = trainer().local_step() + 1 == trainer().loop().steps_per_epoch;
  return is_last || bar_->is_due() ? fetches_ : std::vector<Tensor>();
}

void ProgressBar::after_run(const std::vector<at::Tensor>& values) {
  if (values.empty()) return;
  std::string text;
  for (size_t i = 0; i < values.size(); ++i) {
    text += fmt::format("{}{}={:.3g}", i == 0 ? "" : ", ", short_name(names_[i]), values[i].item<double>());
  }
  bar_->set_postfix(std::move(text));
}

void ProgressBar::trigger_step() {
  bar_->update();
}

void ProgressBar::after_epoch() {
  bar_.reset();
}

void ProgressBar::after_train() {
  bar_.reset();
}

}  // namespace belfry
