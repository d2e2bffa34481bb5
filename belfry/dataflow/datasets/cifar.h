#pragma once

#include <string>

#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/datasets/split.h"

namespace belfry {

/// CIFAR-10 in the order of its files. Datapoint: {image uint8 [32, 32, 3] RGB, label int64 scalar in [0,
/// 10)}.
///
/// Reads the binary version, `data_batch_1.bin` to `data_batch_5.bin`, or `test_batch.bin` for Split::kTest,
/// plain or with `.gz`, from `folder` into memory. Each file holds exactly 10,000 images. Throws DataError
/// when a file is missing, damaged or of another length.
class Cifar10 : public DataFromTensors {
 public:
  Cifar10(Split split, const std::string& folder);
};

}  // namespace belfry
