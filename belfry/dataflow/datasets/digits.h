#pragma once

#include <string>

#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/datasets/split.h"

namespace belfry {

/// The 1,797 handwritten digits that come with scikit-learn, in the order of the file: of each five blocks of
/// ten rows the last (rows 40-49, 90-99, …) is for Split::kTest, 357 rows in all; the other 1,440 are for
/// Split::kTrain. The file repeats the ten digits in blocks, so both parts hold each about equally often.
/// Datapoint: {image float32 [8, 8, 1] in [0, 1], label int64 scalar in [0, 10)}.
///
/// Reads `digits.csv` or `digits.csv.gz` from `folder`: a line for each digit, 64 numbers from 0 to 16 and
/// the label, separated by commas. Throws DataError when the file is missing or is not that.
class Digits : public DataFromTensors {
 public:
  Digits(Split split, const std::string& folder, DataFromTensorsOptions options = {});
};

}  // namespace belfry
