#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace belfry::internal {

/// Reads a file of a dataset from front to back: `folder`/`name`, or `folder`/`name`.gz. Memory grows with
/// the bytes that are really there, never by what a header claims. Every error is a DataError with path and
/// (uncompressed) offset.
class DataFile {
 public:
  /// `expectation` says in words what the file holds, for the error when there is none.
  DataFile(const std::string& folder, const std::string& name, const std::string& expectation);
  ~DataFile();

  const std::string& path() const { return path_; }
  uint64_t offset() const { return offset_; }

  /// Exactly `size` bytes.
  std::vector<uint8_t> read(uint64_t size);
  /// A big-endian 32-bit number.
  uint32_t read_be32();
  /// Everything that is left. Requires: it is at most `max_size` bytes, else DataError.
  std::vector<uint8_t> read_rest(uint64_t max_size);
  /// The file must end here (where a gzip file's checksum is compared).
  void expect_end();

  /// Throws DataError at `offset` of this file.
  [[noreturn]] void fail(uint64_t offset, const std::string& what) const;

 private:
  struct Stream;
  std::vector<uint8_t> read_at_most(uint64_t size);

  std::string path_;
  uint64_t offset_ = 0;
  std::unique_ptr<Stream> stream_;
};

}  // namespace belfry::internal
