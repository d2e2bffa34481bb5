#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "belfry/input/dataflow_input.h"

namespace belfry {

struct QueueInputOptions {
  /// How many datapoints (batches) may wait in the queue.
  size_t capacity = 50;
  /// False: a pass ends with the dataflow. True: the dataflow is repeated for ever, as training wants it.
  bool infinite = true;
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
  void reset_state() override;
  void stop() override;

  /// Datapoints that wait in the queue at this moment.
  size_t queue_size() const;

 private:
  class Prefetcher;
  size_t capacity_;
  std::unique_ptr<Prefetcher> prefetcher_;
};

}  // namespace belfry
