#include "belfry/predict/async_predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "belfry/base/bounded_queue.h"
#include "belfry/base/error.h"
#include "belfry/predict/batching_predictor.h"
#include "belfry/predict/internal/call_back.h"
#include "belfry/predict/predictor_list.h"

namespace belfry {

/// Runs tasks that are whole calls. Those that are samples go to a BatchingPredictor instead.
struct MultiThreadAsyncPredictor::Calls {
  struct Task {
    std::vector<at::Tensor> inputs;
    std::promise<Result> promise;
    Callback done = {};  // gets the future, where there is one
  };

  Calls(std::shared_ptr<const Predictor> p, const AsyncPredictorOptions& options)
      : predictor(std::move(p)), queue(options.queue_size) {}
  ~Calls() { stop(); }

  void start(int count) {
    for (int i = 0; i < count; ++i) threads.emplace_back([this] { work(); });
  }

  void stop() {
    queue.close();
    std::lock_guard lock(mutex);
    threads.clear();
  }

  void work() {
    while (auto task = queue.pop()) {
      try {
        task->promise.set_value((*predictor)(task->inputs));
      } catch (...) {
        task->promise.set_exception(std::current_exception());
      }
      if (task->done) internal::call_back(task->done, task->promise.get_future());
    }
  }

  std::optional<std::future<Result>> put(std::vector<at::Tensor> inputs) {
    Task task{std::move(inputs), {}};
    std::future<Result> result = task.promise.get_future();
    if (!queue.push(std::move(task))) return std::nullopt;
    return result;
  }
  bool put(std::vector<at::Tensor> inputs, Callback done) {
    return queue.push({std::move(inputs), {}, std::move(done)});
  }

  std::shared_ptr<const Predictor> predictor;
  BoundedQueue<Task> queue;
  std::mutex mutex;                   ///< held by who stops: others wait until the threads have ended
  std::vector<std::jthread> threads;  ///< changed under the mutex once started
};

MultiThreadAsyncPredictor::MultiThreadAsyncPredictor(std::shared_ptr<const Predictor> predictor,
                                                     AsyncPredictorOptions options) {
  if (!predictor) throw UsageError("[MultiThreadAsyncPredictor] expected a predictor, got none");
  if (options.threads < 1 || options.batch_size < 0) {
    throw UsageError(
        fmt::format("[MultiThreadAsyncPredictor] expected threads >= 1 and batch_size >= 0, got {} and {}",
                    options.threads, options.batch_size));
  }
  if (options.batch_size == 0) {
    calls_ = std::make_unique<Calls>(std::move(predictor), options);
    calls_->start(options.threads);
    return;
  }
  const int64_t waiting = std::max(static_cast<int64_t>(options.queue_size), options.batch_size);
  samples_ = std::make_unique<BatchingPredictor>(std::move(predictor),
                                                 BatchingOptions{.max_batch = options.batch_size,
                                                                 .few_sizes = false,
                                                                 .workers = options.threads,
                                                                 .max_queue = waiting});
}
MultiThreadAsyncPredictor::~MultiThreadAsyncPredictor() = default;

MultiThreadAsyncPredictor::MultiThreadAsyncPredictor(std::vector<std::shared_ptr<const Predictor>> predictors,
                                                     AsyncPredictorOptions options)
    : MultiThreadAsyncPredictor(std::make_shared<const PredictorList>(predictors), [&] {
        options.threads = std::max(options.threads, static_cast<int>(predictors.size()));
        return options;
      }()) {}

namespace {

UsageError stopped() {
  return UsageError("[MultiThreadAsyncPredictor] expected to be running, got a task after stop()");
}

}  // namespace

void MultiThreadAsyncPredictor::put_task(std::vector<at::Tensor> inputs, Callback done) {
  if (!done) throw UsageError("[MultiThreadAsyncPredictor] expected a callback, got an empty one");
  if (!samples_) {
    if (!calls_->put(std::move(inputs), std::move(done))) throw stopped();
    return;
  }
  try {
    samples_->submit_with_callback(std::move(inputs), done);
  } catch (const CancelledError&) {
    throw stopped();
  } catch (...) {  // a bad sample is its own future's business
    std::promise<Result> refused;
    refused.set_exception(std::current_exception());
    internal::call_back(done, refused.get_future());
  }
}

std::future<MultiThreadAsyncPredictor::Result> MultiThreadAsyncPredictor::put(
    std::vector<at::Tensor> inputs) {
  if (samples_) {
    try {
      return samples_->submit(std::move(inputs));
    } catch (const CancelledError&) {
      throw stopped();
    } catch (...) {  // a bad sample is its own future's business
      std::promise<Result> refused;
      refused.set_exception(std::current_exception());
      return refused.get_future();
    }
  }
  auto result = calls_->put(std::move(inputs));
  if (!result) throw stopped();
  return std::move(*result);
}

void MultiThreadAsyncPredictor::stop() {
  samples_ ? samples_->stop() : calls_->stop();
}

}  // namespace belfry
