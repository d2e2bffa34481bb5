#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "belfry/base/bounded_queue.h"
#include "belfry/input/dataflow_input.h"

namespace belfry {

struct QueueInputOptions {
  /// How many datapoints (batches) may wait in the queue.
  size_t capacity = 50;
  /// False: a pass ends with the dataflow. True: the dataflow is repeated for ever, as training wants it.
  bool infinite = true;
  /// The queue of datapoints, in place of one of its own, with its own capacity: for programs that look at
  /// it, or in which other threads too put datapoints in, or take some out. It is closed at the end of the
  /// data, and cancelled by stop(), so the source has one pass; and nobody knows what of the data was taken.
  std::shared_ptr<BoundedQueue<Datapoint>> queue = {};
};

/// Iterates over a dataflow in a thread of its own and keeps the datapoints in a queue, so that data is
/// produced while steps run. The thread starts with reset_state(). It ends with the data, or after stop()
/// with the datapoint it is producing; the next reset_state() and the destructor wait for that. What the
/// dataflow throws is thrown by next(), after the datapoints before it; then the pass is over.
class QueueInput : public DataFlowInput {
 public:
  explicit QueueInput(AnyDataFlow dataflow, QueueInputOptions options = {});
  QueueInput(QueueInput&&) noexcept;
  ~QueueInput() override;

  std::string name() const override { return "QueueInput"; }
  std::optional<Datapoint> next(std::stop_token stop = {}) override;
  /// Throws UsageError for a second pass with a queue of the program's own.
  void reset_state() override;
  void stop() override;
  std::optional<DataPosition> position() const override;
  bool resume_at(const DataPosition& position) override;

  /// Datapoints that wait in the queue at this moment.
  size_t queue_size() const;

 private:
  class Prefetcher;
  QueueInputOptions options_;
  std::unique_ptr<Prefetcher> prefetcher_;
};

/// A QueueInput whose dataflow has single datapoints, of which each step takes `batch_size` from the queue
/// and stacks them, components [H, W, C] to [N, H, W, C]. Datapoints that are left over at the end of a
/// finite one are dropped; an infinite one goes on with those of the next pass.
class BatchQueueInput : public QueueInput {
 public:
  /// `options.capacity` counts datapoints. Throws UsageError when `batch_size` is not positive; at setup when
  /// an input has no first dimension, one of another size, or another dimension that is not known.
  BatchQueueInput(AnyDataFlow dataflow, int64_t batch_size, QueueInputOptions options = {.capacity = 3000});

  std::string name() const override { return "BatchQueueInput"; }
  /// Throws DataError when a component has another shape or dtype in one datapoint than in another.
  std::optional<Datapoint> next(std::stop_token stop = {}) override;
  /// Batches in one pass, without a smaller last one.
  std::optional<int64_t> size() const override;
  std::optional<int64_t> data_size() const override { return QueueInput::size(); }

 private:
  void on_setup() override;
  int64_t batch_size_;
};

}  // namespace belfry
