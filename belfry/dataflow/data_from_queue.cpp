#include "belfry/dataflow/data_from_queue.h"

#include "belfry/base/error.h"

namespace belfry {

DataFromQueue::DataFromQueue(std::shared_ptr<BoundedQueue<Datapoint>> queue) : queue_(std::move(queue)) {
  if (!queue_) throw UsageError("[DataFromQueue] expected a queue, got a null pointer");
}

DataIterator DataFromQueue::start_pass(int64_t) {
  return DataIterator([queue = queue_] { return queue->pop(); });
}

}  // namespace belfry
