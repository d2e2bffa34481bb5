#pragma once

#include "belfry/dataflow/map_data.h"

namespace belfry {

struct MultiThreadMapDataOptions {
  /// At most this many datapoints are being mapped or wait for the consumer.
  int64_t buffer_size = 200;
  /// For functions that take an Rng. Stages with the same seed draw the same numbers: give each its own.
  uint64_t seed = 0;
};

/// MapData whose function runs in `num_thread` threads. Produces exactly what MapData would, in the same
/// order, for any number of threads: one pass of it is one pass of the source, and a slow datapoint delays
/// those after it. (So it is always what tensorpack calls strict.)
///
/// The function is called from several threads at once; the source is used by one of them at a time.
/// Exceptions arrive at their datapoint's place: the function's as in MapData, the source's unchanged. The
/// threads start when the first datapoint is asked for and end with the pass; stopping early waits for the
/// calls that are running.
///
/// Functions that call large ATen operators: each of the threads may use ATen's own threads
/// (at::get_num_threads(), by default one for each core) on top. Where mapping is parallel already,
/// at::set_num_threads(1) in the function's first call, or at the start of a program that only prepares data,
/// avoids more threads than cores.
class MultiThreadMapData : public ProxyDataFlow {
 public:
  /// Throws UsageError when `num_thread` or the buffer size is not positive or `function` is empty.
  MultiThreadMapData(AnyDataFlow source, int64_t num_thread, MapFunction function,
                     MultiThreadMapDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;

 private:
  int64_t num_thread_;
  std::shared_ptr<const MapFunction> function_;
  MultiThreadMapDataOptions options_;
};

}  // namespace belfry
