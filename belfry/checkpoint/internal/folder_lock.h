#pragma once

#include <memory>
#include <string>

namespace belfry::internal {

/// A claim of this process on a folder, held until the object dies. Shared by all who ask for it in this
/// process.
class FolderLock {
 public:
  /// Throws DataError, with the other's process id, when another process has the claim. On a file system that
  /// has no locks the claim is granted, with a warning.
  static std::shared_ptr<FolderLock> acquire(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(const std::string& folder);
  int descriptor_;
};

}  // namespace belfry::internal
