#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "belfry/checkpoint/saver.h"
#include "belfry/graph/collection.h"
#include "belfry/loop/callback.h"

namespace belfry {

struct ModelSaverOptions {
  /// Number of checkpoints to keep; older ones are removed. 0: all.
  int max_to_keep = 10;
  /// At most every so many hours a checkpoint that would be removed is kept for good instead.
  double keep_checkpoint_every_n_hours = 0.5;
  /// "": the trainer's log_dir. Made if missing.
  std::string checkpoint_dir = {};
  /// Collections of the variables to save.
  std::vector<std::string> var_collections = {kGlobalVariables};
};

/// Saves the model as the checkpoint "model-<global_step>" at the end of each epoch (or when triggered), and
/// once more after a training that ended before its last epoch, unless it has failed: then the last step may
/// be half done.
///
/// Beside each lies `model-<global_step>.training`: where the epoch, the data and the random numbers stand,
/// with which AutoResumeTrainConfig goes on as if there had been no interruption. It is kept and removed with
/// the checkpoint, which other programs read without it.
///
/// A save that fails (a full disk, weights that are not finite) is logged as an error; training goes on and
/// the checkpoints from before stay.
class ModelSaver : public Triggerable {
 public:
  explicit ModelSaver(ModelSaverOptions options = {});

  std::string name() const override { return "ModelSaver"; }
  /// Throws UsageError when neither the options nor the trainer name a folder.
  void setup_graph() override;
  /// Throws UsageError when `var_collections` hold no variables that can be saved, and DataError when the
  /// folder cannot be made or another training saves there.
  void before_train() override;
  void trigger() override;
  void after_train() override;

 private:
  std::string prefix() const;
  TrainingState training_state() const;

  ModelSaverOptions options_;
  std::optional<Saver> saver_;
  int64_t last_saved_step_ = -1;
};

}  // namespace belfry
