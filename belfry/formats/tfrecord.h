#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "belfry/base/file_system.h"

namespace belfry {

// TFRecord files, which TensorBoard's event files are too. One record after another, nothing between:
//
//     u64 length | u32 masked crc32c of length | bytes | u32 masked crc32c of bytes

/// `payload` framed as one record.
std::string frame_record(std::string_view payload);

/// Reads records in order. Not thread-safe. Every error is a DataError with file and offset; lengths are
/// compared with the file before memory is taken.
class RecordReader {
 public:
  explicit RecordReader(std::string path, FileSystem& files = FileSystem::posix());

  /// The next record into `payload`; false at the end of the file. A file that ends inside a record is an
  /// error, also inside its head, which TensorFlow takes for a clean end.
  bool next(std::string& payload);
  /// Where the next record begins.
  uint64_t offset() const { return offset_; }

 private:
  ByteSpan peek(uint64_t size);

  std::string path_;
  std::unique_ptr<ReadableFile> file_;
  uint64_t offset_ = 0;
  std::string window_;  // bytes of the file from window_begin_ on, read ahead
  uint64_t window_begin_ = 0;
};

}  // namespace belfry
