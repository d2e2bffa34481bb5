#pragma once

#include "belfry/dataflow/map_data.h"

namespace belfry {

struct MultiThreadMapDataOptions {
  /// At most this many datapoints are being mapped or wait for the consumer.
  int64_t buffer_size = 200;
  /// Whether datapoints keep their order. False: each comes as soon as it is mapped, so that a slow one
  /// delays nobody; the order then depends on the threads' speed, and such a pass cannot be resumed in the
  /// middle.
  bool strict = true;
  /// For functions that take an Rng. Stages with the same seed draw the same numbers: give each its own.
  uint64_t seed = 0;
};

/// MapData whose function runs in `num_thread` threads. One pass of it is one pass of the source, whose
/// datapoints are mapped exactly once; unless `strict` is false it produces exactly what MapData would, in
/// the same order, for any number of threads. (tensorpack's is not strict by default, and may there leave out
/// and repeat datapoints at the border of two passes.)
///
/// The function is called from several threads at once; the source is used by one of them at a time.
/// Exceptions arrive at their datapoint's place (when not strict, as soon as those that wait have been
/// taken): the function's as in MapData, the source's unchanged. The threads start when the first datapoint
/// is asked for and end with the pass; stopping early waits for the calls that are running.
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
  /// False where the order is not kept.
  bool can_resume() const override { return options_.strict && ProxyDataFlow::can_resume(); }

 private:
  int64_t num_thread_;
  std::shared_ptr<const MapFunction> function_;
  MultiThreadMapDataOptions options_;
};

}  // namespace belfry
