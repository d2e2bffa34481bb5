#pragma once

#include <string>

#include "belfry/data/storage/shard_data.h"

namespace belfry {

struct ShardSaveOptions {
  /// A new file is begun when one has this many bytes.
  int64_t shard_size = int64_t{256} << 20;
};

/// Datapoints in a folder of TFRecord files, to train from: read front to back whatever the order of the
/// data, so as fast from a disk or a network as these can be.
///
///     00000.tfrecord, 00001.tfrecord, …   a record of `dumps` for each datapoint
///     index                               a TFRecord file too: for each file {name, where its records begin}
///
/// Every file can be read alone, by TFRecordSerializer and by tensorpack's.
struct ShardSerializer {
  /// Writes one pass of `flow` to `folder`, which is made if it is missing. The index comes last, so an
  /// interrupted save is never taken for a whole one.
  ///
  /// Throws UsageError when the folder is not empty or the size not positive, DataError when it cannot be
  /// written, and what the dataflow or `dumps` throw; then the files written so far are removed.
  static void save(AnyDataFlow flow, const std::string& folder, ShardSaveOptions options = {});

  static ShardData load(const std::string& folder, ShardDataOptions options = {}) {
    return ShardData(folder, options);
  }
};

}  // namespace belfry
