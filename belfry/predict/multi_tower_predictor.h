#pragma once

#include <memory>
#include <vector>

#include "belfry/predict/offline_predictor.h"
#include "belfry/predict/online_predictor.h"
#include "belfry/predict/predictor_list.h"

namespace belfry {

// Offline predictors on several devices. Their towers, "tower0", "tower1" and so on, are in one graph and
// share its variables. A device may be named more than once: on a CPU, two towers are two programs that run
// side by side, each with LibTorch's threads. `config.device` is not used. Errors are those of
// OfflinePredictor, and a UsageError when there is no device.

/// A predictor for each device. A call goes to the one with the fewest calls running, so that several threads
/// keep all of them at work; a list for MultiThreadAsyncPredictor and DatasetPredictor.
class MultiTowerOfflinePredictor : public PredictorList {
 public:
  MultiTowerOfflinePredictor(const PredictConfig& config, const std::vector<c10::Device>& devices);

  /// The first `count` predictors, beginning anew after the last.
  std::vector<std::shared_ptr<const Predictor>> get_predictor(size_t count) const;
};

/// One predictor whose calls run all towers: its inputs are those of the first tower, then those of the
/// second, and so on, named "tower0_x", "tower1_x"; and so are its outputs. Nothing is split or joined.
class DataParallelOfflinePredictor : public CompiledPredictor {
 public:
  DataParallelOfflinePredictor(const PredictConfig& config, const std::vector<c10::Device>& devices);

 private:
  struct Model;
  DataParallelOfflinePredictor(std::shared_ptr<Model> model, const PredictConfig& config);
  std::shared_ptr<Model> model_;
};

}  // namespace belfry
