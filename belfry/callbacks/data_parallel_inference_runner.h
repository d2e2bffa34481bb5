#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <string>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/callbacks/inferencer.h"
#include "belfry/dataflow/dataflow.h"
#include "belfry/graph/tower.h"
#include "belfry/input/input_source.h"
#include "belfry/loop/callback.h"
#include "belfry/runtime/session.h"

namespace belfry {

struct DataParallelInferenceRunnerOptions {
  std::string tower_name = "InferenceTower";
  size_t prefetch = 16;
  TowerFunc* tower_func = nullptr;
};

/// Like InferenceRunner, with several batches at the same time: one worker thread for each of `devices`, one
/// tower for each different device. `{c10::kCPU, c10::kCPU}` runs two batches at a time on the CPU.
/// Inferencers see the batches in the order of the data, so the result is that of an InferenceRunner.
class DataParallelInferenceRunner : public Callback {
 public:
  /// Throws UsageError when `devices` is empty.
  DataParallelInferenceRunner(AnyDataFlow dataflow, Inferencers inferencers, std::vector<c10::Device> devices,
                              DataParallelInferenceRunnerOptions options = {});

  std::string name() const override { return "DataParallelInferenceRunner"; }
  void setup_graph() override;
  void before_train() override;
  void trigger() override;
  void after_train() override;

 private:
  Shared<InputSource> input_;
  Inferencers inferencers_;
  std::vector<c10::Device> devices_;
  DataParallelInferenceRunnerOptions options_;
  std::vector<std::vector<Tensor>> fetches_;  ///< of the tower of each of devices_
  std::vector<Callable> callables_;           ///< one for each of devices_
};

}  // namespace belfry
