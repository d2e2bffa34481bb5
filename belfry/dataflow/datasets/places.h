#pragma once

#include <optional>
#include <string>
#include <vector>

#include "belfry/dataflow/datasets/labelled_files.h"

namespace belfry {

struct Places365StandardOptions {
  /// Whether each pass is in a new random order. Default: for "train" only.
  std::optional<bool> shuffle = {};
  uint64_t seed = 0;
};

/// Places365-Standard in its "easy directory structure" of small images (places365standard_easyformat.tar,
/// unpacked to `dir`). Datapoint: {the JPEG file's bytes uint8 [size], label int64 scalar in [0, 365)};
/// labels number the classes by name.
class Places365Standard : public LabelledFiles {
 public:
  /// `name` is "train" or "val"; others are a UsageError. Throws DataError when the list `name`.txt is
  /// missing or not of lines as train/airfield/00000001.jpg.
  Places365Standard(const std::string& dir, const std::string& name, Places365StandardOptions options = {});

  const std::vector<std::string>& get_label_names() const { return label_names_; }

 private:
  struct Listing {
    std::vector<LabelledFile> files;
    std::vector<std::string> label_names;
  };
  static Listing read(const std::string& dir, const std::string& name);
  Places365Standard(Listing listing, LabelledFilesOptions options);

  std::vector<std::string> label_names_;
};

}  // namespace belfry
