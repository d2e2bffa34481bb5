#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belfry {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

inline ByteSpan as_byte_span(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A file open for appending. Every failure throws DataError with the path and the system's reason.
/// The destructor closes without throwing: call close() to learn whether the last bytes were taken.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  /// Hands `bytes` to the system at once, unbuffered: one write(2) unless the system takes only a part.
  virtual void append(ByteSpan bytes) = 0;
  /// Returns when everything appended so far would survive a loss of power.
  virtual void sync() = 0;
  virtual void close() = 0;
};

/// A file open for reading; it stays readable when another process removes or replaces the name. Safe to
/// share between threads.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  virtual uint64_t size() const = 0;
  /// Fills `out` from byte `offset`. Throws DataError naming the needed range when the file ends before.
  virtual void read(uint64_t offset, MutableByteSpan out) const = 0;
};

/// The operating system's files, behind an interface so that tests can make any call fail and cut the power.
/// All functions throw DataError with path and reason on failure.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// Makes an empty file of a name that nothing has yet, not even a symbolic link.
  virtual std::unique_ptr<WritableFile> create(const std::string& path) = 0;
  /// Opens a regular file: a folder, pipe, socket or device is an error, never waited for.
  virtual std::unique_ptr<ReadableFile> open(const std::string& path) = 0;
  /// Throws when the system does not tell, as for a folder that this user may not enter.
  virtual bool exists(const std::string& path) = 0;
  /// What the symbolic link `path` stands for in the end, there or not; `path` itself when it is no link.
  virtual std::string follow_links(const std::string& path) = 0;
  /// Time of the last change of `path`'s content.
  virtual std::filesystem::file_time_type modified(const std::string& path) = 0;
  /// Gives `to` the permissions of `from`.
  virtual void copy_mode(const std::string& from, const std::string& to) = 0;
  /// Replaces `to` in one step: whoever looks sees the old file or the new one.
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;
  /// Removes the file `path`, or the folder with all that is in it; that nothing is there is no failure.
  virtual void remove_tree(const std::string& path) = 0;
  /// Names (without the folder) of everything in `folder`, sorted.
  virtual std::vector<std::string> list(const std::string& folder) = 0;
  /// Makes `folder` and those above it where they are missing. On return they survive a loss of power.
  virtual void make_dirs(const std::string& folder) = 0;
  /// Makes what another library wrote to the file `path` survive a loss of power; of a folder, the names.
  virtual void sync_file(const std::string& path) = 0;
  /// Makes the names in `folder` (created, renamed, removed) survive a loss of power.
  virtual void sync_dir(const std::string& folder) = 0;

  /// As create(), but nobody except this user may open the file until copy_mode() says otherwise.
  virtual std::unique_ptr<WritableFile> create_private(const std::string& path) = 0;

  /// The real one.
  static FileSystem& posix();
};

/// The folder part of `path`; "." when it has none.
std::string folder_of(const std::string& path);

/// The whole content of `path`. Throws DataError, before reading, when the file is larger than `max_size`.
std::string read_file(FileSystem& files, const std::string& path, uint64_t max_size);

}  // namespace belfry
