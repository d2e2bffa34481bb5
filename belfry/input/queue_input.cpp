#include "belfry/input/queue_input.h"

#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

#include "belfry/base/bounded_queue.h"
#include "belfry/base/error.h"
#include "belfry/base/error_context.h"
#include "belfry/dataflow/object_component.h"

// One thread for each pass produces datapoints into a bounded queue. Invariant: an item carries where its
// pass stands after it, so that the position of the input is that of what was taken, not of what is
// prefetched.

namespace belfry {

/// The thread of one pass and its queue.
class QueueInput::Prefetcher {
 public:
  /// What waits in the queue, and where the pass stands after it.
  struct Item {
    Datapoint datapoint;
    DataPosition after;
  };

  Prefetcher(Pass pass, const QueueInputOptions& options)
      : own_(options.capacity),
        shared_(options.queue),
        thread_([this, pass = std::move(pass)]() mutable { produce(std::move(pass)); }) {}
  /// Waits for the datapoint that is being produced, if any.
  ~Prefetcher() {
    cancel();
    thread_.join();
  }

  std::optional<Item> pop(std::stop_token stop) {
    if (!shared_) return own_.pop(std::move(stop));
    std::optional<Datapoint> datapoint = shared_->pop(std::move(stop));
    if (!datapoint) return std::nullopt;
    return Item{std::move(*datapoint), {}};
  }
  size_t size() const { return shared_ ? shared_->size() : own_.size(); }

  void stop() {
    is_stopped_ = true;
    cancel();
  }
  bool is_stopped() const { return is_stopped_; }

 private:
  void produce(Pass pass) {
    try {
      while (std::optional<Datapoint> datapoint = pass.next()) {
        if (!push({std::move(*datapoint), pass.position()})) return;
      }
      close();
    } catch (...) {
      close(with_context());
    }
  }

  bool push(Item item) {
    return shared_ ? shared_->push(std::move(item.datapoint)) : own_.push(std::move(item));
  }
  void close(std::exception_ptr error = nullptr) {
    if (shared_) return shared_->close(std::move(error));
    own_.close(std::move(error));
  }
  void cancel() {
    if (shared_) return shared_->cancel();
    own_.cancel();
  }

  /// The exception being handled, saying that it is from this thread.
  static std::exception_ptr with_context() {
    try {
      rethrow_with_context("[QueueInput] prefetching thread");
    } catch (...) {
      return std::current_exception();
    }
  }

  BoundedQueue<Item> own_;
  std::shared_ptr<BoundedQueue<Datapoint>> shared_;  ///< used in its place, if there is one
  bool is_stopped_ = false;
  std::thread thread_;
};

QueueInput::QueueInput(AnyDataFlow dataflow, QueueInputOptions options)
    : DataFlowInput(std::move(dataflow), options.infinite), options_(std::move(options)) {
  if (options_.capacity == 0) throw UsageError("[QueueInput] expected a capacity of at least 1, got 0");
}
QueueInput::QueueInput(QueueInput&&) noexcept = default;
QueueInput::~QueueInput() = default;

void QueueInput::reset_state() {
  if (prefetcher_ && options_.queue)
    throw UsageError(
        fmt::format("[{}] expected one pass with a queue of the program, got reset_state again", name()));
  prefetcher_.reset();
  prefetcher_ = std::make_unique<Prefetcher>(new_pass(), options_);
}

void QueueInput::stop() {
  if (prefetcher_) prefetcher_->stop();
}

std::optional<Datapoint> QueueInput::next(std::stop_token stop) {
  if (!prefetcher_ || prefetcher_->is_stopped())
    throw UsageError(fmt::format("[{}] expected reset_state before next, got no call of it", name()));
  if (stop.stop_requested()) return std::nullopt;
  std::optional<Prefetcher::Item> item = prefetcher_->pop(std::move(stop));
  if (!item) return std::nullopt;
  Datapoint datapoint = for_inputs(std::move(item->datapoint));
  if (!options_.queue) taken_up_to(item->after);
  return datapoint;
}

size_t QueueInput::queue_size() const {
  return prefetcher_ ? prefetcher_->size() : 0;
}

std::optional<DataPosition> QueueInput::position() const {
  return options_.queue ? std::nullopt : DataFlowInput::position();
}

bool QueueInput::resume_at(const DataPosition& position) {
  return !options_.queue && DataFlowInput::resume_at(position);
}

BatchQueueInput::BatchQueueInput(AnyDataFlow dataflow, int64_t batch_size, QueueInputOptions options)
    : QueueInput(std::move(dataflow), std::move(options)), batch_size_(batch_size) {
  if (batch_size_ <= 0)
    throw UsageError(fmt::format("[BatchQueueInput] expected batch_size > 0, got {}", batch_size_));
}

void BatchQueueInput::on_setup() {
  for (const TensorSpec& spec : signature()) {
    const bool fits = !spec.shape.empty() && (spec.shape[0] == kDynamic || spec.shape[0] == batch_size_) &&
                      std::find(spec.shape.begin() + 1, spec.shape.end(), kDynamic) == spec.shape.end();
    if (fits) continue;
    throw UsageError(fmt::format(
        "[BatchQueueInput] expected inputs of batches of {}, all other sizes known, got {} of shape {}",
        batch_size_, spec.name, to_string(spec.shape)));
  }
  QueueInput::on_setup();
}

std::optional<int64_t> BatchQueueInput::size() const {
  const std::optional<int64_t> datapoints = QueueInput::size();
  if (!datapoints) return std::nullopt;
  return *datapoints / batch_size_;
}

std::optional<Datapoint> BatchQueueInput::next(std::stop_token stop) {
  std::vector<std::vector<at::Tensor>> columns(signature().size());
  for (int64_t i = 0; i < batch_size_; ++i) {
    std::optional<Datapoint> datapoint = QueueInput::next(stop);
    if (!datapoint) return std::nullopt;
    for (size_t c = 0; c < columns.size(); ++c) {
      const at::Tensor& value = datapoint->at(c);
      const at::Tensor& first = i == 0 ? value : columns[c][0];
      if (is_object(value) || value.sizes() != first.sizes() || value.scalar_type() != first.scalar_type()) {
        throw DataError(
            fmt::format("[BatchQueueInput] expected tensors of one shape and dtype for input '{}', got "
                        "another in datapoint {} "
                        "of a batch of {}",
                        signature()[c].name, i, batch_size_));
      }
      columns[c].push_back(value);
    }
  }
  Datapoint batch;
  for (const std::vector<at::Tensor>& column : columns) batch.push_back(at::stack(column));
  return batch;
}

}  // namespace belfry
