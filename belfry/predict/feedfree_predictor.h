#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "belfry/input/input_source.h"
#include "belfry/predict/offline_predictor.h"

namespace belfry {

/// Predicts what an InputSource provides: data in a queue, the graph's own tensors. One thread at a time.
///
///     FeedfreePredictor predict({.model = model, .session_init = init, .outputs = {"prob"}},
///     QueueInput(data)); while (auto prob = predict()) ...
class FeedfreePredictor {
 public:
  using Result = std::vector<at::Tensor>;

  /// Builds the graph and starts the source. `config.inputs` is not used: the source provides all. With
  /// return_input the results are followed by them. Throws UsageError when there is no source, and what
  /// OfflinePredictor and the source throw.
  FeedfreePredictor(const PredictConfig& config, Shared<InputSource> input);
  FeedfreePredictor(FeedfreePredictor&&) noexcept;
  ~FeedfreePredictor();

  /// Takes the next inputs and returns the outputs; nullopt when the source is at its end, or `stop` is
  /// requested while it waits.
  std::optional<Result> operator()(std::stop_token stop = {});
  /// Starts a new pass over the source's data.
  void reset_state();
  /// Steps of one pass, where the source knows.
  std::optional<int64_t> size() const;

 private:
  struct Model;
  std::unique_ptr<Model> model_;
};

}  // namespace belfry
