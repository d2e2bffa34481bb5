#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/graph/types.h"

namespace belfry {

/// What a checkpoint says of one of its tensors.
struct CheckpointEntry {
  std::string name;  ///< without ":0"
  Shape shape;
  DType dtype = DType::Undefined;  ///< Undefined where LibTorch has no such type: strings, for instance
  std::string stored_dtype;        ///< the file's own word for it: "float32", "string"
};

/// Named tensors in a file, whatever its format. Opening reads and checks what the format says about the
/// tensors; the data is read, and its checksum verified, on demand. Files stay open, so that a rotation
/// meanwhile does no harm. Errors are DataErrors that name the file and, where one is concerned, the tensor.
/// Safe to share between threads.
class CheckpointReader {
 public:
  /// Opens a checkpoint by
  /// - a TensorFlow prefix ("train_log/model-1000"), its .index, .meta or one of its .data files: this
  ///   checkpoint and no other;
  /// - a folder, or the file `checkpoint` in it: the newest that is complete (see latest_checkpoint);
  /// - a SavedModel's folder: its variables;
  /// - a .npz or .safetensors file;
  /// - a .npy file in which numpy.save has pickled a dict of arrays;
  /// - a .caffemodel, whose weights get the names and layouts that tensorpack's load_caffe gives them:
  /// "conv1/W"
  ///   [H, W, in, out], "fc6/W" [in, out], "bn1/gamma" of the Scale behind it.
  static std::unique_ptr<CheckpointReader> open(const std::string& path);
  virtual ~CheckpointReader() = default;

  /// What was opened, for messages: "train_log/model-1000".
  const std::string& path() const { return path_; }
  /// Every tensor, sorted by name.
  const std::vector<CheckpointEntry>& entries() const { return entries_; }
  /// The entry of that name, with or without ":0", or null.
  const CheckpointEntry* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The value, contiguous on the CPU.
  at::Tensor tensor(std::string_view name) const;

 protected:
  /// `entries` may be in any order; names may end in ":0".
  CheckpointReader(std::string path, std::vector<CheckpointEntry> entries);
  /// A new contiguous CPU tensor of the entry's shape and dtype, which is not Undefined. `stored_name` is the
  /// name given to the constructor. No memory may be taken before the shape was compared with the file's
  /// size.
  virtual at::Tensor read(const std::string& stored_name, const CheckpointEntry& entry) const = 0;

 private:
  std::string path_;
  std::vector<CheckpointEntry> entries_;
  std::map<std::string, std::string, std::less<>> stored_names_;
};

/// Every tensor of a checkpoint that LibTorch has a type for.
std::map<std::string, at::Tensor> load_checkpoint(const std::string& path);

/// Writes tensors in the format that the path's extension says: .npz, .safetensors, and a TensorFlow
/// checkpoint of that prefix otherwise. The file appears complete and durable under its name, or not at all.
/// Names are stored without ":0". In .npz, which has no bfloat16, such tensors become float32. Throws
/// UsageError for dtypes that the format cannot hold.
void save_checkpoint(const std::string& path, const std::map<std::string, at::Tensor>& tensors);

}  // namespace belfry
