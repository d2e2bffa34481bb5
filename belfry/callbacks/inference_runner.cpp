#include "belfry/callbacks/inference_runner.h"

#include <utility>

#include "belfry/callbacks/internal/evaluation.h"

namespace belfry {

InferenceRunner::InferenceRunner(AnyDataFlow dataflow, Inferencers inferencers,
                                 const InferenceRunnerOptions& options)
    : InferenceRunner(internal::EvaluationConfig{.who = "InferenceRunner",
                                                 .dataflow = std::move(dataflow),
                                                 .prefetch = options.prefetch,
                                                 .inferencers = std::move(inferencers),
                                                 .towers = {{options.tower_name, options.device}},
                                                 .tower_func = options.tower_func,
                                                 .batch_input = options.batch_input,
                                                 .compile = options.compile}) {}

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

void InferenceRunner::register_hook(Shared<Callback> hook) {
  evaluation_->add_hook(std::move(hook));
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
  evaluation_->after_train();
}

}  // namespace belfry
