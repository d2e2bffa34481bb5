#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "belfry/loop/trainer.h"
#include "belfry/train/train_config.h"

namespace belfry {

/// What train_with_defaults needs: as TrainOptions, with what TrainConfig adds by itself.
struct TrainWithDefaultsOptions {
  Callbacks callbacks = {};
  /// Run after `callbacks`. Default: default_callbacks().
  std::optional<Callbacks> extra_callbacks = {};
  /// Default: default_monitors().
  std::optional<std::vector<std::shared_ptr<Monitor>>> monitors = {};
  AnySessionInit session_init = {};
  LoopOptions loop = {};
  std::string log_dir = default_log_dir();
};

/// Trainer::train with the callbacks and monitors that launch_train_with_config adds by default:
///
///     MyTrainer trainer(model, input);
///     train_with_defaults(trainer, {.callbacks = callbacks(ModelSaver()),
///                                   .loop = {.steps_per_epoch = 500, .max_epoch = 20}});
TrainingEnd train_with_defaults(Trainer& trainer, const TrainWithDefaultsOptions& options);

}  // namespace belfry
