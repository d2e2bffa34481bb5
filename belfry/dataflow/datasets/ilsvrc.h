#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "belfry/dataflow/datasets/labelled_files.h"

namespace belfry {

/// How images lie below a folder: all in it, or in a folder for each class (named by its synset).
enum class DirStructure { kOriginal, kTrain };

/// The names and lists that go with ILSVRC12, the subset of ImageNet with 1000 classes, from Caffe's
/// caffe_ilsvrc12.tar.gz ("auxiliary data" in Caffe's ImageNet example), unpacked.
class ILSVRCMeta {
 public:
  /// Files are read when they are asked for. What is missing or not as expected is a DataError that says what
  /// it should be.
  explicit ILSVRCMeta(std::string folder) : folder_(std::move(folder)) {}

  /// synset_words.txt: "n01440764 tench, Tinca tinca" at the place of each label.
  std::vector<std::string> get_synset_words_1000() const;
  /// synsets.txt: "n01440764" at the place of each label.
  std::vector<std::string> get_synset_1000() const;
  /// train.txt, val.txt or test.txt, by `name`: paths below the folder of the images, which are in folders of
  /// their class for "train", and for the others where `structure` says so. Throws UsageError for other
  /// names.
  std::vector<LabelledFile> get_image_list(const std::string& name,
                                           DirStructure structure = DirStructure::kOriginal) const;
  /// imagenet_mean.binaryproto: float32 [256, 256, 3] in RGB, in [0, 255]. (tensorpack gives BGR.)
  at::Tensor get_per_pixel_mean() const;
  /// The same resized, with linear interpolation: float32 [height, width, 3]. Throws UsageError when a side
  /// is not positive.
  at::Tensor get_per_pixel_mean(int64_t height, int64_t width) const;

  /// What `folder` looks like: kTrain when it holds a folder whose name begins with n. Throws DataError when
  /// it cannot be listed.
  static DirStructure guess_dir_structure(const std::string& folder);

 private:
  std::vector<std::string> lines_of(const std::string& name) const;

  std::string folder_;
};

struct ILSVRC12Options {
  /// The folder of ILSVRCMeta. Default: "ilsvrc_metadata" in the images' folder.
  std::optional<std::string> meta_dir = {};
  /// Whether each pass is in a new random order. Default: for "train" only.
  std::optional<bool> shuffle = {};
  /// Of the images of "val" or "test". Default: what the folder looks like.
  std::optional<DirStructure> dir_structure = {};
  uint64_t seed = 0;
};

/// The images of ILSVRC12, as their archives unpack them: `dir`/train/n01440764/*.JPEG, `dir`/val/*.JPEG (or
/// in folders as those of train), `dir`/test/*.JPEG. Datapoint: {the JPEG file's bytes uint8 [size], label
/// int64 scalar in [0, 1000)}, to be decoded by a later stage in its threads.
class ILSVRC12 : public LabelledFiles {
 public:
  /// `name` is "train", "val" or "test"; others are a UsageError. Throws DataError when the lists are
  /// missing, or one of the first ten images is.
  ILSVRC12(const std::string& dir, const std::string& name, const ILSVRC12Options& options = {});

  /// The bounding box of each image of a list (ILSVRCMeta::get_image_list), from ImageNet's annotations below
  /// `bbox_dir`: x1, y1, x2, y2 of the first object of n01440764/n01440764_10040.xml for .JPEG of that name.
  /// Nothing where there is no such file or box; the log says for how many there is.
  static std::vector<std::optional<std::array<float, 4>>> get_training_bbox(
      const std::string& bbox_dir, const std::vector<LabelledFile>& images);
};

/// The same with the file's path, uint8 [length], in place of its bytes.
class ILSVRC12Files : public LabelledFiles {
 public:
  ILSVRC12Files(const std::string& dir, const std::string& name, const ILSVRC12Options& options = {});
};

struct TinyImageNetOptions {
  /// Whether each pass is in a new random order. Default: for "train" only.
  std::optional<bool> shuffle = {};
  uint64_t seed = 0;
};

/// Tiny ImageNet (tiny-imagenet-200.zip, unpacked to `dir`): 200 classes, images of 64 x 64. Datapoint: {the
/// JPEG file's bytes uint8 [size], label int64 scalar in [0, 200), the place of the class in wnids.txt}.
class TinyImageNet : public LabelledFiles {
 public:
  /// `name` is "train" or "val"; others are a UsageError. Throws DataError when a list or folder is missing
  /// or not as expected.
  TinyImageNet(const std::string& dir, const std::string& name, TinyImageNetOptions options = {});
};

}  // namespace belfry
