#pragma once

#include <string>

#include "belfry/dataflow/data_from_tensors.h"

namespace belfry {

struct SVMLightDataOptions {
  /// Whether each pass is in a new random order; otherwise it is in that of the file.
  bool shuffle = true;
  uint64_t seed = 0;
  /// How many features there are. 0: as many as the greatest index in the file says.
  int64_t features = 0;
  /// Files of more numbers, with the zeros that they leave out, are an error: what is in memory is dense.
  int64_t max_numbers = int64_t{1} << 30;
};

/// A file of SVMlight's or LIBSVM's text format: a line "label index:value index:value ... # comment" for
/// each sample, its indexes rising; those that are not there are 0. Indexes count from 1, or from 0 where the
/// file has a 0. Datapoint: {features float64 [number], label float64 scalar}.
///
/// "qid:" is passed over, as what is no feature. Throws DataError with the line's number when the file is
/// missing or not of that form, an index is beyond `features`, or the whole would be larger than
/// max_numbers.
class SVMLightData : public DataFromTensors {
 public:
  explicit SVMLightData(const std::string& path, SVMLightDataOptions options = {});
};

}  // namespace belfry
