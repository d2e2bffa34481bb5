#pragma once

#include <string>

#include "belfry/data/storage/lmdb_data.h"

namespace belfry {

struct LMDBSaveOptions {
  /// After how many datapoints they are written to the file; until then they are held in memory.
  int64_t write_frequency = 5000;
};

struct LMDBLoadOptions {
  /// Whether each pass is in a new random order.
  bool shuffle = true;
  uint64_t seed = 0;
};

/// Datapoints in an LMDB database, as tensorpack stores them: keys 00000000, 00000001, …, values of `dumps`,
/// and a list of all keys under `__keys__`.
struct LMDBSerializer {
  /// Writes one pass of `flow`. `path` is the new file, or a folder where it will be data.mdb; it appears
  /// when all is written, so an interrupted save leaves nothing that could be taken for a database.
  /// tensorpack reads it with TENSORPACK_SERIALIZE=msgpack in its environment.
  ///
  /// Throws UsageError when there is a database already, DataError when the file cannot be written, and what
  /// the dataflow or `dumps` throw.
  static void save(AnyDataFlow flow, const std::string& path, LMDBSaveOptions options = {});

  /// The datapoints of a database that `save` or tensorpack wrote, with either of its serializers. Throws as
  /// LMDBData does; a value that `loads` refuses ends the pass with an error that names file and key.
  static LMDBDataDecoder load(const std::string& path, LMDBLoadOptions options = {});
};

}  // namespace belfry
