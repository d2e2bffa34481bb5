#include "belfry/callbacks/min_saver.h"

#include <fmt/format.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/loop/trainer.h"
#include "belfry/summary/json_writer.h"

namespace belfry {

MinSaver::MinSaver(std::string monitor_stat, MinSaverOptions options)
    : MinSaver(std::move(monitor_stat), std::move(options), /*maximum=*/false) {}

MinSaver::MinSaver(std::string monitor_stat, MinSaverOptions options, bool maximum)
    : monitor_stat_(std::move(monitor_stat)), options_(std::move(options)), maximum_(maximum) {
  if (options_.filename.empty()) options_.filename = (maximum_ ? "max-" : "min-") + monitor_stat_;
}

MaxSaver::MaxSaver(std::string monitor_stat, MinSaverOptions options)
    : MinSaver(std::move(monitor_stat), std::move(options), /*maximum=*/true) {}

void MinSaver::before_train() {
  if (options_.checkpoint_dir.empty()) options_.checkpoint_dir = trainer().log_dir();
  if (!is_complete_checkpoint(copy_path())) return;
  try {
    for (const JSONWriter::Entry& entry : JSONWriter::load_existing(options_.checkpoint_dir)) {
      const auto found = entry.scalars.find(monitor_stat_);
      if (found == entry.scalars.end() || entry.global_step > trainer().global_step()) continue;
      if (is_better(found->second)) best_ = found->second;
    }
  } catch (const DataError& e) {
    log_warning("[{}] {}", name(), e.what());
  }
}

void MinSaver::trigger() {
  const auto latest = trainer().monitors().get_latest(monitor_stat_);
  if (!latest || !is_better(latest->value)) return;

  const auto checkpoint = latest_checkpoint(options_.checkpoint_dir);
  if (!checkpoint) {
    throw UsageError(
        fmt::format("[{}] expected a checkpoint in '{}', got none; register a ModelSaver before it", name(),
                    options_.checkpoint_dir));
  }
  const char* extreme = maximum_ ? "maximum" : "minimum";
  if (!checkpoint->ends_with(fmt::format("-{}", latest->step))) {
    log_warning(
        "[{}] New {} '{}' found at global_step={}, but the latest checkpoint is {}: nothing is saved. The "
        "callbacks "
        "may have different periods, or the wrong order.",
        name(), extreme, monitor_stat_, latest->step, *checkpoint);
    return;
  }
  try {
    copy_checkpoint(*checkpoint, copy_path());
  } catch (const DataError& e) {
    log_error("[{}] {}; training goes on.", name(), e.what());
    return;
  }
  best_ = latest->value;
  log_info("Model at global_step={} with {} {}={:.5g} saved.", latest->step, extreme, monitor_stat_, *best_);
}

bool MinSaver::is_better(double value) const {
  if (std::isnan(value)) return false;
  return !best_ || (maximum_ ? value > *best_ : value < *best_);
}

std::string MinSaver::copy_path() const {
  return options_.checkpoint_dir + "/" + options_.filename;
}

}  // namespace belfry
