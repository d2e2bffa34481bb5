#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/graph/types.h"
#include "belfry/predict/predictor.h"

namespace belfry {

/// A request was not run: its caller cancelled it, or its predictor had stopped.
class CancelledError : public Error {
 public:
  using Error::Error;
};

struct BatchingOptions {
  /// Samples of one call of the predictor, at most.
  int64_t max_batch = 32;
  /// How long a sample may wait for others to join its batch. 0: a free worker takes what waits at that
  /// moment, so that batches form only while all workers are busy.
  std::chrono::microseconds max_delay{0};
  /// Batches have max_batch samples or a power of two, unless the requests' rows do not add up to one; the
  /// rest waits for the next call. A compiled predictor makes a program for each size, and keeps a few of
  /// them.
  bool few_sizes = true;
  /// Threads that call the predictor at the same time. Each also uses LibTorch's threads within a call.
  int workers = 1;
  /// Samples that wait, at most; not less than max_batch.
  int64_t max_queue = 1024;
  /// What the predictor takes, its batch dimension first: requests are checked against it when they are
  /// submitted. Empty: only the predictor itself checks them. `predictor.inputs()` is that of a predictor of
  /// batches.
  std::vector<TensorSpec> inputs = {};
};

/// Seconds from submission to answer, counted in buckets.
struct LatencyHistogram {
  /// Upper bounds of the buckets; one more bucket holds what is above the last.
  static constexpr std::array<double, 14> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                     0.1,    0.25,  0.5,    1,     2.5,  5,     10};
  std::array<uint64_t, kBounds.size() + 1> counts{};
  double sum = 0;

  void add(double seconds);
  uint64_t count() const;
};

/// Counts since construction, and the queue's length now. Every accepted request ends in exactly one of
/// `answered`, `failed` and `cancelled`.
struct BatchingStats {
  uint64_t accepted = 0, answered = 0, failed = 0, cancelled = 0;
  /// Requests that try_submit() found no room for.
  uint64_t rejected = 0;
  /// Calls of the predictor that gave results, and the samples in them.
  uint64_t batches = 0, samples = 0;
  /// Samples that wait.
  int64_t queued = 0;
  /// Of the answered requests.
  LatencyHistogram latency;

  double mean_batch() const;
};

/// Lets many threads that hold a sample each use a predictor that is fastest with batches: samples of equal
/// dtypes and shapes that wait at the same time share a call. A batch starts when it is full, or when its
/// oldest sample has waited for max_delay, as soon as a worker is free; the oldest batch comes first.
///
/// A request's inputs must not be changed until its future is ready. Results are parts of their batch's
/// outputs: they share memory with the rest of it, and each output needs a row for each sample.
///
/// When a call with several requests fails, each of them is run again alone: a bad one gets its own error and
/// harms nobody else.
///
/// All methods are safe from any thread.
class BatchingPredictor {
 public:
  using Result = std::vector<at::Tensor>;

  /// Throws UsageError when there is no predictor, or for options out of range.
  explicit BatchingPredictor(std::shared_ptr<const Predictor> predictor, BatchingOptions options = {});
  /// As stop(), so that every future of the past is ready. Requires: no thread is in another method, nor
  /// enters one; where others submit, call stop() or cancel() and join them first, as it wakes those who wait
  /// for room with a CancelledError. Not by a worker. Futures may outlive the predictor.
  ~BatchingPredictor();
  BatchingPredictor(const BatchingPredictor&) = delete;
  BatchingPredictor& operator=(const BatchingPredictor&) = delete;

  /// Queues one sample: an array for each input, without the batch dimension. The future gives an array for
  /// each output, without it as well, or throws what the prediction threw. While the queue is full it waits.
  ///
  /// Once `cancel` is requested the sample will not be run unless its batch has started; its future throws
  /// CancelledError as soon as its turn comes.
  ///
  /// Throws UsageError for a wrong number of inputs, dtype or shape; CancelledError when `cancel` is
  /// requested or the predictor stops before there is room.
  std::future<Result> submit(std::vector<at::Tensor> sample, std::stop_token cancel = {});
  /// As submit(), for 1 to max_batch samples that stay together: arrays and results have a batch dimension.
  std::future<Result> submit_rows(std::vector<at::Tensor> rows, std::stop_token cancel = {});
  /// As submit(), but the thread that ran the sample calls `done` with its future, which is ready. What it
  /// throws is logged. It must not wait for other samples, nor stop the predictor.
  void submit_with_callback(std::vector<at::Tensor> sample, std::function<void(std::future<Result>)> done);
  /// As the above, but without waiting: nothing when the queue has no room.
  std::optional<std::future<Result>> try_submit(std::vector<at::Tensor> sample, std::stop_token cancel = {});
  std::optional<std::future<Result>> try_submit_rows(std::vector<at::Tensor> rows,
                                                     std::stop_token cancel = {});

  /// Submits a sample and waits for its result. Throws what the prediction threw.
  Result operator()(std::vector<at::Tensor> sample) { return submit(std::move(sample)).get(); }

  /// Takes no more requests, answers those that wait, without further delay, and joins the threads. May be
  /// called again, but not by a worker (from within the predictor).
  void stop();
  /// As stop(), but requests that wait are not run: their futures throw CancelledError.
  void cancel();

  BatchingStats stats() const;

 private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace belfry
