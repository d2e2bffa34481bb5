#pragma once

#include <string>
#include <vector>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct LabelledFile {
  std::string path = {};
  int64_t label = 0;
};

struct LabelledFilesOptions {
  /// Whether each pass is in a new random order; otherwise it is in that of the list.
  bool shuffle = false;
  /// Produce the path, as uint8 [length], instead of what is in the file: for a later stage that reads files
  /// in its threads.
  bool paths_only = false;
  uint64_t seed = 0;
};

/// Files with labels. Datapoint: {the file's bytes uint8 [size], label int64 scalar}. A file that cannot be
/// read is a DataError with its path, and ends the pass.
class LabelledFiles : public DataFlow {
 public:
  explicit LabelledFiles(std::vector<LabelledFile> files, LabelledFilesOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return static_cast<int64_t>(files_->size()); }

  const std::vector<LabelledFile>& files() const { return *files_; }

 private:
  std::shared_ptr<const std::vector<LabelledFile>> files_;
  LabelledFilesOptions options_;
};

}  // namespace belfry
