#pragma once

#include <optional>
#include <string>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// One component that TFRecordData makes of a feature of a tf.train.Example.
struct TFRecordFeature {
  std::string name = {};
  /// at::kLong and at::kFloat for lists of those numbers; at::kByte for one value of bytes, uint8 [length].
  at::ScalarType dtype = at::kLong;
  /// The shape of a list of numbers, {} for a scalar; without one it is [length].
  std::optional<std::vector<int64_t>> shape = {};
  /// Stands in where an example has no such feature. Without one that is an error.
  std::optional<at::Tensor> default_value = {};
};

struct TFRecordDataOptions {
  /// Whether each pass takes the files in a new random order. Records stay in the order of their file.
  bool shuffle_files = false;
  uint64_t seed = 0;
  /// The number of records in all files, if known: it is not stored in them. It is what `size()` tells.
  std::optional<int64_t> size = {};
};

/// Produces the examples of TFRecord files of tf.train.Example, as TensorFlow's programs write them:
/// component i is features[i]. (`TFRecordSerializer::load` for files that hold datapoints.) Encoded images
/// come as they are; a map function decodes them.
///
/// Files are opened when their turn comes. Damage, and an example without a feature or with one of another
/// type or number of values, is a DataError with file and offset. Continuing a pass in the middle reads the
/// heads of the records before.
class TFRecordData : public DataFlow {
 public:
  /// Throws UsageError when there is no file or no feature, or a feature's dtype is none of the three or does
  /// not go with its shape.
  TFRecordData(std::vector<std::string> files, std::vector<TFRecordFeature> features,
               TFRecordDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return options_.size; }

 private:
  std::shared_ptr<const std::vector<std::string>> files_;
  std::shared_ptr<const std::vector<TFRecordFeature>> features_;
  TFRecordDataOptions options_;
};

}  // namespace belfry
