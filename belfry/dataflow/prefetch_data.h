#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// Runs its source in one thread of its own, ahead of the consumer: same datapoints, same order. The thread
/// starts when the first datapoint is asked for and ends with the pass. An exception of the source reaches
/// the consumer unchanged, after the datapoints that came before it.
///
/// Stopping early waits for the datapoint that the source is making.
class PrefetchData : public ProxyDataFlow {
 public:
  /// At most `buffer_size` datapoints wait for the consumer. Throws UsageError when it is not positive.
  PrefetchData(AnyDataFlow source, int64_t buffer_size);
  DataIterator start_pass(int64_t pass) override;

 private:
  int64_t buffer_size_;
};

}  // namespace belfry
