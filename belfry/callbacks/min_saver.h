#pragma once

#include <optional>
#include <string>

#include "belfry/loop/callback.h"

namespace belfry {

struct MinSaverOptions {
  /// Name of the copy; "": "min-val-error", or "max-…" for MaxSaver.
  std::string filename;
  /// The folder of the ModelSaver; "": the trainer's log_dir.
  std::string checkpoint_dir;
};

/// Keeps a copy of the checkpoint with the smallest value of a statistic so far, in files that rotation
/// leaves alone. Register it after the ModelSaver and after what produces the statistic:
///
///     callbacks(ModelSaver(), InferenceRunner(...), MinSaver("val-error"))
///
/// Only the checkpoint of the very step that the statistic belongs to is copied: where the newest is another
/// one, a warning says so and the best value stays what it was. The copy is replaced in one step. A resumed
/// run knows the best value from the history in stats.json, as long as the copy is there. A NaN is never the
/// best.
class MinSaver : public Callback {
 public:
  explicit MinSaver(std::string monitor_stat, MinSaverOptions options = {});

  std::string name() const override { return maximum_ ? "MaxSaver" : "MinSaver"; }
  void before_train() override;
  /// Throws UsageError when the folder has no checkpoint at all: there is no ModelSaver, or it comes later.
  void trigger() override;

 protected:
  MinSaver(std::string monitor_stat, MinSaverOptions options, bool maximum);

 private:
  bool is_better(double value) const;
  std::string copy_path() const;

  std::string monitor_stat_;
  MinSaverOptions options_;
  bool maximum_;
  std::optional<double> best_;
};

/// As MinSaver, for the largest value.
class MaxSaver : public MinSaver {
 public:
  explicit MaxSaver(std::string monitor_stat, MinSaverOptions options = {});
};

}  // namespace belfry
