#pragma once

#include <memory>

#include "belfry/dataflow/internal/map_call.h"

namespace belfry::internal {

/// A pass that maps in threads, ahead of the consumer, and hands each result on as soon as it is there. Not
/// more than `buffer_size` results wait. The threads start when the first datapoint is asked for.
class UnorderedMapPass {
 public:
  /// `first` is the call for the source's next datapoint.
  UnorderedMapPass(DataIterator source, std::shared_ptr<const MapFunction> function, const MapCall& first,
                   int64_t num_thread, int64_t buffer_size);
  UnorderedMapPass(UnorderedMapPass&&) noexcept;
  /// Waits for the calls that are running.
  ~UnorderedMapPass();

  std::optional<Datapoint> next();

 private:
  class Workers;
  std::unique_ptr<Workers> workers_;
};

}  // namespace belfry::internal
