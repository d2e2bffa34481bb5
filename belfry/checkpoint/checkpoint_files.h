#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "belfry/base/file_system.h"

namespace belfry {

/// A TensorFlow checkpoint on disk: the prefix of its files, and the step in its name.
struct CheckpointFile {
  std::string path;  ///< "train_log/model-1000"
  int64_t step = 0;
};

/// Whether `prefix` names a checkpoint all of whose files are there, with a readable index and as long as it
/// says. The data's checksums are not verified.
bool is_complete_checkpoint(const std::string& prefix, FileSystem& files = FileSystem::posix());

/// The checkpoints `prefix`-<step> in `folder`, by step, complete or not; none when there is no
/// such folder.
std::vector<CheckpointFile> checkpoints_in(const std::string& folder, const std::string& prefix = "model",
                                           FileSystem& files = FileSystem::posix());

/// Where to look for the newest checkpoint of `folder`, best first: what its file `checkpoint` names, the
/// others that it lists, newest first, then what else checkpoints_in finds. A listed path that is not there
/// but has its files in `folder` (a folder copied from another machine, Windows too) is taken from there. A
/// folder named `checkpoint` is no list. A `checkpoint` file that cannot be read gives a warning.
std::vector<std::string> checkpoint_candidates(const std::string& folder,
                                               FileSystem& files = FileSystem::posix());

/// The first of checkpoint_candidates that is complete, or none. Warns about those that it had to pass over,
/// and says which it took.
std::optional<std::string> latest_checkpoint(const std::string& folder,
                                             FileSystem& files = FileSystem::posix());

/// The prefix meant by a user's path:
/// - a prefix, or its .index, .meta or .data file: that checkpoint;
/// - a folder, or its file `checkpoint`: latest_checkpoint, or else the only complete checkpoint there, the
///   newest where they differ in their steps alone ("model.ckpt-100");
/// - a SavedModel's folder or its saved_model.pb: its variables.
///
/// Throws DataError when there is no such checkpoint; the message names what is there instead.
std::string resolve_checkpoint(const std::string& path);

/// Copies a checkpoint to another prefix, replacing what is there. Other processes see the old one or the
/// new one.
void copy_checkpoint(const std::string& from, const std::string& to, FileSystem& files = FileSystem::posix());

/// Removes the files of a checkpoint that are there, its training state too, the index first: a half-removed
/// one does not look complete.
void remove_checkpoint(const std::string& prefix, FileSystem& files = FileSystem::posix());

}  // namespace belfry
