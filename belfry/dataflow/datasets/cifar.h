#pragma once

#include <string>

#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/datasets/split.h"

namespace belfry {

/// What CIFAR-10 and CIFAR-100 share. Datapoint: {image uint8 [32, 32, 3] RGB, label int64 scalar}.
class CifarBase : public DataFromTensors {
 public:
  /// The mean of this part's images: float32 [32, 32, 3] in [0, 255].
  at::Tensor get_per_pixel_mean() const;
  /// The mean of each channel: float32 [3].
  at::Tensor get_per_channel_mean() const;

 protected:
  using DataFromTensors::DataFromTensors;
};

/// CIFAR-10 in the order of its files; labels are in [0, 10).
///
/// Reads the binary version, `data_batch_1.bin` to `data_batch_5.bin`, or `test_batch.bin` for Split::kTest,
/// plain or with `.gz`, from `folder` into memory. Each file holds exactly 10,000 images. Throws DataError
/// when a file is missing, damaged or of another length.
class Cifar10 : public CifarBase {
 public:
  Cifar10(Split split, const std::string& folder);
};

struct Cifar100Options {
  /// Labels of the 20 groups of classes instead of the 100 classes.
  bool coarse_labels = false;
};

/// CIFAR-100 in the order of its files; labels are in [0, 100), or [0, 20) for the coarse ones.
///
/// Reads the binary version, `train.bin`, or `test.bin` for Split::kTest, plain or with `.gz`, from `folder`
/// into memory: exactly 50,000 and 10,000 images. Throws DataError when the file is missing, damaged or of
/// another length.
class Cifar100 : public CifarBase {
 public:
  Cifar100(Split split, const std::string& folder, Cifar100Options options = {});
};

}  // namespace belfry
