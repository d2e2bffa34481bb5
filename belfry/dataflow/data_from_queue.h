#pragma once

#include "belfry/base/bounded_queue.h"
#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// Produces what other threads put into a queue, waiting when there is nothing, until the queue is closed.
/// An exception given to BoundedQueue::close reaches the consumer. All passes take from the same queue, and
/// what was taken is gone: no position in the data can be returned to.
///
/// A pass that waits ends when the queue is closed or cancelled, so whoever stops early does that too.
class DataFromQueue : public DataFlow {
 public:
  /// Throws UsageError when `queue` is null.
  explicit DataFromQueue(std::shared_ptr<BoundedQueue<Datapoint>> queue);
  DataIterator start_pass(int64_t pass) override;
  bool can_resume() const override { return false; }

 private:
  std::shared_ptr<BoundedQueue<Datapoint>> queue_;
};

}  // namespace belfry
