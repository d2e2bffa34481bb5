#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "belfry/base/atomic_file.h"
#include "belfry/base/file_system.h"

namespace belfry {

// TFRecord files, which TensorBoard's event files are too. One record after another, nothing between:
//
//     u64 length | u32 masked crc32c of length | bytes | u32 masked crc32c of bytes

/// `payload` framed as one record.
std::string frame_record(std::string_view payload);

/// Bytes that the frame adds to each payload.
inline constexpr uint64_t kRecordFrame = 16;

/// The payload of the record at the beginning of `bytes`, which are those of the file `path` from `offset` to
/// its end or further than the record goes. Throws DataError naming both when the record is cut off or its
/// sums do not match.
std::string_view parse_record(const std::string& path, uint64_t offset, ByteSpan bytes);

/// Reads records in order. Not thread-safe. Every error is a DataError with file and offset; lengths are
/// compared with the file before memory is taken.
class RecordReader {
 public:
  explicit RecordReader(std::string path, FileSystem& files = FileSystem::posix());

  /// The next record into `payload`; false at the end of the file. A file that ends inside a record is an
  /// error, also inside its head, which TensorFlow takes for a clean end.
  bool next(std::string& payload);
  /// Passes over the next record, of which only the head is read and checked; false at the end of the file.
  bool skip();
  /// Where the next record begins.
  uint64_t offset() const { return offset_; }

 private:
  ByteSpan peek(uint64_t size);
  uint64_t next_length();

  std::string path_;
  std::unique_ptr<ReadableFile> file_;
  uint64_t offset_ = 0;
  std::string window_;  // bytes of the file from window_begin_ on, read ahead
  uint64_t window_begin_ = 0;
};

/// Writes a file of records, which appears under its name when it is complete. Every failure is a DataError
/// with the path.
class RecordWriter {
 public:
  explicit RecordWriter(std::string path, FileSystem& files = FileSystem::posix());

  void append(std::string_view payload);
  /// Where the next record will begin.
  uint64_t offset() const { return offset_; }
  /// Makes the file durable and visible. Nothing may be appended afterwards.
  void publish();

 private:
  AtomicFile file_;
  std::string buffer_;
  uint64_t offset_ = 0;
};

}  // namespace belfry
