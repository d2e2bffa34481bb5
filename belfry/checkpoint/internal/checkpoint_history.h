#pragma once

#include <string>
#include <vector>

#include "belfry/base/file_system.h"

namespace belfry::internal {

/// The checkpoints of one name ("model-…") in a folder, oldest first, and the file `checkpoint` that lists
/// them. Checkpoints of other names that the file lists stay listed, and are never removed.
class CheckpointHistory {
 public:
  struct Limits {
    int max_to_keep;
    double keep_every_hours;
  };

  /// Takes up what `folder` lists. `now` is in seconds since 1970.
  CheckpointHistory(std::string folder, std::string name, FileSystem& files, double now);

  const std::string& folder() const { return folder_; }
  const std::string& name() const { return name_; }
  /// Paths, oldest first.
  std::vector<std::string> checkpoints() const;

  /// Enters the checkpoint `folder`/`entry`, which is complete, as the newest, writes the list, and then
  /// removes the checkpoints that dropped out of it.
  void add(const std::string& entry, double now, Limits limits);

 private:
  struct Entry {
    std::string name;  ///< in the folder; the path, where it is elsewhere
    double saved_at;
  };

  bool is_ours(const std::string& entry) const;
  void read_list();
  std::vector<std::string> drop_old(Limits limits);
  void write_list() const;
  void remove(const std::vector<std::string>& entries) const;

  std::string folder_, name_;
  FileSystem& files_;
  std::vector<Entry> entries_;
  double last_preserved_;
};

}  // namespace belfry::internal
