#include "belfry/predict/dataset_predictor.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "belfry/base/bounded_queue.h"
#include "belfry/base/error.h"
#include "belfry/base/ordered_workers.h"
#include "belfry/base/terminal_bar.h"

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

// The calling thread passes over the data, fills the queue and takes the results.
void DatasetPredictor::for_each(const std::function<void(Result)>& use) {
  using Workers = OrderedWorkers<Datapoint, Result>;
  const size_t most_waiting = 2 * static_cast<size_t>(options_.threads);
  data_->reset_state();
  DataIterator pass = data_->iterator();
  BoundedQueue<Datapoint> tasks(most_waiting);
  Workers workers([&](const std::stop_token& stop) { return tasks.pop(stop); },
                  [this](Datapoint inputs, Workers::Turn) { return (*predictor_)(inputs); },
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

std::vector<DatasetPredictor::Result> DatasetPredictor::all_results() {
  std::vector<Result> results;
  for_each([&](Result result) { results.push_back(std::move(result)); });
  return results;
}

}  // namespace belfry
