#include "belfry/callbacks/data_parallel_inference_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <stop_token>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/ordered_workers.h"
#include "belfry/loop/trainer.h"

namespace belfry {
DataParallelInferenceRunner::DataParallelInferenceRunner(AnyDataFlow dataflow, Inferencers inferencers,
                                                         std::vector<c10::Device> devices,
                                                         DataParallelInferenceRunnerOptions options)
    : DataParallelInferenceRunner(one_pass(std::move(dataflow), options.prefetch), std::move(inferencers),
                                  std::move(devices), options) {}

DataParallelInferenceRunner::DataParallelInferenceRunner(Shared<InputSource> input, Inferencers inferencers,
                                                         std::vector<c10::Device> devices,
                                                         DataParallelInferenceRunnerOptions options)
    : InferenceRunnerBase(std::move(input), std::move(inferencers), towers_on(devices, options.tower_name),
                          options.tower_func, options.batch_input) {
  if (devices.empty())
    throw UsageError("[DataParallelInferenceRunner] expected at least one device, got none");
}

std::vector<InferenceRunnerBase::Tower> DataParallelInferenceRunner::towers_on(
    const std::vector<c10::Device>& devices, const std::string& name) {
  std::vector<Tower> towers;
  for (const c10::Device& device : devices) {
    const auto first = std::find(devices.begin(), devices.end(), device) - devices.begin();
    towers.push_back({fmt::format("{}{}", name, first), device});
  }
  return towers;
}

void DataParallelInferenceRunner::run_batches(const UseValues& use) {
  using Workers = OrderedWorkers<Datapoint, std::vector<at::Tensor>>;
  Workers workers(
      [this](const std::stop_token& stop) { return next_batch(stop); },
      [this](Datapoint batch, Workers::Turn turn) { return callables()[turn.worker](batch); },
      {.num_thread = callables().size(), .window = 4 * callables().size(), .stop = trainer().stop_token()});
  while (const auto values = workers.next()) use(*values);
}

}  // namespace belfry
