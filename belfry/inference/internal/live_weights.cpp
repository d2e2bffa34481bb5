#include "belfry/inference/internal/live_weights.h"

#include <algorithm>
#include <mutex>

#include "belfry/base/log.h"
#include "belfry/inference/internal/aten_view.h"
#include "belfry/inference/internal/needed_numbers.h"

namespace belfry::internal {

LiveWeights::LiveWeights(Session& session, const std::vector<Variable>& variables,
                         std::optional<Function> preparation, std::vector<size_t> checked)
    : read_(session.make_callable({}, {variables.begin(), variables.end()})),
      preparation_(std::move(preparation)),
      checked_(std::move(checked)) {
  if (!preparation_) return;
  session_ = std::make_unique<Session>(*preparation_->graph);
  prepare_ = session_->make_callable({preparation_->inputs.begin(), preparation_->inputs.end()},
                                     {preparation_->outputs.begin(), preparation_->outputs.end()});
}

std::shared_lock<std::shared_mutex> LiveWeights::lock() {
  refresh();
  return std::shared_lock(mutex_);
}

void LiveWeights::refresh() {
  if (version_.load(std::memory_order_acquire) == read_.version()) return;
  std::unique_lock lock(mutex_);
  const uint64_t newest = read_.version();
  if (version_ == newest) return;
  std::vector<at::Tensor> values = read_({});
  if (preparation_) values = prepare_(values);
  if (prepared_) {
    for (size_t i = 0; i < values.size(); ++i) values_[i].copy_(values[i]);
    prepared_->pack();
  } else {
    values_ = std::move(values);
    std::vector<TensorView> views;
    for (const at::Tensor& value : values_) views.push_back(view_of(value));
    prepared_ = std::make_shared<Prepared>(std::move(views));
  }
  ordinary_ =
      std::ranges::all_of(checked_, [&](size_t i) { return all_are(Numbers::kOrdinary, values_[i]); });
  if (!ordinary_)
    log_warning(
        "[compile] this graph runs uncompiled: its weights hold NaN, infinities or numbers beyond 2^64");
  version_.store(newest, std::memory_order_release);
}

}  // namespace belfry::internal
