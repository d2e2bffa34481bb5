#pragma once

#include "belfry/train/single_cost_trainer.h"
#include "belfry/train/train_config.h"

namespace belfry {

/// Sets the trainer's graph up with the model and the data of `config`, then trains; returns when training
/// ends, and why: `EndReason::kNotFinite` where StopOnNaN ended it. A `.dataflow` becomes a QueueInput.
/// Throws UsageError when the model or the data is missing, or when neither steps_per_epoch nor the size of
/// the data is known; DataError when steps_per_epoch is not given and the size of the data is 0; else as
/// Trainer::train.
///
/// The trainer's graph may be seeded before; its session can be used afterwards.
TrainingEnd launch_train_with_config(const TrainConfig& config, SingleCostTrainer& trainer);
TrainingEnd launch_train_with_config(const TrainConfig& config, SingleCostTrainer&& trainer);

}  // namespace belfry
