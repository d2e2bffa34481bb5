#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belfry/dataflow/dataflow.h"
#include "belfry/formats/tfrecord.h"

namespace belfry::internal {

/// A pass over the records of TFRecord files, one file after another.
class RecordPass {
 public:
  /// Makes a datapoint of a record; `where` names it.
  using Decode = std::function<Datapoint(const std::string& record, const std::string& where)>;

  RecordPass(std::vector<std::string> files, Decode decode)
      : files_(std::move(files)), decode_(std::move(decode)) {}

  std::optional<Datapoint> next();
  int64_t skip(int64_t count);

 private:
  bool open_next();

  std::vector<std::string> files_;
  Decode decode_;
  size_t opened_ = 0;
  std::optional<RecordReader> reader_;
  std::string record_;
};

}  // namespace belfry::internal
