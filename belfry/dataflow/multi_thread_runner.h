#pragma once

#include <functional>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct MultiThreadRunnerOptions {
  /// At most this many datapoints (but at least one for each thread) wait for the consumer.
  int64_t num_prefetch = 50;
};

/// Runs several passes at once, each in a thread, and takes datapoints from them in turn: datapoint i of a
/// pass comes from thread i % num_thread. For a source that is itself the slow part. (Where a map function
/// is, there is MultiThreadMapData, which makes each datapoint exactly once.)
///
/// A pass of it has as many datapoints as one of its source, or no end where that size is not known. Thread t
/// of pass n runs the source's passes n * num_thread + t, then that plus num_thread, and so on. So with one
/// thread it produces what its source does; with more, some datapoints of the source come several times in a
/// pass and others not at all, which is right for training on shuffled data only.
///
/// This is what MultiProcessRunner and MultiProcessRunnerZMQ of tensorpack are for. There are no processes
/// here: datapoints are handed over and not copied; an exception of any thread reaches the consumer, in its
/// turn; the order does not depend on speed, and passes can be resumed.
///
/// Threads: the source's passes, and those of what it is made of, run and start in several threads at once.
/// All dataflows of Belfry allow that except FixedSizeData with keep_state and those whose documentation says
/// so.
class MultiThreadRunner : public DataFlow {
 public:
  /// All threads run passes of `source`. Throws UsageError when a number is not positive.
  MultiThreadRunner(AnyDataFlow source, int64_t num_thread, MultiThreadRunnerOptions options = {});
  /// Each thread has a dataflow of its own, which `get_dataflow` makes: it is called here, `num_thread`
  /// times. Also throws UsageError when it is empty.
  MultiThreadRunner(const std::function<AnyDataFlow()>& get_dataflow, int64_t num_thread,
                    MultiThreadRunnerOptions options = {});

  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return sources_[0]->size(); }
  bool can_resume() const override;
  void reset_state() override;

 private:
  std::vector<AnyDataFlow> sources_;  // one for each thread
  MultiThreadRunnerOptions options_;
};

}  // namespace belfry
