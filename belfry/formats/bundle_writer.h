#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "belfry/base/atomic_file.h"
#include "belfry/formats/array_info.h"

namespace belfry {

/// Writes a TensorFlow V2 checkpoint ("tensor bundle"): `<prefix>.data-00000-of-00001`, the tensors' bytes
/// one after another in the order of adding, and `<prefix>.index`, the table of where each one is. Byte for
/// byte what TensorFlow writes for the same tensors in the same order.
///
/// Nothing is seen under the final names before finish(), which makes the data durable first and the index
/// last: the checkpoint exists when its index does. An object that dies unfinished leaves no file behind.
///
/// A checkpoint that exists is replaced in one step too: the new data goes to a file of another name
/// (…-of-00002 where …-of-00001 is taken), which the new index says, and the old data is removed at the end.
///
/// Every function throws DataError when the disk refuses; the object is then good for nothing but
/// destruction.
class BundleWriter {
 public:
  /// `files` must outlive the object. The folder of `prefix` must exist.
  explicit BundleWriter(std::string prefix, FileSystem& files = FileSystem::posix());

  /// Appends a tensor. Throws UsageError on an empty or repeated name, a name that begins with a zero byte
  /// (those are the format's own), or when `bytes` is not what type and shape take.
  void add(const std::string& name, DataType dtype, const std::vector<int64_t>& shape, ByteSpan bytes);
  /// Appends a string tensor; `elements` in row-major order.
  void add_strings(const std::string& name, const std::vector<int64_t>& shape,
                   std::span<const std::string> elements);

  /// Publishes the checkpoint. On return it would survive a loss of power.
  void finish();

 private:
  void remove_old_data();
  void check_name(const std::string& name) const;
  void append(ByteSpan bytes, uint32_t& crc);
  void add_to_index(const std::string& name, DataType dtype, const std::vector<int64_t>& shape,
                    uint64_t begin, uint32_t crc);

  FileSystem& files_;
  std::string prefix_;
  int num_shards_;
  AtomicFile data_;
  uint64_t position_ = 0;
  std::map<std::string, std::string> index_;  // key -> serialized record
};

}  // namespace belfry
