#include "belfry/predict/dataset_predictor.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "belfry/base/bounded_queue.h"
#include "belfry/base/error.h"
#include "belfry/base/ordered_workers.h"
#include "belfry/base/terminal_bar.h"
#include "belfry/dataflow/parallel_map_data.h"

namespace belfry {

DatasetPredictor::DatasetPredictor(const PredictConfig& config, AnyDataFlow data,
                                   DatasetPredictorOptions options)
    : DatasetPredictor(std::make_shared<const OfflinePredictor>(config), std::move(data), options) {}

DatasetPredictor::DatasetPredictor(std::shared_ptr<const Predictor> predictor, AnyDataFlow data,
                                   DatasetPredictorOptions options)
    : predictor_(std::move(predictor)), data_(std::move(data)), options_(options) {
  if (!predictor_) throw UsageError("[DatasetPredictor] expected a predictor, got none");
  if (options_.threads < 1)
    throw UsageError(fmt::format("[DatasetPredictor] expected threads >= 1, got {}", options_.threads));
}

void DatasetPredictor::for_each(const std::function<void(Result)>& use) {
  options_.ordered ? predict_in_order(use) : predict_in_any_order(use);
}

// The calling thread passes over the data, fills the queue and takes the results.
void DatasetPredictor::predict_in_order(const std::function<void(Result)>& use) {
  using Workers = OrderedWorkers<Datapoint, Result>;
  const size_t most_waiting = 2 * static_cast<size_t>(options_.threads);
  data_->reset_state();
  DataIterator pass = data_->iterator();
  BoundedQueue<Datapoint> tasks(most_waiting);
  Workers workers([&](const std::stop_token& stop) { return tasks.pop(stop); },
                  [this](const Datapoint& datapoint, Workers::Turn) { return predict(datapoint); },
                  {.num_thread = static_cast<size_t>(options_.threads), .window = most_waiting});
  std::optional<TerminalBar> bar;
  if (options_.progress_bar) bar.emplace(data_->size());
  size_t waiting = 0;
  auto finish_one = [&] {
    std::optional<Result> result = workers.next();
    --waiting;
    use(std::move(*result));
    if (bar) bar->update();
  };
  while (auto datapoint = pass.next()) {
    tasks.push(std::move(*datapoint));
    if (++waiting == most_waiting) finish_one();
  }
  while (waiting > 0) finish_one();
}

// The data is passed over by whichever thread has room.
void DatasetPredictor::predict_in_any_order(const std::function<void(Result)>& use) {
  data_->reset_state();
  MultiThreadMapData results(data_, options_.threads,
                             [this](const Datapoint& datapoint) { return Datapoint(predict(datapoint)); },
                             {.buffer_size = 2 * options_.threads, .strict = false});
  std::optional<TerminalBar> bar;
  if (options_.progress_bar) bar.emplace(data_->size());
  for (Datapoint& result : results.iterator()) {
    use(std::move(result));
    if (bar) bar->update();
  }
}

DatasetPredictor::Result DatasetPredictor::predict(const Datapoint& datapoint) const {
  if (!datapoint.has_names()) return (*predictor_)(datapoint);
  std::vector<at::Tensor> inputs;
  for (const TensorSpec& spec : predictor_->inputs()) inputs.push_back(datapoint.at(spec.name));
  return (*predictor_)(inputs);
}

std::vector<DatasetPredictor::Result> DatasetPredictor::all_results() {
  std::vector<Result> results;
  for_each([&](Result result) { results.push_back(std::move(result)); });
  return results;
}

}  // namespace belfry
