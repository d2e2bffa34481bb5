#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/formats/array_info.h"

namespace belfry {

/// Reads a .safetensors file by the rules of its reference implementation: every byte of the file belongs to
/// exactly one tensor or to the header, no hole, no overlap, no repeated name. The format has no checksums.
/// read() may be called from several threads. Throws DataError naming file and tensor.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(std::string path, FileSystem& files = FileSystem::posix());

  /// In the order of the data. The dtype of types that are not ours is kInvalid: they are listed, and refused
  /// when they are read.
  const std::vector<ArrayInfo>& entries() const { return entries_; }
  /// The word for the type of an entry: "float32", or the file's own ("F4") where the dtype is kInvalid.
  std::string type_name(const ArrayInfo& entry) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// Fills `out` with the elements. Requires: `out` has byte_size() of the entry, else UsageError.
  void read(const std::string& name, MutableByteSpan out) const;

 private:
  void parse_header(const std::string& text, uint64_t data_begin);

  std::string path_;
  std::unique_ptr<ReadableFile> file_;
  std::vector<ArrayInfo> entries_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::string> foreign_types_;             // by name, of those whose dtype is kInvalid
  std::map<std::string, std::pair<uint64_t, uint64_t>> ranges_;  // name -> begin and end in the file
};

/// One array to write; `bytes` must live until write_safetensors returns.
struct SafetensorsItem {
  ArrayInfo info;
  ByteSpan bytes;
};

/// Writes `items` atomically, laid out as the reference does: widest types first, then by name. Throws
/// UsageError on a repeated or reserved name, a type that the format has not, or bytes that do not fit the
/// shape.
void write_safetensors(const std::string& path, std::vector<SafetensorsItem> items,
                       const std::map<std::string, std::string>& metadata = {},
                       FileSystem& files = FileSystem::posix());

}  // namespace belfry
