#include "belfry/callbacks/data_parallel_inference_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/base/terminal_bar.h"
#include "belfry/callbacks/internal/inference_tower.h"
#include "belfry/input/queue_input.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

/// Deals out batches to workers and brings their results back in the order of the batches.
class BatchDealer {
 public:
  BatchDealer(InputSource& input, std::stop_token stop, size_t workers)
      : input_(input), stop_(std::move(stop)), workers_(workers), running_(workers) {}

  /// A worker's life: runs batches until there are no more, or one has failed.
  void work(const Callable& callable) {
    try {
      while (auto batch = take()) put(batch->first, callable(batch->second));
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      is_over_ = true;
    }
    std::lock_guard lock(mutex_);
    --running_;
    changed_.notify_all();
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

  /// Lets the workers finish what they have in hand, and no more.
  void end() {
    std::lock_guard lock(mutex_);
    is_over_ = true;
    changed_.notify_all();
  }

 private:
  std::optional<std::pair<int64_t, Datapoint>> take() {
    std::lock_guard in_turn(input_mutex_);
    {
      // A slow batch must not let the results of the others pile up behind it.
      std::unique_lock lock(mutex_);
      changed_.wait(lock,
                    [&] { return is_over_ || taken_ - consumed_ < static_cast<int64_t>(4 * workers_); });
      if (is_over_) return std::nullopt;
    }
    auto datapoint = input_.next(stop_);
    if (!datapoint || stop_.stop_requested()) return std::nullopt;
    return std::pair(taken_++, std::move(*datapoint));
  }

  void put(int64_t index, std::vector<at::Tensor> values) {
    std::lock_guard lock(mutex_);
    results_[index] = std::move(values);
    changed_.notify_all();
  }

  InputSource& input_;
  std::stop_token stop_;
  size_t workers_;

  std::mutex input_mutex_;  ///< held while a batch is taken; taken before mutex_
  int64_t taken_ = 0;       ///< changed under input_mutex_

  std::mutex mutex_;  ///< guards what follows
  std::condition_variable changed_;
  size_t running_;
  bool is_over_ = false;
  int64_t consumed_ = 0;
  std::map<int64_t, std::vector<at::Tensor>> results_;
  std::exception_ptr error_;
};

}  // namespace

DataParallelInferenceRunner::DataParallelInferenceRunner(AnyDataFlow dataflow, Inferencers inferencers,
                                                         std::vector<c10::Device> devices,
                                                         DataParallelInferenceRunnerOptions options)
    : input_(QueueInput(std::move(dataflow), {.capacity = options.prefetch, .infinite = false})),
      inferencers_(std::move(inferencers)),
      devices_(std::move(devices)),
      options_(std::move(options)) {
  if (devices_.empty())
    throw UsageError("[DataParallelInferenceRunner] expected at least one device, got none");
}

void DataParallelInferenceRunner::setup_graph() {
  TowerFunc& function =
      internal::choose_tower_func("DataParallelInferenceRunner", trainer(), options_.tower_func);
  input_->setup(function.signature());
  for (size_t i = 0; i < devices_.size(); ++i) {
    const auto same = std::find(devices_.begin(), devices_.end(), devices_[i]) - devices_.begin();
    if (static_cast<size_t>(same) < i) {
      fetches_.push_back(fetches_[static_cast<size_t>(same)]);
    } else {
      fetches_.push_back(internal::build_inference_tower(fmt::format("{}{}", options_.tower_name, i),
                                                         devices_[i], function, *input_, inferencers_));
    }
  }
}

void DataParallelInferenceRunner::before_train() {
  const std::vector<Tensor> feeds = input_->feed_tensors();
  for (const auto& fetches : fetches_) {
    callables_.push_back(
        trainer().session().make_callable({feeds.begin(), feeds.end()}, {fetches.begin(), fetches.end()}));
  }
}

void DataParallelInferenceRunner::trigger() {
  for (const auto& inferencer : inferencers_) inferencer->before_inference();
  input_->reset_state();
  int64_t batches = 0;
  {
    BatchDealer dealer(*input_, trainer().stop_token(), callables_.size());
    std::vector<std::jthread> workers;
    for (const Callable& callable : callables_) workers.emplace_back([&] { dealer.work(callable); });
    TerminalBar bar(input_->size(), {.title = options_.tower_name});
    try {
      while (auto values = dealer.next_result()) {
        internal::give_to_inferencers(*values, internal::batch_size_of(*values), inferencers_);
        ++batches;
        bar.update();
      }
    } catch (...) {
      dealer.end();
      throw;
    }
  }
  input_->stop();
  if (trainer().stop_requested()) {
    log_info("[DataParallelInferenceRunner] stopped after {} batches, nothing is reported.", batches);
    return;
  }
  if (batches == 0) {
    throw DataError(
        fmt::format("[DataParallelInferenceRunner {}] expected data, got none", options_.tower_name));
  }
  internal::report(trainer(), inferencers_);
}

void DataParallelInferenceRunner::after_train() {
  input_->stop();
}

}  // namespace belfry
