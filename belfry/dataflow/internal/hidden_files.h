#pragma once

#include <algorithm>
#include <string_view>

namespace belfry::internal {

/// Whether a file or folder of that name was left by a system or program beside the data of its folder:
/// names that begin with a dot (`.ipynb_checkpoints`, `.DS_Store`, `._1.jpg`), and some that do not.
inline bool is_hidden(std::string_view name) {
  constexpr std::string_view kOthers[] = {"__MACOSX",     "@eaDir",    "lost+found",
                                          "$RECYCLE.BIN", "Thumbs.db", "System Volume Information"};
  return name.starts_with('.') || std::ranges::find(kOthers, name) != std::end(kOthers);
}

}  // namespace belfry::internal
