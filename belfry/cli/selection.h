#pragma once

#include <string>
#include <vector>

#include "belfry/checkpoint/checkpoint_reader.h"

namespace CLI {
class App;
}

namespace belfry::cli {

/// Which tensors of a checkpoint a command works on.
class Selection {
 public:
  /// The options --only and --drop-slots. The object must outlive the parsing.
  void add_options(CLI::App& app);

  bool takes(const std::string& name) const;
  /// The entries of `reader` that are taken. Throws NotFound when --only leaves none.
  std::vector<CheckpointEntry> of(const CheckpointReader& reader) const;
  /// As `of`, but none is fine.
  std::vector<CheckpointEntry> any_of(const CheckpointReader& reader) const;
  /// The NotFound of `of`.
  [[noreturn]] void fail(const std::string& where) const;
  bool has_patterns() const { return !patterns_.empty(); }

 private:
  std::vector<std::string> patterns_;
  bool drop_slots_ = false;
};

}  // namespace belfry::cli
