#include "belfry/predict/batching_predictor.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <span>
#include <thread>
#include <utility>

#include "belfry/graph/graph.h"
#include "belfry/graph/tensor.h"
#include "belfry/predict/internal/batch_former.h"
#include "belfry/predict/internal/call_back.h"

// Requests wait in BatchFormer, which decides alone what makes a batch and has no clock and no threads;
// workers take batches, call the predictor and deal the rows out. One mutex guards the former and the counts;
// the predictor is called, and promises are kept, without it.

namespace belfry {

using internal::BatchFormer;
using internal::Clock;
using internal::Request;

void LatencyHistogram::add(double seconds) {
  ++counts[std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin()];
  sum += seconds;
}
uint64_t LatencyHistogram::count() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

double BatchingStats::mean_batch() const {
  return batches ? static_cast<double>(samples) / static_cast<double>(batches) : 0;
}

struct BatchingPredictor::Engine {
  Engine(std::shared_ptr<const Predictor> p, BatchingOptions o)
      : predictor(std::move(p)),
        options(std::move(o)),
        former(options.max_batch, options.max_delay, options.few_sizes) {
    for (int i = 0; i < options.workers; ++i) {
      workers.emplace_back([this](std::stop_token finish) { work(finish); });
    }
  }
  ~Engine() { stop(); }

  std::optional<std::future<Result>> enqueue(Request request, bool wait_for_room) {
    check(request);
    std::future<Result> result;
    if (!request.done) result = request.promise.get_future();
    {
      std::unique_lock lock(mutex);
      auto may_go_on = [&] { return closed || former.rows() + request.rows <= options.max_queue; };
      if (wait_for_room ? !room.wait(lock, request.cancel, may_go_on) : !may_go_on()) {
        if (wait_for_room) throw CancelledError("[BatchingPredictor] cancelled while it waited for room");
        ++stats.rejected;
        return std::nullopt;
      }
      if (closed)
        throw CancelledError("[BatchingPredictor] expected to be running, got a request after stop()");
      request.arrived = Clock::now();
      former.add(std::move(request));
      ++stats.accepted;
    }
    news.notify_one();
    return result;
  }

  void stop() {
    {
      std::lock_guard lock(mutex);
      closed = true;
    }
    room.notify_all();
    std::lock_guard one_at_a_time(join_mutex);
    for (std::jthread& worker : workers) worker.request_stop();
    for (std::jthread& worker : workers) {
      if (worker.joinable()) worker.join();
    }
  }

  void cancel() {
    std::vector<Request> waiting;
    {
      std::lock_guard lock(mutex);
      closed = true;
      waiting = former.take_all();
    }
    fail_cancelled(waiting, "[BatchingPredictor] stopped before the request was run");
    stop();
  }

  void work(std::stop_token finish) {
    const at::NoGradGuard no_grad;
    while (auto batch = next_batch(finish)) {
      room.notify_all();
      fail_cancelled(batch->cancelled, "[BatchingPredictor] cancelled by its caller");
      if (!batch->run.empty()) run(batch->run);
    }
  }

  /// Waits for a batch; nothing when `finish` is requested and no request waits.
  std::optional<BatchFormer::Batch> next_batch(const std::stop_token& finish) {
    std::unique_lock lock(mutex);
    for (;;) {
      if (auto batch = former.take(Clock::now(), finish.stop_requested())) {
        // Whoever was woken for a request may have been this worker, which is busy from here on.
        if (former.rows() > 0) news.notify_one();
        return batch;
      }
      if (finish.stop_requested()) return std::nullopt;
      // Without an arrival, only the clock can make a group ready.
      const uint64_t seen = stats.accepted;
      auto changed = [&] { return stats.accepted != seen; };
      if (const auto deadline = former.next_deadline()) {
        news.wait_until(lock, finish, *deadline, changed);
      } else {
        news.wait(lock, finish, changed);
      }
    }
  }

  void run(std::span<Request> requests) {
    std::vector<Result> results;
    try {
      results = predict(requests);
    } catch (...) {
      if (requests.size() == 1) return fail(requests[0], std::current_exception(), stats.failed);
      for (Request& request : requests) run({&request, 1});
      return;
    }
    count_answers(requests);
    for (size_t i = 0; i < requests.size(); ++i) {
      requests[i].promise.set_value(std::move(results[i]));
      call_back(requests[i]);
    }
  }

