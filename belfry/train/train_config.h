#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "belfry/input/input_source.h"
#include "belfry/loop/trainer.h"
#include "belfry/train/model_desc.h"

namespace belfry {

/// The folder of set_logger_dir; "train_log" where none was set.
std::string default_log_dir();

/// Everything about one training with one cost.
struct TrainConfig {
  TrainableModel model = {};
  /// The data of training: either an input source, or a dataflow, for which the trainer's usual input source
  /// is taken.
  Shared<InputSource> data = {};
  std::optional<AnyDataFlow> dataflow = {};

  int64_t starting_epoch = 1;
  /// Default: the size of the data.
  std::optional<int64_t> steps_per_epoch = {};
  int64_t max_epoch = 99999;  ///< the last epoch, counted from 1

  Callbacks callbacks = {};
  /// Run after `callbacks`. Default: default_callbacks().
  std::optional<Callbacks> extra_callbacks = {};
  /// Default: default_monitors().
  std::optional<std::vector<std::shared_ptr<Monitor>>> monitors = {};
  /// First values of the variables; nothing: their initializers'.
  AnySessionInit session_init = {};
  /// Folder of checkpoints, event files and statistics.
  std::string log_dir = default_log_dir();
  /// Go on at the step and epoch that global_step stands for once session_init has set it, instead of at
  /// starting_epoch. An epoch that was begun is finished. The epoch is the one that the file beside the
  /// checkpoint of that step in log_dir tells (see ModelSaver), else the one after the last in stats.json, so
  /// that steps_per_epoch may change from one run to the next; where neither is there, it is reckoned from
  /// steps_per_epoch. The data and the random numbers of that file go on too. What does not fit together, and
  /// what has to start anew, is said in the log.
  bool epoch_from_global_step = false;
};

/// A TrainConfig that goes on where the last run with the same log_dir ended: the newest complete checkpoint
/// there, if any, becomes the session_init, and its global_step says at which step of which epoch to go on
/// (epoch_from_global_step). An interrupted training and one that was not end with the same weights, bit by
/// bit, where the data can be resumed and the kernels are deterministic.
struct AutoResumeTrainConfig : TrainConfig {
  /// `always_resume`: also when `config` has a session_init or a starting_epoch of its own.
  explicit AutoResumeTrainConfig(TrainConfig config, bool always_resume = true);
};

/// MovingAverageSummary, ProgressBar, MergeAllSummaries, RunUpdateOps, and StopOnNaN, so that no training
/// goes on for hours with a cost that is not a number.
Callbacks default_callbacks();
/// TFEventWriter, JSONWriter and ScalarPrinter.
std::vector<std::shared_ptr<Monitor>> default_monitors();

}  // namespace belfry
