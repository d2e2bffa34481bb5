#pragma once

#include <functional>
#include <string>
#include <vector>

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
  /// The same of all images of these parts, which are read again: tensorpack takes both, {Split::kTrain,
  /// Split::kTest}. Throws UsageError when there is no part, and what the constructor throws.
  at::Tensor get_per_pixel_mean(const std::vector<Split>& splits) const;
  at::Tensor get_per_channel_mean(const std::vector<Split>& splits) const;

 protected:
  using Read = std::function<std::vector<at::Tensor>(Split)>;
  /// `read` gives images and labels of a part.
  CifarBase(Split split, Read read, DataFromTensorsOptions options)
      : DataFromTensors(read(split), options), read_(std::move(read)) {}

 private:
  Read read_;
};

/// CIFAR-10 in the order of its files unless shuffled; labels are in [0, 10).
///
/// Reads the binary version, `data_batch_1.bin` to `data_batch_5.bin`, or `test_batch.bin` for Split::kTest,
/// plain or with `.gz`, from `folder` into memory; or the Python version, which tensorpack has,
/// `data_batch_1` and so on, where `folder` holds `batches.meta`, or a folder `cifar-10-batches-py` does.
/// Each file holds exactly 10,000 images. Throws DataError when a file is missing, damaged or of another
/// length.
class Cifar10 : public CifarBase {
 public:
  Cifar10(Split split, const std::string& folder, DataFromTensorsOptions options = {});
  /// The name of each class: "airplane", …
  static std::vector<std::string> get_label_names();
};

struct Cifar100Options {
  /// Labels of the 20 groups of classes instead of the 100 classes.
  bool coarse_labels = false;
  /// Whether each pass is in a new random order; otherwise it is in that of the file.
  bool shuffle = false;
  uint64_t seed = 0;
};

/// CIFAR-100 in the order of its files unless shuffled; labels are in [0, 100), or [0, 20) for the coarse
/// ones.
///
/// Reads the binary version, `train.bin`, or `test.bin` for Split::kTest, plain or with `.gz`, from `folder`
/// into memory; or the Python version, `train` and `test`, where `folder` holds `meta`, or a folder
/// `cifar-100-python` does: exactly 50,000 and 10,000 images. Throws DataError when the file is missing,
/// damaged or of another length.
class Cifar100 : public CifarBase {
 public:
  Cifar100(Split split, const std::string& folder, Cifar100Options options = {});
  /// The name of each class, or group with coarse_labels: the lines of fine_label_names.txt or
  /// coarse_label_names.txt beside the images, or what `meta` says. Throws DataError when there is no such
  /// file, or not one name for each.
  std::vector<std::string> get_label_names() const;

 private:
  std::string folder_;
  bool coarse_labels_;
};

}  // namespace belfry
