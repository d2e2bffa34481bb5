#pragma once

#include <ATen/core/Tensor.h>

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

  explicit MultiThreadAsyncPredictor(std::shared_ptr<const Predictor> predictor,
                                     AsyncPredictorOptions options = {});
  /// Finishes the tasks that were put, then stops the threads.
  ~MultiThreadAsyncPredictor();
  MultiThreadAsyncPredictor(const MultiThreadAsyncPredictor&) = delete;
  MultiThreadAsyncPredictor& operator=(const MultiThreadAsyncPredictor&) = delete;

  /// Queues a task. Its future gives the outputs, or throws what its own prediction threw: a bad task does
  /// not harm others, also not those in the same batch. Safe from any thread. Throws UsageError after stop().
  std::future<Result> put(std::vector<at::Tensor> inputs);

  /// Finishes the tasks that were put and joins the threads. May be called again, and from any thread.
  void stop();

 private:
  struct Calls;
  std::unique_ptr<Calls> calls_;  ///< one of the two
  std::unique_ptr<BatchingPredictor> samples_;
};

}  // namespace belfry
