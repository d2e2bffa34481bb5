#include "belfry/predict/async_predictor.h"

#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <mutex>
#include <span>
#include <thread>
#include <utility>

#include "belfry/base/bounded_queue.h"
#include "belfry/base/error.h"

namespace belfry {

struct MultiThreadAsyncPredictor::Worker {
  struct Task {
    std::vector<at::Tensor> inputs;
    std::promise<Result> promise;
  };

  Worker(std::shared_ptr<const Predictor> p, const AsyncPredictorOptions& options)
      : predictor(std::move(p)), batch_size(options.batch_size), queue(options.queue_size) {}
  ~Worker() { stop(); }

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
      if (batch_size == 0) {
        answer(*task, [&] { return (*predictor)(task->inputs); });
        continue;
      }
      std::vector<Task> batch;
      batch.push_back(std::move(*task));
      while (static_cast<int64_t>(batch.size()) < batch_size) {
        auto more = queue.try_pop();
        if (!more) break;
        batch.push_back(std::move(*more));
      }
      predict(batch);
    }
  }

  void predict(std::vector<Task>& batch) {
    if (batch.size() > 1) {
      try {
        const Result outputs = predict_stacked(batch);
        for (size_t i = 0; i < batch.size(); ++i) batch[i].promise.set_value(part(outputs, i));
        return;
      } catch (const std::exception&) {
        // One of the samples is bad, or they differ in number or shape: alone, each gets its own result or
        // error.
      }
    }
    for (Task& task : batch) {
      answer(task, [&] { return part(predict_stacked({&task, 1}), 0); });
    }
  }

  Result predict_stacked(std::span<Task> batch) const {
    const size_t count = batch[0].inputs.size();
    for (const Task& task : batch) {
      if (task.inputs.size() != count) {
        throw UsageError(fmt::format("[MultiThreadAsyncPredictor] expected samples of {} inputs, got {}",
                                     count, task.inputs.size()));
      }
    }
    std::vector<at::Tensor> inputs;
    for (size_t k = 0; k < count; ++k) {
      std::vector<at::Tensor> samples;
      for (const Task& task : batch) samples.push_back(task.inputs[k]);
      inputs.push_back(at::stack(samples));
    }
    Result outputs = (*predictor)(inputs);
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (outputs[k].dim() == 0 || outputs[k].size(0) != static_cast<int64_t>(batch.size())) {
        throw UsageError(
            fmt::format("[MultiThreadAsyncPredictor] expected a row for each of {} samples in '{}'",
                        batch.size(), predictor->output_names()[k]));
      }
    }
    return outputs;
  }

  static Result part(const Result& outputs, size_t i) {
    Result mine;
    for (const at::Tensor& output : outputs) mine.push_back(output.select(0, static_cast<int64_t>(i)));
    return mine;
  }

  template <typename Predict>
  static void answer(Task& task, Predict predict) {
    try {
      task.promise.set_value(predict());
    } catch (...) {
      task.promise.set_exception(std::current_exception());
    }
  }

  std::shared_ptr<const Predictor> predictor;
  int64_t batch_size;
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
  worker_ = std::make_unique<Worker>(std::move(predictor), options);
  worker_->start(options.threads);
}
MultiThreadAsyncPredictor::~MultiThreadAsyncPredictor() = default;

std::future<MultiThreadAsyncPredictor::Result> MultiThreadAsyncPredictor::put(
    std::vector<at::Tensor> inputs) {
  Worker::Task task{std::move(inputs), {}};
  std::future<Result> result = task.promise.get_future();
  if (!worker_->queue.push(std::move(task))) {
    throw UsageError("[MultiThreadAsyncPredictor] expected to be running, got a task after stop()");
  }
  return result;
}

void MultiThreadAsyncPredictor::stop() {
  worker_->stop();
}

}  // namespace belfry
