#include "belfry/predict/dataset_predictor.h"

#include <deque>
#include <optional>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/terminal_bar.h"
#include "belfry/predict/async_predictor.h"

namespace belfry {

DatasetPredictor::DatasetPredictor(const PredictConfig& config, AnyDataFlow data,
                                   DatasetPredictorOptions options)
    : DatasetPredictor(std::make_shared<const OfflinePredictor>(config), std::move(data), options) {}

DatasetPredictor::DatasetPredictor(std::shared_ptr<const Predictor> predictor, AnyDataFlow data,
                                   DatasetPredictorOptions options)
    : predictor_(std::move(predictor)), data_(std::move(data)), options_(options) {
  if (!predictor_) throw UsageError("[DatasetPredictor] expected a predictor, got none");
}

// Each task's future waits in a queue in the data's order, however many threads work on them.
void DatasetPredictor::for_each(const std::function<void(Result)>& use) {
  const size_t most_waiting = 2 * static_cast<size_t>(options_.threads);
  data_->reset_state();
  DataIterator pass = data_->iterator();
  MultiThreadAsyncPredictor workers(predictor_, {.threads = options_.threads, .queue_size = most_waiting});
  std::optional<TerminalBar> bar;
  if (options_.progress_bar) bar.emplace(data_->size());
  std::deque<std::future<Result>> waiting;
  auto finish_one = [&] {
    Result result = waiting.front().get();
    waiting.pop_front();
    use(std::move(result));
    if (bar) bar->update();
  };
  while (auto datapoint = pass.next()) {
    waiting.push_back(workers.put(std::move(*datapoint)));
    if (waiting.size() >= most_waiting) finish_one();
  }
  while (!waiting.empty()) finish_one();
}

std::vector<DatasetPredictor::Result> DatasetPredictor::all_results() {
  std::vector<Result> results;
  for_each([&](Result result) { results.push_back(std::move(result)); });
  return results;
}

}  // namespace belfry