  static void call_back(Request& request) {
    if (request.done) internal::call_back(request.done, request.promise.get_future());
  }

  /// One call of the predictor; each request's part of its outputs.
  std::vector<Result> predict(std::span<const Request> requests) const {
    std::vector<at::Tensor> inputs = requests[0].inputs;
    for (size_t k = 0; requests.size() > 1 && k < inputs.size(); ++k) {
      std::vector<at::Tensor> parts;
      for (const Request& request : requests) parts.push_back(request.inputs[k]);
      inputs[k] = at::cat(parts);
    }
    const int64_t rows = rows_of(requests);
    const Result outputs = (*predictor)(inputs);
    std::vector<Result> results(requests.size());
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (outputs[k].dim() == 0 || outputs[k].size(0) != rows) {
        throw UsageError(
            fmt::format("[BatchingPredictor {}] expected an output with a row for each of {} samples, got {}",
                        predictor->output_names()[k], rows, to_string(outputs[k].sizes().vec())));
      }
      int64_t row = 0;
      for (size_t i = 0; i < requests.size(); row += requests[i].rows, ++i) {
        results[i].push_back(requests[i].is_sample ? outputs[k].select(0, row)
                                                   : outputs[k].narrow(0, row, requests[i].rows));
      }
    }
    return results;
  }

  static int64_t rows_of(std::span<const Request> requests) {
    int64_t rows = 0;
    for (const Request& request : requests) rows += request.rows;
    return rows;
  }

  // What is counted is counted before the caller can see it.

  void count_answers(std::span<const Request> requests) {
    const Clock::time_point now = Clock::now();
    std::lock_guard lock(mutex);
    ++stats.batches;
    stats.samples += static_cast<uint64_t>(rows_of(requests));
    stats.answered += requests.size();
    for (const Request& request : requests) {
      stats.latency.add(std::chrono::duration<double>(now - request.arrived).count());
    }
  }

  void fail(Request& request, std::exception_ptr error, uint64_t& counter) {
    {
      std::lock_guard lock(mutex);
      ++counter;
    }
    request.promise.set_exception(std::move(error));
    call_back(request);
  }

  void fail_cancelled(std::span<Request> requests, const char* message) {
    for (Request& request : requests) {
      fail(request, std::make_exception_ptr(CancelledError(message)), stats.cancelled);
    }
  }

  void check(Request& request) const;

  const std::shared_ptr<const Predictor> predictor;
  const BatchingOptions options;

  std::mutex mutex;                  // guards the members down to stats
  std::condition_variable_any room;  // for callers: rows left the queue, or it closed
  std::condition_variable_any news;  // for workers: a request came
  BatchFormer former;
  bool closed = false;
  BatchingStats stats;

  std::mutex join_mutex;  // guards the joining of workers
  std::vector<std::jthread> workers;
};

namespace {

using Result = BatchingPredictor::Result;

Request make_request(std::vector<at::Tensor> inputs, bool is_sample, std::stop_token cancel) {
  Request request;
  request.inputs = std::move(inputs);
  request.is_sample = is_sample;
  request.cancel = std::move(cancel);
  return request;
}

std::string describe(DType dtype, c10::IntArrayRef sizes) {
  return to_string(dtype) + " " + to_string(sizes.vec());
}

void check_options(const Predictor* predictor, const BatchingOptions& options) {
  using namespace std::chrono_literals;
  if (!predictor) throw UsageError("[BatchingPredictor] expected a predictor, got none");
  if (options.max_batch < 1 || options.workers < 1 || options.max_queue < options.max_batch) {
    throw UsageError(fmt::format(
        "[BatchingPredictor] expected max_batch >= 1, workers >= 1 and max_queue >= max_batch, got {}, "
        "{} and {}",
        options.max_batch, options.workers, options.max_queue));
  }
  if (options.max_delay < 0s || options.max_delay > 1h) {
    throw UsageError(fmt::format("[BatchingPredictor] expected a max_delay of 0 to 1 hour, got {} us",
                                 options.max_delay.count()));
  }
  if (!options.inputs.empty() && options.inputs.size() != predictor->input_names().size()) {
    throw UsageError(fmt::format("[BatchingPredictor] expected a spec for each of {} inputs, got {}",
                                 predictor->input_names().size(), options.inputs.size()));
  }
  for (const TensorSpec& spec : options.inputs) {
    if (spec.shape.empty()) {
      throw UsageError(fmt::format("[BatchingPredictor {}] expected a batch dimension, got []", spec.name));
    }
  }
}

}  // namespace

