#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/base/file_system.h"

namespace belfry {

/// The text file `checkpoint`, which lists the checkpoints of a folder (TensorFlow's CheckpointState).
///
/// Paths may be relative to the folder of the file, which is what we write, or absolute, perhaps of another
/// machine.
struct CheckpointState {
  std::string newest = {};            // model_checkpoint_path
  std::vector<std::string> all = {};  // all_model_checkpoint_paths, oldest first
  std::vector<double> timestamps =
      {};  // all_model_checkpoint_timestamps; empty unless TensorFlow 2 wrote the file
  std::optional<double> last_preserved_timestamp = {};  // likewise
};

/// What is behind the last separator of a path in the list, that of Windows too.
std::string name_in_list(const std::string& path);

/// Name of the file in its folder.
inline constexpr const char* kCheckpointStateName = "checkpoint";

/// Understands all that protobuf's text format may put there: both quotes, escapes (octal and hex too),
/// comments, adjacent strings, CRLF, `[a, b]` lists; skips fields it does not know. Throws DataError naming
/// `path` on anything else, and when no newest checkpoint is named.
CheckpointState parse_checkpoint_state(const std::string& path, std::string_view text);

/// The text as TensorFlow writes it.
std::string to_text(const CheckpointState& state);

/// Reads `<folder>/checkpoint`. Throws DataError when it is missing or not understood.
CheckpointState read_checkpoint_state(const std::string& folder, FileSystem& files = FileSystem::posix());

/// Replaces `<folder>/checkpoint` atomically and durably.
void write_checkpoint_state(const std::string& folder, const CheckpointState& state,
                            FileSystem& files = FileSystem::posix());

}  // namespace belfry
