#pragma once

#include <string>
#include <vector>

#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/datasets/split.h"

namespace belfry {

/// MNIST handwritten digits, or another dataset in its files, in the order of the files unless shuffled.
/// Datapoint: {image float32 [28, 28, 1] in [0, 1], label int64 scalar in [0, 10)}.
///
/// Reads the IDX files `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, or `t10k-…` for Split::kTest,
/// plain or with `.gz`, from `folder` into memory. Any number of images is accepted (the standard has 60,000
/// and 10,000). Throws DataError when a file is missing, damaged, or not such images.
class Mnist : public DataFromTensors {
 public:
  Mnist(Split split, const std::string& folder, DataFromTensorsOptions options = {});
  /// Whether `folder` has the gzip files of MNIST's page, by their checksums: throws DataError that names
  /// those that are missing or others. The constructor compares gzip's own checksums.
  static void verify(Split split, const std::string& folder);
};

/// Zalando's Fashion-MNIST: the files, datapoints and errors of Mnist, other pictures.
class FashionMnist : public Mnist {
 public:
  using Mnist::Mnist;
  /// As Mnist::verify.
  static void verify(Split split, const std::string& folder);
  /// The name of each class: "T-shirt/top", …
  static std::vector<std::string> get_label_names();
};

}  // namespace belfry
