#pragma once

#include <optional>
#include <string>

#include "belfry/loop/callback.h"

namespace belfry {

struct MinSaverOptions {
  /// Name of the copy; "": "min-val-error", or "max-…" for MaxSaver, with "-" for each "/" of the statistic.
  std::string filename = {};
  /// The folder of the ModelSaver; "": the trainer's log_dir.
  std::string checkpoint_dir = {};
};

/// Keeps a copy of the checkpoint with the smallest value of a statistic so far, in files that rotation
/// leaves alone. Register it after the ModelSaver and after what produces the statistic:
///
///     callbacks(ModelSaver(), InferenceRunner(...), MinSaver("val-error"))
///
/// Only the checkpoint of the very step that the statistic belongs to is copied: where the newest is another
/// one, or there is none yet, a warning says so and the best value stays what it was. The copy is replaced in
/// one step. Where nobody has put a value under that name when it is triggered first, a warning names those
/// that there are and come close; an error in the log says so after a training without any.
///
/// A resumed run takes the best value from what stats.json, in the trainer's log_dir, has for the
/// step of the copy. A NaN is never the best.
class MinSaver : public Triggerable {
 public:
  explicit MinSaver(std::string monitor_stat, MinSaverOptions options = {});

  std::string name() const override { return maximum_ ? "MaxSaver" : "MinSaver"; }
  /// Throws UsageError when neither the options nor the trainer name a folder.
  void setup_graph() override;
  void before_train() override;
  /// Throws UsageError when the folder has no checkpoint, and no ModelSaver that saves there.
  void trigger() override;
  void after_train() override;

 protected:
  MinSaver(std::string monitor_stat, MinSaverOptions options, bool maximum);

 private:
  bool is_better(double value) const;
  /// Says in the log that the statistic has no value.
  std::string missing_text() const;
  /// The value that belongs to the copy of an earlier run; none when there is no copy from before this step.
  std::optional<double> value_of_copy() const;
  void check_model_saver() const;
  std::string copy_path() const;

  std::string monitor_stat_;
  MinSaverOptions options_;
  bool maximum_;
  std::optional<double> best_;
  bool missed_ = false;
};

/// As MinSaver, for the largest value.
class MaxSaver : public MinSaver {
 public:
  explicit MaxSaver(std::string monitor_stat, MinSaverOptions options = {});
};

}  // namespace belfry
