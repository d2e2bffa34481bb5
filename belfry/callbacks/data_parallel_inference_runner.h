#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <string>
#include <vector>

#include "belfry/callbacks/inference_runner.h"

namespace belfry {

struct DataParallelInferenceRunnerOptions {
  /// The towers are named after it: "InferenceTower0", "InferenceTower1". Two runners of one trainer need
  /// different names.
  std::string tower_name = "InferenceTower";
  /// How many batches of a dataflow are produced ahead, in a thread of its own; 0: none.
  size_t prefetch = 16;
  /// Default: the trainer's. Must outlive the training.
  TowerFunc* tower_func = nullptr;
  /// The input of the tower whose first dimension is the number of samples in a batch; "": see
  /// InferenceRunner.
  std::string batch_input = {};
  /// How the towers are compiled.
  CompileOptions compile = {};
};

/// Like InferenceRunner, with several batches at the same time: one worker thread for each of `devices`, one
/// tower for each different device. `{c10::kCPU, c10::kCPU}` runs two batches at a time on the CPU.
/// Inferencers see the batches in the order of the data, so the result is that of an InferenceRunner.
class DataParallelInferenceRunner : public InferenceRunner {
 public:
  /// One pass over `dataflow` each time. Throws UsageError when `devices` is empty.
  DataParallelInferenceRunner(AnyDataFlow dataflow, Inferencers inferencers,
                              const std::vector<c10::Device>& devices,
                              const DataParallelInferenceRunnerOptions& options = {});
  /// To the end of `input` each time, or `input.size()` steps where it has none.
  DataParallelInferenceRunner(Shared<InputSource> input, Inferencers inferencers,
                              const std::vector<c10::Device>& devices,
                              const DataParallelInferenceRunnerOptions& options = {});

  std::string name() const override { return "DataParallelInferenceRunner"; }
};

}  // namespace belfry
