#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/formats/array_info.h"

namespace belfry {

/// Reads a TensorFlow V2 checkpoint ("tensor bundle"): `<prefix>.index` and the data files it names, whole or
/// in several shards. Partitioned variables appear as one tensor.
///
/// Files are opened once, in the constructor, and stay readable when they are removed meanwhile. All
/// functions may be called from several threads. Every failure is a DataError with file, tensor and reason;
/// no length found in a file is believed before it has been compared with the file.
class BundleReader {
 public:
  /// Reads the whole index. Throws when it is missing, damaged or contradicts itself. Missing or short data
  /// files are an error only when a tensor in them is asked for. `files` is used during construction only.
  explicit BundleReader(std::string prefix, FileSystem& files = FileSystem::posix());
  ~BundleReader();
  BundleReader(BundleReader&&) noexcept;
  BundleReader& operator=(BundleReader&&) noexcept;

  const std::string& prefix() const { return prefix_; }

  /// All tensors, by name. A listed shape has not been compared with the data files: see entry().
  const std::vector<ArrayInfo>& entries() const { return entries_; }
  bool contains(const std::string& name) const;
  /// One tensor, after checking that its bytes are really there, so that memory for it may be allocated.
  const ArrayInfo& entry(const std::string& name) const;

  /// Fills `out` with the tensor's elements and checks their sum. Requires: `out` has byte_size() of the
  /// entry, else UsageError. When it throws, `out` may hold anything.
  void read(const std::string& name, MutableByteSpan out) const;
  /// The elements of a string tensor, row-major.
  std::vector<std::string> read_strings(const std::string& name) const;

 private:
  struct Tensor;
  struct Shard;

  void read_index_and_shards(FileSystem& files);
  void read_index(FileSystem& files);
  void open_shards(FileSystem& files);
  void check_overlap() const;
  void check_slices(const std::string& name, Tensor& tensor) const;
  const Tensor& find(const std::string& name) const;
  const Shard& check_extent(const std::string& name, const Tensor& tensor) const;
  uint32_t read_bytes(const std::string& name, const Tensor& tensor, MutableByteSpan out) const;
  void check_sum(const std::string& name, const Tensor& tensor, uint32_t computed) const;
  void read_plain(const std::string& name, const Tensor& tensor, MutableByteSpan out) const;
  void read_slices(const std::string& name, const Tensor& tensor, MutableByteSpan out) const;
  [[noreturn]] void fail(const std::string& name, const std::string& what) const;

  std::string prefix_;
  int32_t num_shards_ = 0;
  std::vector<ArrayInfo> entries_;
  std::map<std::string, Tensor> tensors_;  // also the slices of partitioned ones, under their own keys
  std::map<int32_t, Shard> shards_;
};

}  // namespace belfry
