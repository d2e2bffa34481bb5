#include "belfry/dataflow/internal/unordered_map.h"

#include <mutex>
#include <thread>
#include <vector>

#include "belfry/base/bounded_queue.h"

// Each thread takes a datapoint from the source, under its mutex, maps it and puts the result into one queue.
// The last thread to end closes the queue. An exception closes it at once: what is in it still comes, then
// the exception.
namespace belfry::internal {

class UnorderedMapPass::Workers {
 public:
  Workers(DataIterator source, std::shared_ptr<const MapFunction> function, const MapCall& first,
          int64_t num_thread, int64_t buffer_size)
      : source_(std::move(source)),
        function_(std::move(function)),
        call_(first),
        num_thread_(num_thread),
        queue_(static_cast<size_t>(buffer_size)) {}

  ~Workers() {
    queue_.cancel();
    for (std::thread& thread : threads_) thread.join();
  }

  std::optional<Datapoint> next() {
    if (threads_.empty()) start();
    return queue_.pop();
  }

 private:
  void start() {
    running_ = num_thread_;
    for (int64_t i = 0; i < num_thread_; ++i) threads_.emplace_back([this] { run(); });
  }

  void run() {
    try {
      while (auto task = take()) {
        std::optional<Datapoint> result = map_call(*function_, std::move(task->datapoint), task->call);
        if (result && !queue_.push(std::move(*result))) break;
      }
    } catch (...) {
      queue_.close(std::current_exception());
    }
    if (--running_ == 0) queue_.close();
  }

  struct Task {
    Datapoint datapoint;
    MapCall call;
  };
  std::optional<Task> take() {
    std::lock_guard lock(source_mutex_);
    std::optional<Datapoint> datapoint = source_.next();
    if (!datapoint) return std::nullopt;
    Task task{std::move(*datapoint), call_};
    ++call_.index;
    return task;
  }

  std::mutex source_mutex_;  // guards the source and the next call
  DataIterator source_;
  const std::shared_ptr<const MapFunction> function_;
  MapCall call_;
  const int64_t num_thread_;
  BoundedQueue<Datapoint> queue_;
  std::atomic<int64_t> running_ = 0;
  std::vector<std::thread> threads_;
};

UnorderedMapPass::UnorderedMapPass(DataIterator source, std::shared_ptr<const MapFunction> function,
                                   const MapCall& first, int64_t num_thread, int64_t buffer_size)
    : workers_(std::make_unique<Workers>(std::move(source), std::move(function), first, num_thread,
                                         buffer_size)) {}
UnorderedMapPass::UnorderedMapPass(UnorderedMapPass&&) noexcept = default;
UnorderedMapPass::~UnorderedMapPass() = default;

std::optional<Datapoint> UnorderedMapPass::next() {
  return workers_->next();
}

}  // namespace belfry::internal