/// Completes a request: samples get their batch dimension, and its rows are counted.
void BatchingPredictor::Engine::check(Request& request) const {
  const std::vector<std::string>& names = predictor->input_names();
  if (request.inputs.size() != names.size()) {
    throw UsageError(
        fmt::format("[BatchingPredictor] expected {} inputs, got {}", names.size(), request.inputs.size()));
  }
  for (size_t k = 0; k < names.size(); ++k) {
    at::Tensor& input = request.inputs[k];
    if (!input.defined())
      throw UsageError(fmt::format("[BatchingPredictor {}] expected an array, got none", names[k]));
    if (request.is_sample) input = input.unsqueeze(0);
    const c10::IntArrayRef sizes = input.sizes();
    if (sizes.empty() || sizes[0] < 1 || sizes[0] > options.max_batch) {
      throw UsageError(fmt::format("[BatchingPredictor {}] expected 1 to {} rows, got {}", names[k],
                                   options.max_batch, to_string(sizes.vec())));
    }
    if (k > 0 && sizes[0] != request.rows) {
      throw UsageError(fmt::format("[BatchingPredictor {}] expected {} rows as in '{}', got {}", names[k],
                                   request.rows, names[0], to_string(sizes.vec())));
    }
    request.rows = sizes[0];
    if (options.inputs.empty()) continue;
    const TensorSpec& spec = options.inputs[k];
    Shape expected = spec.shape;
    expected[0] = kDynamic;
    if (input.scalar_type() != spec.dtype || !is_compatible_with(expected, sizes.vec())) {
      throw UsageError(fmt::format("[BatchingPredictor {}] expected {}, got {}", names[k],
                                   describe(spec.dtype, expected), describe(input.scalar_type(), sizes)));
    }
  }
}

BatchingPredictor::BatchingPredictor(std::shared_ptr<const Predictor> predictor, BatchingOptions options) {
  check_options(predictor.get(), options);
  engine_ = std::make_unique<Engine>(std::move(predictor), std::move(options));
}
BatchingPredictor::~BatchingPredictor() = default;

std::future<Result> BatchingPredictor::submit(std::vector<at::Tensor> sample, std::stop_token cancel) {
  return *engine_->enqueue(make_request(std::move(sample), true, std::move(cancel)), true);
}
std::future<Result> BatchingPredictor::submit_rows(std::vector<at::Tensor> rows, std::stop_token cancel) {
  return *engine_->enqueue(make_request(std::move(rows), false, std::move(cancel)), true);
}
void BatchingPredictor::submit_with_callback(std::vector<at::Tensor> sample,
                                             std::function<void(std::future<Result>)> done) {
  if (!done) throw UsageError("[BatchingPredictor] expected a callback, got an empty one");
  Request request = make_request(std::move(sample), true, {});
  request.done = std::move(done);
  engine_->enqueue(std::move(request), true);
}
std::optional<std::future<Result>> BatchingPredictor::try_submit(std::vector<at::Tensor> sample,
                                                                 std::stop_token cancel) {
  return engine_->enqueue(make_request(std::move(sample), true, std::move(cancel)), false);
}
std::optional<std::future<Result>> BatchingPredictor::try_submit_rows(std::vector<at::Tensor> rows,
                                                                      std::stop_token cancel) {
  return engine_->enqueue(make_request(std::move(rows), false, std::move(cancel)), false);
}

void BatchingPredictor::stop() {
  engine_->stop();
}
void BatchingPredictor::cancel() {
  engine_->cancel();
}

BatchingStats BatchingPredictor::stats() const {
  std::lock_guard lock(engine_->mutex);
  BatchingStats stats = engine_->stats;
  stats.queued = engine_->former.rows();
  return stats;
}

}  // namespace belfry
