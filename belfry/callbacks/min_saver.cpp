#include "belfry/callbacks/min_saver.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>
#include <vector>

#include "belfry/base/edit_distance.h"
#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/callbacks/internal/saver_folders.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/loop/trainer.h"
#include "belfry/summary/json_writer.h"

namespace belfry {

MinSaver::MinSaver(std::string monitor_stat, MinSaverOptions options)
    : MinSaver(std::move(monitor_stat), std::move(options), /*maximum=*/false) {}

MinSaver::MinSaver(std::string monitor_stat, MinSaverOptions options, bool maximum)
    : monitor_stat_(std::move(monitor_stat)), options_(std::move(options)), maximum_(maximum) {
  if (!options_.filename.empty()) return;
  options_.filename = (maximum_ ? "max-" : "min-") + monitor_stat_;
  std::replace(options_.filename.begin(), options_.filename.end(), '/', '-');  // else a folder's name
}

MaxSaver::MaxSaver(std::string monitor_stat, MinSaverOptions options)
    : MinSaver(std::move(monitor_stat), std::move(options), /*maximum=*/true) {}

void MinSaver::setup_graph() {
  if (options_.checkpoint_dir.empty()) options_.checkpoint_dir = trainer().log_dir();
  if (options_.checkpoint_dir.empty()) {
    throw UsageError(
        fmt::format("[{}] expected a checkpoint_dir, or a trainer with a log_dir, got neither", name()));
  }
}

void MinSaver::before_train() {
  try {
    best_ = value_of_copy();
  } catch (const DataError& e) {
    log_warning("[{}] {}", name(), e.what());
  }
}

std::optional<double> MinSaver::value_of_copy() const {
  if (trainer().log_dir().empty() || !is_complete_checkpoint(copy_path())) return std::nullopt;
  const int64_t step = CheckpointReader::open(copy_path())->tensor("global_step").item<int64_t>();
  if (step > trainer().global_step()) return std::nullopt;
  std::optional<double> value;
  for (const JSONWriter::Entry& entry : JSONWriter::load_existing(trainer().log_dir())) {
    const auto found = entry.scalars.find(monitor_stat_);
    if (entry.global_step == step && found != entry.scalars.end()) value = found->second;
  }
  return value;
}

void MinSaver::trigger() {
  const auto latest = trainer().monitors().get_latest(monitor_stat_);
  if (!latest && !std::exchange(missed_, true)) {
    log_warning(
        "{} Is it misspelt, or put later, by a callback after this one or by one that is triggered less "
        "often?",
        missing_text());
  }
  if (!latest || !is_better(latest->value)) return;
  const char* extreme = maximum_ ? "maximum" : "minimum";
  try {
    const auto checkpoint = latest_checkpoint(options_.checkpoint_dir);
    if (!checkpoint) check_model_saver();
    if (!checkpoint || !checkpoint->ends_with(fmt::format("-{}", latest->step))) {
      log_warning(
          "[{}] New {} '{}' found at global_step={}, but the latest checkpoint is {}: nothing is saved. The "
          "callbacks may have different periods, or the wrong order.",
          name(), extreme, monitor_stat_, latest->step, checkpoint.value_or("missing"));
      return;
    }
    copy_checkpoint(*checkpoint, copy_path());
  } catch (const DataError& e) {
    log_error("[{}] {}; training goes on.", name(), e.what());
    return;
  }
  best_ = latest->value;
  log_info("Model at global_step={} with {} {}={:.5g} saved.", latest->step, extreme, monitor_stat_, *best_);
}

void MinSaver::after_train() {
  if (missed_ && !trainer().monitors().get_latest(monitor_stat_))
    log_error("{} Nothing was saved.", missing_text());
}

std::string MinSaver::missing_text() const {
  std::vector<std::pair<size_t, std::string>> near;
  for (const std::string& tag : trainer().monitors().tags())
    near.emplace_back(edit_distance(tag, monitor_stat_), tag);
  std::sort(near.begin(), near.end());
  if (near.size() > 5) near.resize(5);
  std::vector<std::string> names;
  for (const auto& [distance, tag] : near) names.push_back("'" + tag + "'");
  return fmt::format(
      "[{}] expected a statistic '{}', which nobody has put so far; closest: {}.", name(), monitor_stat_,
      names.empty() ? "none, there are no statistics" : fmt::format("{}", fmt::join(names, ", ")));
}

void MinSaver::check_model_saver() const {
  const auto* folders = trainer().graph().find_extension<internal::SaverFolders>();
  const bool found =
      folders && std::any_of(folders->list.begin(), folders->list.end(), [&](const auto& folder) {
        std::error_code ignored;
        return std::filesystem::equivalent(folder, options_.checkpoint_dir, ignored);
      });
  if (found) return;
  throw UsageError(
      fmt::format("[{}] expected a checkpoint in '{}', got none; register a ModelSaver before it", name(),
                  options_.checkpoint_dir));
}

bool MinSaver::is_better(double value) const {
  if (std::isnan(value)) return false;
  return !best_ || (maximum_ ? value > *best_ : value < *best_);
}

std::string MinSaver::copy_path() const {
  return options_.checkpoint_dir + "/" + options_.filename;
}

}  // namespace belfry
