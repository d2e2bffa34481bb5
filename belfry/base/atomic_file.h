#pragma once

#include <memory>
#include <string>

#include "belfry/base/file_system.h"

namespace belfry {

/// The place where a file or folder is written, by whatever library, before it appears under its name: a
/// temporary `<path>.tempstate<number>` beside it, of a number that nobody can guess.
///
/// Where `path` is a symbolic link, what it points to is replaced and the link stays.
class TemporaryPath {
 public:
  /// Creates nothing. `files` must outlive the object.
  TemporaryPath(FileSystem& files, const std::string& path);
  /// Removes what was not published.
  ~TemporaryPath();
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;

  /// Where to write.
  const std::string& path() const { return temporary_; }
  /// Makes a file there. What replaces a file, which may be private, is for this user alone until publish().
  std::unique_ptr<WritableFile> create();
  /// Syncs what is there, gives it the permissions of the file that it replaces, renames it and syncs the
  /// folder. Throws DataError; then nothing was replaced, except when only the last step, syncing the folder,
  /// failed. Requires: whoever wrote has closed it; of a folder, the files in it are synced.
  void publish();

 private:
  FileSystem& files_;
  std::string target_;
  std::string temporary_;
};

/// Writes a file that appears under its name complete and durable, or not at all: TemporaryPath for bytes. If
/// anything fails, or the object dies unpublished, what was at `path` stays.
class AtomicFile {
 public:
  /// Throws DataError when the temporary cannot be created. `files` must outlive the object.
  AtomicFile(FileSystem& files, const std::string& path);

  void append(ByteSpan bytes);
  /// As TemporaryPath::publish.
  void publish();

 private:
  TemporaryPath temporary_;
  std::unique_ptr<WritableFile> file_;
};

/// AtomicFile in one call.
void write_file_atomically(FileSystem& files, const std::string& path, ByteSpan content);

/// Whether `path` was last changed before this process started, so that nobody who is still at work here made
/// it. File systems round times: what was changed in the last two seconds before counts as newer.
bool predates_this_process(FileSystem& files, const std::string& path);

/// Removes from `folder` the temporaries that processes killed while writing have left: names of the pattern
/// above last changed before this process started. One that cannot be removed is a warning; throws DataError
/// when `folder` cannot be listed.
void remove_stale_temporaries(FileSystem& files, const std::string& folder);

}  // namespace belfry
