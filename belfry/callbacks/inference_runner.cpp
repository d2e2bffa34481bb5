#include "belfry/callbacks/inference_runner.h"

#include <fmt/format.h>

#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/base/terminal_bar.h"
#include "belfry/callbacks/internal/inference_tower.h"
#include "belfry/input/feed_input.h"
#include "belfry/input/queue_input.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

Shared<InputSource> finite_input(AnyDataFlow dataflow, size_t prefetch) {
  if (prefetch == 0) return FeedInput(std::move(dataflow), {.infinite = false});
  return QueueInput(std::move(dataflow), {.capacity = prefetch, .infinite = false});
}

}  // namespace

InferenceRunner::InferenceRunner(AnyDataFlow dataflow, Inferencers inferencers,
                                 InferenceRunnerOptions options)
    : input_(finite_input(std::move(dataflow), options.prefetch)),
      inferencers_(std::move(inferencers)),
      options_(std::move(options)) {}

InferenceRunner::InferenceRunner(Shared<InputSource> input, Inferencers inferencers,
                                 InferenceRunnerOptions options)
    : input_(std::move(input)), inferencers_(std::move(inferencers)), options_(std::move(options)) {
  if (!input_) throw UsageError("[InferenceRunner] expected an input, got null");
  // An input may repeat its data for ever: its size is where to stop. A dataflow ends by itself.
  limit_ = input_->size();
  if (!limit_) {
    log_warning("[InferenceRunner] {} does not know its size: each evaluation goes on until it ends.",
                input_->name());
  }
}

void InferenceRunner::setup_graph() {
  TowerFunc& function = internal::choose_tower_func("InferenceRunner", trainer(), options_.tower_func);
  input_->setup(function.signature());
  fetches_ =
      internal::build_inference_tower(options_.tower_name, options_.device, function, *input_, inferencers_);
}

void InferenceRunner::before_train() {
  const std::vector<Tensor> feeds = input_->feed_tensors();
  callable_ =
      trainer().session().make_callable({feeds.begin(), feeds.end()}, {fetches_.begin(), fetches_.end()});
  if (const auto size = input_->size()) log_info("[InferenceRunner] Will eval {} iterations", *size);
}

void InferenceRunner::trigger() {
  for (const auto& inferencer : inferencers_) inferencer->before_inference();
  input_->reset_state();
  int64_t batches = 0;
  {
    TerminalBar bar(input_->size(), {.title = options_.tower_name});
    while (!limit_ || batches < *limit_) {
      const auto datapoint = input_->next(trainer().stop_token());
      if (!datapoint || trainer().stop_requested()) break;
      const std::vector<at::Tensor> values = callable_(*datapoint);
      internal::give_to_inferencers(values, internal::batch_size_of(values), inferencers_);
      ++batches;
      bar.update();
    }
  }
  input_->stop();
  if (trainer().stop_requested()) {
    log_info("[InferenceRunner] stopped after {} batches, nothing is reported.", batches);
    return;
  }
  if (batches == 0) {
    throw DataError(fmt::format("[InferenceRunner {}] expected data, got none", options_.tower_name));
  }
  if (limit_ && batches < *limit_) {
    log_warning("[InferenceRunner] {} ended after {} batches, its size says {}.", input_->name(), batches,
                *limit_);
  }
  internal::report(trainer(), inferencers_);
}

void InferenceRunner::after_train() {
  input_->stop();
}

}  // namespace belfry
