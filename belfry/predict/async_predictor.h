#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <future>
#include <memory>
#include <vector>

#include "belfry/predict/predictor.h"

namespace belfry {

class BatchingPredictor;

struct AsyncPredictorOptions {
  int threads = 1;
  /// Tasks that wait at the same time; put() blocks while there are more.
  size_t queue_size = 100;
  /// 0: every task is one call, with the inputs as the predictor takes them. n: a task is one sample, without
  /// the batch dimension; up to n waiting samples of equal shapes share a call, and each gets its part.
  int64_t batch_size = 0;
};

/// Predicts in background threads: many callers put tasks, a few threads work on them.
class MultiThreadAsyncPredictor {
 public:
  using Result = std::vector<at::Tensor>;

  /// What a task's thread calls when the task is done, with its future, which is ready.
  using Callback = std::function<void(std::future<Result>)>;

  explicit MultiThreadAsyncPredictor(std::shared_ptr<const Predictor> predictor,
                                     AsyncPredictorOptions options = {});
  /// Spreads the tasks over several predictors (PredictorList), with a thread for each, or more of
  /// `options.threads`.
  explicit MultiThreadAsyncPredictor(std::vector<std::shared_ptr<const Predictor>> predictors,
                                     AsyncPredictorOptions options = {});
  /// Finishes the tasks that were put, then stops the threads.
  ~MultiThreadAsyncPredictor();
  MultiThreadAsyncPredictor(const MultiThreadAsyncPredictor&) = delete;
  MultiThreadAsyncPredictor& operator=(const MultiThreadAsyncPredictor&) = delete;

  /// Queues a task. Its future gives the outputs, or throws what its own prediction threw: a bad task does
  /// not harm others, also not those in the same batch. Safe from any thread. Throws UsageError after stop().
  std::future<Result> put(std::vector<at::Tensor> inputs);
  /// Queues a task; `done` is called with its result or error, exactly once, by one of the threads, or by
  /// this one where the task is refused at once. What it throws is logged. It must not wait for other tasks,
  /// nor stop or destroy the predictor. Throws UsageError when it is empty, and after stop().
  void put_task(std::vector<at::Tensor> inputs, Callback done);

  /// Finishes the tasks that were put and joins the threads. May be called again, and from any thread.
  void stop();

 private:
  struct Calls;
  std::unique_ptr<Calls> calls_;  ///< one of the two
  std::unique_ptr<BatchingPredictor> samples_;
};

}  // namespace belfry
