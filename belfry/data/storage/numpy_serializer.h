#pragma once

#include <string>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct NumpyLoadOptions {
  /// Whether each pass is in a new random order.
  bool shuffle = true;
  uint64_t seed = 0;
};

/// Datapoints in an npz file, for data that fits in memory: component i of all datapoints is the array arr_i,
/// as `numpy.savez(path, component_0, component_1, …)` writes it and `numpy.load(path)["arr_0"]` gives it
/// back. tensorpack keeps a pickled list of datapoints instead, the array `buffer`, which load() reads too.
struct NumpySerializer {
  /// Writes one pass of `flow`, which is held in memory; the file appears, or is replaced, when it is
  /// complete. Throws UsageError when there is no datapoint, or component i has not one shape and type in all
  /// of them, or a type that numpy has not; and DataError when the file cannot be written.
  static void save(AnyDataFlow flow, const std::string& path);

  /// Throws DataError when the file is missing, damaged or holds no arr_0, an array has another number of
  /// rows than arr_0, or the pickle holds what no datapoint does (see loads()).
  static std::shared_ptr<DataFlow> load(const std::string& path, NumpyLoadOptions options = {});
};

}  // namespace belfry
