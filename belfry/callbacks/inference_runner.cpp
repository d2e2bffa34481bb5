#include "belfry/callbacks/inference_runner.h"

#include <utility>

#include "belfry/loop/trainer.h"

namespace belfry {

InferenceRunner::InferenceRunner(AnyDataFlow dataflow, Inferencers inferencers,
                                 InferenceRunnerOptions options)
    : InferenceRunner(one_pass(std::move(dataflow), options.prefetch), std::move(inferencers), options) {}

InferenceRunner::InferenceRunner(Shared<InputSource> input, Inferencers inferencers,
                                 InferenceRunnerOptions options)
    : InferenceRunnerBase(std::move(input), std::move(inferencers), {{options.tower_name, options.device}},
                          options.tower_func, options.batch_input) {}

void InferenceRunner::run_batches(const UseValues& use) {
  while (const auto batch = next_batch(trainer().stop_token())) use(callables().front()(*batch));
}

}  // namespace belfry
