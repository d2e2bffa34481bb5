#pragma once

#include <string>
#include <vector>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct ImageFolderOptions {
  /// A new random order in each pass; otherwise class by class, files by name.
  bool shuffle = false;
  uint64_t seed = 0;
  /// A class folder without images keeps its place among the labels, so that those of another folder with the
  /// same classes (training and validation) mean the same. False: it is an error.
  bool allow_empty_classes = true;
};

/// Labelled photos of which each class has a folder of its own, `folder`/CLASS/…: every .jpg, .jpeg and .png
/// below it, in any case. Hidden files and folders, and those that systems leave behind (`._1.jpg`,
/// `.ipynb_checkpoints`, `__MACOSX`), are neither classes nor images. Datapoint: {the file's bytes uint8
/// [size], label int64 scalar}, for ImageBatchData or `augment_image_component` to decode; a label is the
/// class's place in `classes()`.
///
/// Files are listed once, here, and read when their datapoint is made; one that cannot be read is a
/// DataError.
class ImageFolder : public DataFlow {
 public:
  /// Throws DataError when the folder cannot be listed or holds no such file, and for an empty class where
  /// that is not allowed.
  explicit ImageFolder(const std::string& folder, ImageFolderOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return static_cast<int64_t>(files_->size()); }

  /// The names of the class folders, sorted; those of empty ones too.
  const std::vector<std::string>& classes() const { return classes_; }

 private:
  struct File {
    std::string path;
    int64_t label;
  };
  struct Pass;

  std::vector<std::string> classes_;
  std::shared_ptr<const std::vector<File>> files_;
  ImageFolderOptions options_;
};

}  // namespace belfry
