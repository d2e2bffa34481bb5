#include "belfry/callbacks/data_parallel_inference_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

/// Deals out batches to workers and brings their results back in the order of the batches.
class BatchDealer {
 public:
  using NextBatch = std::function<std::optional<Datapoint>(std::stop_token)>;
  /// Until `stop` is requested.
  BatchDealer(NextBatch next_batch, std::stop_token stop)
      : next_batch_(std::move(next_batch)), stop_when_asked_(std::move(stop), [this] { end(); }) {}
  /// Waits for the batches that the workers have in hand.
  ~BatchDealer() { end(); }
  BatchDealer(const BatchDealer&) = delete;
  BatchDealer& operator=(const BatchDealer&) = delete;

  /// Starts a worker for each of `callables`.
  void start(const std::vector<CompiledCallable>& callables) {
    workers_ = running_ = callables.size();
    for (const CompiledCallable& callable : callables) threads_.emplace_back([&] { work(callable); });
  }

  /// The results of the next batch in order; none when all are done. Throws what a worker has thrown.
  std::optional<std::vector<at::Tensor>> next_result() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return results_.contains(consumed_) || running_ == 0; });
    const auto found = results_.find(consumed_);
    if (found == results_.end()) {
      if (error_) std::rethrow_exception(error_);
      return std::nullopt;
    }
    auto values = std::move(found->second);
    results_.erase(found);
    ++consumed_;
    changed_.notify_all();
    return values;
  }

 private:
  /// A worker's life: runs batches until there are no more, or one has failed.
  void work(const CompiledCallable& callable) {
    try {
      while (auto batch = take()) put(batch->first, callable(batch->second));
    } catch (...) {
      {
        std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
      end();
    }
    std::lock_guard lock(mutex_);
    --running_;
    changed_.notify_all();
  }

  /// Lets the workers finish what they have in hand, and no more.
  void end() {
    stop_.request_stop();
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  std::optional<std::pair<int64_t, Datapoint>> take() {
    std::lock_guard in_turn(input_mutex_);
    {
      // A slow batch must not let the results of the others pile up behind it.
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] {
        return stop_.stop_requested() || taken_ - consumed_ < static_cast<int64_t>(4 * workers_);
      });
    }
    if (stop_.stop_requested()) return std::nullopt;
    auto datapoint = next_batch_(stop_.get_token());
    if (!datapoint) return std::nullopt;
    return std::pair(taken_++, std::move(*datapoint));
  }

  void put(int64_t index, std::vector<at::Tensor> values) {
    std::lock_guard lock(mutex_);
    results_[index] = std::move(values);
    changed_.notify_all();
  }

  NextBatch next_batch_;
  size_t workers_ = 0;

  std::mutex input_mutex_;  ///< held while a batch is taken; taken before mutex_
  int64_t taken_ = 0;       ///< changed under input_mutex_

  std::mutex mutex_;  ///< guards what follows
  std::condition_variable changed_;
  size_t running_ = 0;
  int64_t consumed_ = 0;
  std::map<int64_t, std::vector<at::Tensor>> results_;
  std::exception_ptr error_;

  std::stop_source stop_;
  // After what end() uses: it may call it at once.
  std::stop_callback<std::function<void()>> stop_when_asked_;
  std::vector<std::jthread> threads_;  ///< last: they are joined before anything that they use is gone
};

}  // namespace

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
  BatchDealer dealer([this](std::stop_token stop) { return next_batch(std::move(stop)); },
                     trainer().stop_token());
  dealer.start(callables());
  while (auto values = dealer.next_result()) use(*values);
}

}  // namespace belfry
