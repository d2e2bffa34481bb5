#pragma once

#include <string>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct HDF5DataOptions {
  /// Whether each pass is in a new random order.
  bool shuffle = true;
  uint64_t seed = 0;
};

/// Produces the rows of datasets of an HDF5 file that share their first dimension: component i of datapoint n
/// is row n of data_paths[i]. The datasets are read into memory. Numbers of any size and byte order, and
/// h5py's bool, are read.
///
/// For trusted files only: a damaged file is nearly always an error, but the HDF5 library can crash or hang
/// on one that was made to do so. No other files are read, whatever this one says.
class HDF5Data : public ProxyDataFlow {
 public:
  /// Throws UsageError when `data_paths` is empty, and DataError when the file is missing or damaged, has no
  /// such dataset, or one is a scalar, not of numbers, not written, or has another number of rows than the
  /// first.
  HDF5Data(const std::string& path, const std::vector<std::string>& data_paths, HDF5DataOptions options = {});
  DataIterator start_pass(int64_t pass) override { return source_->start_pass(pass); }
};

/// Datapoints in an HDF5 file, for data that fits in memory; h5py reads and writes the same.
struct HDF5Serializer {
  /// Writes one pass of `flow`, which is held in memory: component i of all datapoints becomes the dataset
  /// data_paths[i]. The file appears, or is replaced, when it is complete. Throws UsageError when there is no
  /// datapoint, the datapoints have not one component for each path, or component i has not one shape and
  /// type in all of them, or a type that HDF5 has not; and DataError when the file cannot be written.
  static void save(AnyDataFlow flow, const std::string& path, const std::vector<std::string>& data_paths);

  static HDF5Data load(const std::string& path, const std::vector<std::string>& data_paths,
                       HDF5DataOptions options = {}) {
    return HDF5Data(path, data_paths, options);
  }
};

}  // namespace belfry
