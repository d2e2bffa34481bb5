#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/formats/array_info.h"

namespace belfry {

/// Reads numpy's .npz: a zip of `<name>.npy`, stored or deflated. Arrays come out little-endian and row-major
/// whatever the file has. Arrays of objects, text or structures are listed, and refused when they are read.
/// Not thread-safe. Throws DataError naming file and array. No memory is taken for a length that the archive
/// does not have (no zip bombs).
class NpzReader {
 public:
  explicit NpzReader(const std::string& path);
  /// An archive in memory; `name` stands for it in messages. `content` must outlive the reader.
  NpzReader(const std::string& name, ByteSpan content);
  ~NpzReader();
  NpzReader(NpzReader&&) noexcept;

  /// In the order of the archive, names without ".npy". Other members are not listed. The dtype of what is
  /// not of numbers is kInvalid.
  const std::vector<ArrayInfo>& entries() const { return entries_; }

  /// The word for the type of an entry: "float32", or numpy's own ("<U5", "|O") where the dtype is kInvalid.
  std::string type_name(const ArrayInfo& entry) const;

  /// Fills `out` with the elements and checks the archive's sum. Requires: `out` has byte_size() of the
  /// entry.
  void read(const std::string& name, MutableByteSpan out) const;

  /// What follows the head of an array of objects ("|O"): a pickle. Throws DataError when the array is
  /// missing, damaged, or one of something else.
  std::string read_pickle(const std::string& name) const;

 private:
  struct Archive;
  void read_headers();

  std::unique_ptr<Archive> archive_;
  std::vector<ArrayInfo> entries_;
  std::map<std::string, std::string> foreign_types_;  // by name, of those whose dtype is kInvalid
};

/// Writes an .npz as numpy.savez_compressed does. The archive is built in memory and published atomically.
class NpzWriter {
 public:
  explicit NpzWriter(std::string path, FileSystem& files = FileSystem::posix());
  ~NpzWriter();

  /// Throws UsageError on a repeated name, when `bytes` is not what type and shape take, and for types that
  /// numpy has not; bfloat16 is among those, but is widened to float32 instead of refused.
  void add(const std::string& name, DataType dtype, const std::vector<int64_t>& shape, ByteSpan bytes);
  void finish();

 private:
  struct Archive;
  FileSystem& files_;
  std::string path_;
  std::unique_ptr<Archive> archive_;
};

}  // namespace belfry
