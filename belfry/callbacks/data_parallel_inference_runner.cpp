#include "belfry/callbacks/data_parallel_inference_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/callbacks/internal/evaluation.h"

namespace belfry {
namespace {

/// One for each device; those of one device are one tower.
std::vector<internal::EvaluationConfig::Tower> towers_on(const std::vector<c10::Device>& devices,
                                                         const std::string& name) {
  if (devices.empty())
    throw UsageError("[DataParallelInferenceRunner] expected at least one device, got none");
  std::vector<internal::EvaluationConfig::Tower> towers;
  for (const c10::Device& device : devices) {
    const auto first = std::find(devices.begin(), devices.end(), device) - devices.begin();
    towers.push_back({fmt::format("{}{}", name, first), device});
  }
  return towers;
}

}  // namespace

DataParallelInferenceRunner::DataParallelInferenceRunner(AnyDataFlow dataflow, Inferencers inferencers,
                                                         const std::vector<c10::Device>& devices,
                                                         const DataParallelInferenceRunnerOptions& options)
    : InferenceRunner(internal::EvaluationConfig{.who = "DataParallelInferenceRunner",
                                                 .dataflow = std::move(dataflow),
                                                 .prefetch = options.prefetch,
                                                 .inferencers = std::move(inferencers),
                                                 .towers = towers_on(devices, options.tower_name),
                                                 .tower_func = options.tower_func,
                                                 .batch_input = options.batch_input,
                                                 .compile = options.compile}) {}

DataParallelInferenceRunner::DataParallelInferenceRunner(Shared<InputSource> input, Inferencers inferencers,
                                                         const std::vector<c10::Device>& devices,
                                                         const DataParallelInferenceRunnerOptions& options)
    : InferenceRunner(internal::EvaluationConfig{.who = "DataParallelInferenceRunner",
                                                 .input = std::move(input),
                                                 .inferencers = std::move(inferencers),
                                                 .towers = towers_on(devices, options.tower_name),
                                                 .tower_func = options.tower_func,
                                                 .batch_input = options.batch_input,
                                                 .compile = options.compile}) {}

}  // namespace belfry
