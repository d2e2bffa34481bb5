#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "belfry/base/file_system.h"

namespace belfry::test {

/// Files in memory that fail and lose power on command.
///
/// Every call that changes something (create, append, sync, close, copy_mode, rename, remove, make_dirs, …)
/// counts; the one numbered `fail_at` throws DataError "injected", and with `stay_broken` all later ones too.
/// A failing append keeps half of its bytes, as a full disk does.
class FaultFileSystem : public FileSystem {
 public:
  int calls = 0;
  int fail_at = -1;
  bool stay_broken = false;

  /// Power loss: content goes back to its last sync, names to their folder's last sync_dir.
  void crash();
  /// Puts `content` there as if written and synced long ago.
  void put(const std::string& path, std::string content);
  std::string content(const std::string& path) { return inode(path)->live; }

  std::unique_ptr<WritableFile> create(const std::string& path) override;
  std::unique_ptr<ReadableFile> open(const std::string& path) override;
  bool exists(const std::string& path) override;
  std::string follow_links(const std::string& path) override { return path; }
  std::filesystem::file_time_type modified(const std::string& path) override;
  void copy_mode(const std::string& from, const std::string& to) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void remove_tree(const std::string& path) override;
  std::vector<std::string> list(const std::string& folder) override;
  void make_dirs(const std::string& folder) override;
  void sync_file(const std::string& path) override;
  void sync_dir(const std::string& folder) override;
  std::unique_ptr<WritableFile> create_private(const std::string& path) override { return create(path); }

 private:
  struct Inode {
    std::string live, synced;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  class Writable;
  class Readable;

  bool fails();
  void count(const std::string& path);
  std::shared_ptr<Inode> inode(const std::string& path);

  Names live_, synced_;
};

}  // namespace belfry::test
