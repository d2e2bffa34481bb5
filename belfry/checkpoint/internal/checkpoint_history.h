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
  /// removes the checkpoints that dropped out of it. Throws DataError when the list cannot be written.
  void add(const std::string& entry, double now, Limits limits);
  /// Removes what there is of a checkpoint that could not be saved, unless the list names it.
  void discard(const std::string& entry);
  /// Removes data files and training states of this name that have no index: what a process killed between
  /// the two has left.
  void remove_unfinished() const;

 private:
  struct Entry {
    std::string name;  ///< in the folder; the path, where it is elsewhere
    double saved_at;
  };
  /// What the file says.
  struct List {
    std::vector<Entry> entries;
    double last_preserved;
  };

  bool is_ours(const std::string& entry) const;
  void read_list();
  std::vector<std::string> drop_old(List& list, Limits limits) const;
  void write(const List& list) const;
  void remove(const std::vector<std::string>& entries) const;

  std::string folder_, name_;
  FileSystem& files_;
  List list_;
};

}  // namespace belfry::internal
