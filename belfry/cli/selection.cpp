#include "belfry/cli/selection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>

#include "belfry/checkpoint/variable_names.h"
#include "belfry/cli/commands.h"

namespace belfry::cli {

void Selection::add_options(CLI::App& app) {
  app.add_option("--only", patterns_,
                 "Only tensors whose whole name matches PATTERN: * ? [a-z], where * goes over / too; may be "
                 "given again for more")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  app.add_flag(
      "--drop-slots", drop_slots_,
      "Without what only training needs, by its name: optimizer slots, moving averages of summaries, "
      "global_step, learning_rate");
}

bool Selection::takes(const std::string& name) const {
  if (drop_slots_ && is_training_name(name)) return false;
  return patterns_.empty() || std::any_of(patterns_.begin(), patterns_.end(), [&](const auto& pattern) {
           return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
         });
}

std::vector<CheckpointEntry> Selection::any_of(const CheckpointReader& reader) const {
  std::vector<CheckpointEntry> taken;
  std::copy_if(reader.entries().begin(), reader.entries().end(), std::back_inserter(taken),
               [&](const CheckpointEntry& entry) { return takes(entry.name); });
  return taken;
}

std::vector<CheckpointEntry> Selection::of(const CheckpointReader& reader) const {
  std::vector<CheckpointEntry> taken = any_of(reader);
  if (taken.empty() && has_patterns()) fail(reader.path());
  return taken;
}

void Selection::fail(const std::string& where) const {
  throw NotFound(fmt::format("{}: no tensor matches {}", where, fmt::join(patterns_, ", ")));
}

}  // namespace belfry::cli
