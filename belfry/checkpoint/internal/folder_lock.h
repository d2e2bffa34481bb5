#pragma once

#include <string>

namespace belfry::internal {

/// A claim of this process on a folder, until the last of its objects for that folder dies. Safe to make and
/// destroy in any thread.
class FolderLock {
 public:
  /// Throws DataError, with the other's process id, when another process has the claim. On a file system that
  /// has no locks the claim is granted, with a warning.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::string folder_;  ///< canonical
};

}  // namespace belfry::internal
