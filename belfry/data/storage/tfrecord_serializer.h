#pragma once

#include <optional>
#include <string>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct TFRecordLoadOptions {
  /// The number of datapoints, if known: it is not stored in the file. It is what `size()` tells.
  std::optional<int64_t> size = {};
};

/// Datapoints in one TFRecord file, a record of `dumps` for each, as tensorpack stores them. (`TFRecordData`
/// for files of tf.train.Example, `ShardSerializer` for files to train from.)
struct TFRecordSerializer {
  /// Writes one pass of `flow` to `path`, which appears, or is replaced, when all is written. tensorpack
  /// reads it with TENSORPACK_SERIALIZE=msgpack in its environment. Throws DataError when the file cannot be
  /// written, and what the dataflow or `dumps` throw.
  static void save(AnyDataFlow flow, const std::string& path);

  /// The datapoints of a file that `save` or tensorpack wrote, with either of its serializers, in their
  /// order. Damage is a DataError with file and offset. Throws DataError when there is no such file.
  static std::shared_ptr<DataFlow> load(const std::string& path, TFRecordLoadOptions options = {});
};

}  // namespace belfry
