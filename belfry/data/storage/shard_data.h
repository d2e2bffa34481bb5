#pragma once

#include <string>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

namespace internal {
struct ShardContents;
}

struct ShardDataOptions {
  /// Whether each pass is in a new random order.
  bool shuffle = true;
  /// How many bytes of datapoints are mixed with each other. Memory is about twice that, and what is still
  /// referred to.
  int64_t shuffle_window = int64_t{64} << 20;
  /// Threads that read files and compare checksums ahead of the consumer.
  int64_t num_thread = 2;
  uint64_t seed = 0;
};

/// Produces the datapoints of a folder that ShardSerializer wrote.
///
/// The files are read in pieces of 4 MiB or one datapoint, whichever is more, ahead of the consumer. A
/// shuffled pass takes the pieces of all files in a random order and, one shuffle window of them after
/// another, the datapoints of a window in a random order: nearly as random as a shuffle of all, at the speed
/// of reading front to back. The order depends on seed, pass number and options alone, not on the threads. A
/// pass can be continued in the middle for what reading one window costs.
///
/// Large arrays are not copied: their tensors refer to the piece that was read, which stays in memory as long
/// as one of them does.
///
/// Threads start when the first datapoint is asked for and end with the pass. Every record's checksum is
/// compared; damage is a DataError with file and offset, at the datapoint's place or before it in its window.
class ShardData : public DataFlow {
 public:
  /// Throws UsageError when a number is not positive, and DataError when there is no index (the save has not
  /// finished), the index is damaged or a file is missing or of another size.
  explicit ShardData(const std::string& folder, ShardDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override;

 private:
  std::shared_ptr<const internal::ShardContents> contents_;
};

}  // namespace belfry
