#include "belfry/train/train_config.h"

#include <optional>
#include <string>
#include <utility>

#include "belfry/base/log.h"
#include "belfry/base/logger_dir.h"
#include "belfry/callbacks/progress_bar.h"
#include "belfry/callbacks/run_op.h"
#include "belfry/callbacks/stop_on_nan.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/restore.h"
#include "belfry/summary/json_writer.h"
#include "belfry/summary/merge_all_summaries.h"
#include "belfry/summary/moving_average_summary.h"
#include "belfry/summary/scalar_printer.h"
#include "belfry/summary/tf_event_writer.h"

namespace belfry {

std::string default_log_dir() {
  return get_logger_dir().value_or("train_log");
}

AutoResumeTrainConfig::AutoResumeTrainConfig(TrainConfig config, bool always_resume)
    : TrainConfig(std::move(config)) {
  const bool has_its_own = session_init || starting_epoch != 1;
  if (log_dir.empty()) return;
  const std::optional<std::string> checkpoint = latest_checkpoint(log_dir);
  if (!checkpoint) return;
  if (has_its_own && !always_resume) {
    log_info(
        "[AutoResumeTrainConfig] {} is not used: the config has a session_init or a starting_epoch of its "
        "own.",
        *checkpoint);
    return;
  }
  if (session_init)
    log_warning("[AutoResumeTrainConfig] {} is there: the config's session_init is not used.", *checkpoint);
  if (starting_epoch != 1) {
    log_warning(
        "[AutoResumeTrainConfig] {} is there: training goes on at its epoch, not at starting_epoch = {}.",
        *checkpoint, starting_epoch);
  }
  session_init = SaverRestore(log_dir);
  epoch_from_global_step = true;
}

Callbacks default_callbacks() {
  return callbacks(MovingAverageSummary(), ProgressBar(), MergeAllSummaries(), RunUpdateOps(), StopOnNaN());
}

std::vector<std::shared_ptr<Monitor>> default_monitors() {
  return {std::make_shared<TFEventWriter>(), std::make_shared<JSONWriter>(),
          std::make_shared<ScalarPrinter>()};
}

}  // namespace belfry
