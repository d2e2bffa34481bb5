#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "belfry/dataflow/dataflow.h"
#include "belfry/predict/offline_predictor.h"
#include "belfry/predict/predictor.h"

namespace belfry {

struct DatasetPredictorOptions {
  /// Predictions that run at the same time.
  int threads = 1;
  /// Shows a progress bar: on a terminal, else as lines of the log.
  bool progress_bar = true;
  /// False: results come as they are ready, so that a slow one delays nobody.
  bool ordered = true;
};

/// Predicts every datapoint of a dataflow. Its components are the predictor's inputs: in order, or, where
/// they have names, by those; what is no input then is left out. For several devices give it a
/// MultiTowerOfflinePredictor, or another PredictorList, and at least as many threads.
class DatasetPredictor {
 public:
  using Result = std::vector<at::Tensor>;

  /// Throws UsageError when `predictor` is null or `options.threads` is not positive.
  DatasetPredictor(const PredictConfig& config, AnyDataFlow data, DatasetPredictorOptions options = {});
  DatasetPredictor(std::shared_ptr<const Predictor> predictor, AnyDataFlow data,
                   DatasetPredictorOptions options = {});

  /// Passes over the data once and gives `use` the outputs of each datapoint, in the data's order (unless
  /// `ordered` is false), one at a time, in the calling thread; only a few results wait at any moment. An
  /// exception of the dataflow, of a prediction or of `use` ends the pass and is thrown here.
  void for_each(const std::function<void(Result)>& use);
  /// All results in order.
  std::vector<Result> all_results();

 private:
  void predict_in_order(const std::function<void(Result)>& use);
  void predict_in_any_order(const std::function<void(Result)>& use);
  Result predict(const Datapoint& datapoint) const;

  std::shared_ptr<const Predictor> predictor_;
  AnyDataFlow data_;
  DatasetPredictorOptions options_;
};

}  // namespace belfry
