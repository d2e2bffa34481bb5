#include "belfry/input/queue_input.h"

#include <fmt/format.h>

#include <exception>
#include <thread>
#include <utility>

#include "belfry/base/bounded_queue.h"
#include "belfry/base/error.h"
#include "belfry/base/error_context.h"

namespace belfry {

/// The thread of one pass and its queue.
class QueueInput::Prefetcher {
 public:
  /// What waits in the queue, and where the pass stands after it.
  struct Item {
    Datapoint datapoint;
    DataPosition after;
  };

  Prefetcher(Pass pass, size_t capacity)
      : queue_(capacity), thread_([this, pass = std::move(pass)]() mutable { produce(std::move(pass)); }) {}
  /// Waits for the datapoint that is being produced, if any.
  ~Prefetcher() {
    queue_.cancel();
    thread_.join();
  }

  BoundedQueue<Item>& queue() { return queue_; }

  void stop() {
    is_stopped_ = true;
    queue_.cancel();
  }
  bool is_stopped() const { return is_stopped_; }

 private:
  void produce(Pass pass) {
    try {
      while (std::optional<Datapoint> datapoint = pass.next()) {
        if (!queue_.push({std::move(*datapoint), pass.position()})) return;
      }
      queue_.close();
    } catch (...) {
      queue_.close(with_context());
    }
  }

  /// The exception being handled, saying that it is from this thread.
  static std::exception_ptr with_context() {
    try {
      rethrow_with_context("[QueueInput] prefetching thread");
    } catch (...) {
      return std::current_exception();
    }
  }

  BoundedQueue<Item> queue_;
  bool is_stopped_ = false;
  std::thread thread_;
};

QueueInput::QueueInput(AnyDataFlow dataflow, QueueInputOptions options)
    : DataFlowInput(std::move(dataflow), options.infinite), capacity_(options.capacity) {
  if (capacity_ == 0) throw UsageError("[QueueInput] expected a capacity of at least 1, got 0");
}
QueueInput::QueueInput(QueueInput&&) noexcept = default;
QueueInput::~QueueInput() = default;

void QueueInput::reset_state() {
  prefetcher_.reset();
  prefetcher_ = std::make_unique<Prefetcher>(new_pass(), capacity_);
}

void QueueInput::stop() {
  if (prefetcher_) prefetcher_->stop();
}

std::optional<Datapoint> QueueInput::next(std::stop_token stop) {
  if (!prefetcher_ || prefetcher_->is_stopped())
    throw UsageError("[QueueInput] expected reset_state before next, got no call of it");
  if (stop.stop_requested()) return std::nullopt;
  std::optional<Prefetcher::Item> item = prefetcher_->queue().pop(std::move(stop));
  if (!item) return std::nullopt;
  Datapoint datapoint = for_inputs(std::move(item->datapoint));
  taken_up_to(item->after);
  return datapoint;
}

size_t QueueInput::queue_size() const {
  return prefetcher_ ? prefetcher_->queue().size() : 0;
}

}  // namespace belfry
