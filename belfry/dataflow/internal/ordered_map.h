#pragma once

#include <memory>

#include "belfry/base/ordered_workers.h"
#include "belfry/dataflow/internal/map_call.h"

namespace belfry::internal {

/// A pass that works in threads of its own, ahead of the consumer: it runs the source's pass and, where there
/// is one, a map function. Not more than `buffer_size` datapoints are in it. The threads start when the first
/// datapoint is asked for, so that a pass that is resumed in the middle does not make what is skipped.
class OrderedMapPass {
 public:
  /// `first` is the call for the source's next datapoint. Without a `function` the pass is only run ahead.
  OrderedMapPass(DataIterator source, std::shared_ptr<const MapFunction> function, const MapCall& first,
                 int64_t num_thread, int64_t buffer_size)
      : source_(std::make_shared<DataIterator>(std::move(source))),
        function_(std::move(function)),
        first_(first),
        num_thread_(num_thread),
        buffer_size_(buffer_size) {}

  /// Starts the threads now.
  void start();
  std::optional<Datapoint> next();
  int64_t skip(int64_t count);

 private:
  // What the function drops is a result without a datapoint.
  using Workers = OrderedWorkers<Datapoint, std::optional<Datapoint>>;

  std::shared_ptr<DataIterator> source_;
  std::shared_ptr<const MapFunction> function_;
  MapCall first_;
  int64_t num_thread_, buffer_size_;
  std::unique_ptr<Workers> running_;
};

}  // namespace belfry::internal
