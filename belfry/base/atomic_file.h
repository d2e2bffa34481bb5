#pragma once

#include <memory>
#include <string>

#include "belfry/base/file_system.h"

namespace belfry {

/// Writes a file that appears under its name complete and durable, or not at all.
///
/// Bytes go to a temporary `<path>.tempstate<number>` beside it; publish() syncs it, renames it and syncs the
/// folder. If anything fails, or the object dies unpublished, the temporary is removed and what was at `path`
/// stays.
class AtomicFile {
 public:
  /// Throws DataError when the temporary cannot be created. `files` must outlive the object.
  AtomicFile(FileSystem& files, std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void append(ByteSpan bytes);
  /// Throws DataError; then the file was not replaced, except when only the last step, syncing the folder,
  /// failed.
  void publish();

 private:
  FileSystem& files_;
  std::string path_;
  std::string temporary_;
  std::unique_ptr<WritableFile> file_;
};

/// AtomicFile in one call.
void write_file_atomically(FileSystem& files, const std::string& path, ByteSpan content);

/// Removes from `folder` the temporaries that processes killed while writing have left: names of AtomicFile's
/// pattern last changed before this process started. One that cannot be removed is a warning; throws
/// DataError when `folder` cannot be listed.
void remove_stale_temporaries(FileSystem& files, const std::string& folder);

}  // namespace belfry
