#include "belfry/callbacks/inference_runner.h"

#include <utility>

#include "belfry/callbacks/internal/evaluation.h"
#include "belfry/input/feed_input.h"
#include "belfry/input/queue_input.h"

namespace belfry {

InferenceRunner::InferenceRunner(AnyDataFlow dataflow, Inferencers inferencers,
                                 const InferenceRunnerOptions& options)
    : InferenceRunner(one_pass(std::move(dataflow), options.prefetch), std::move(inferencers), options) {}

InferenceRunner::InferenceRunner(Shared<InputSource> input, Inferencers inferencers,
                                 const InferenceRunnerOptions& options)
    : InferenceRunner(internal::EvaluationConfig{.who = "InferenceRunner",
                                                 .input = std::move(input),
                                                 .inferencers = std::move(inferencers),
                                                 .towers = {{options.tower_name, options.device}},
                                                 .tower_func = options.tower_func,
                                                 .batch_input = options.batch_input,
                                                 .compile = options.compile}) {}

InferenceRunner::InferenceRunner(internal::EvaluationConfig config)
    : evaluation_(std::make_shared<internal::Evaluation>(std::move(config))) {}

Shared<InputSource> InferenceRunner::one_pass(AnyDataFlow dataflow, size_t prefetch) {
  if (prefetch == 0) return FeedInput(std::move(dataflow), {.infinite = false});
  return QueueInput(std::move(dataflow), {.capacity = prefetch, .infinite = false});
}

void InferenceRunner::setup_graph() {
  evaluation_->setup_graph(trainer());
}
void InferenceRunner::before_train() {
  evaluation_->before_train(trainer());
}
void InferenceRunner::trigger() {
  evaluation_->run(trainer());
}
void InferenceRunner::after_train() {
  evaluation_->stop();
}

}  // namespace belfry
