#pragma once

#include <string>
#include <vector>

#include "belfry/dataflow/data_from_tensors.h"

namespace belfry {

// Data sets that come in MATLAB's files.

// MATLAB files are for trusted sources only: what they claim is checked, but libmatio can crash on a file
// that was made to do so.

/// The cropped digits of Street View House Numbers, in the order of the file. Datapoint: {image uint8 [32,
/// 32, 3] RGB, label int64 scalar in [0, 10)}.
///
/// Reads `name`_32x32.mat (ufldl.stanford.edu/housenumbers) from `folder` into memory.
class SVHNDigit : public DataFromTensors {
 public:
  /// `name` is "train", "test" or "extra"; others are a UsageError. Throws DataError when the file is
  /// missing, damaged or not such images.
  SVHNDigit(const std::string& name, const std::string& folder, DataFromTensorsOptions options = {});

  /// Whether `folder` has the file of SVHN's page, by its checksum: throws DataError when it is missing or
  /// another, UsageError as the constructor.
  static void verify(const std::string& name, const std::string& folder);

  /// The mean of this part's images: float32 [32, 32, 3] in [0, 255].
  at::Tensor get_per_pixel_mean() const;
  /// The same of all images of these parts, which are read again: tensorpack takes {"train", "test",
  /// "extra"}. Throws UsageError when there is no part, and what the constructor throws.
  static at::Tensor get_per_pixel_mean(const std::vector<std::string>& names, const std::string& folder);
};

/// The silhouettes of Caltech 101, in the order of the file. Datapoint: {image uint8 [28, 28] of 0 and 1,
/// label int64 scalar in [0, 101)}.
///
/// Reads caltech101_silhouettes_28_split1.mat (Benjamin Marlin's page) from `folder` into memory.
class Caltech101Silhouettes : public DataFromTensors {
 public:
  /// `name` is "train", "test" or "val"; others are a UsageError. Throws DataError when the file is missing,
  /// damaged or not such images.
  Caltech101Silhouettes(const std::string& name, const std::string& folder,
                        DataFromTensorsOptions options = {});
};

struct BSDS500Options {
  /// Decode the images, and turn those that are higher than wide: see BSDS500.
  bool decode = false;
  /// Whether each pass is in a new random order; otherwise it is in that of the file names.
  bool shuffle = true;
  uint64_t seed = 0;
};

/// The Berkeley segmentation data set. Datapoint: {the JPEG file's bytes uint8 [size], edges float32 [height,
/// width]}: the part of the annotators who drew an edge through a pixel, in [0, 1]. Images are 321 x 481 or
/// 481 x 321.
///
/// With `decode` all have one size, as in tensorpack: {image uint8 [321, 481, 3] RGB, edges float32 [321,
/// 481]}; those that are higher than wide have their rows and columns exchanged.
///
/// Reads BSR/BSDS500/data (of BSR_bsds500.tgz, Berkeley's page) below `folder`, file by file as they are
/// asked for; one that is missing, damaged or, where it is decoded, of another size is a DataError then.
class BSDS500 : public DataFlow {
 public:
  /// `name` is "train", "test" or "val"; others are a UsageError. Throws DataError when there is no such
  /// folder or no image in it.
  BSDS500(const std::string& name, const std::string& folder, BSDS500Options options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return static_cast<int64_t>(ids_->size()); }

 private:
  std::string data_, name_;
  std::shared_ptr<const std::vector<std::string>> ids_;  // file names without extension
  BSDS500Options options_;
};

}  // namespace belfry
