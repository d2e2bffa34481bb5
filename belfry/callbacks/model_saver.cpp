#include "belfry/callbacks/model_saver.h"

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/callbacks/internal/saver_folders.h"
#include "belfry/loop/trainer.h"

namespace belfry {

ModelSaver::ModelSaver(ModelSaverOptions options) : options_(std::move(options)) {}

void ModelSaver::setup_graph() {
  if (options_.checkpoint_dir.empty()) options_.checkpoint_dir = trainer().log_dir();
  if (options_.checkpoint_dir.empty()) {
    throw UsageError("[ModelSaver] expected a checkpoint_dir, or a trainer with a log_dir, got neither");
  }
  saver_.emplace(SaverOptions{.variables = {},
                              .collections = options_.var_collections,
                              .max_to_keep = options_.max_to_keep,
                              .keep_checkpoint_every_n_hours = options_.keep_checkpoint_every_n_hours,
                              .check_finite = true});
  trainer().graph().extension<internal::SaverFolders>().list.push_back(options_.checkpoint_dir);
}

void ModelSaver::before_train() {
  saver_->prepare(trainer().session(), prefix());
}

void ModelSaver::trigger() {
  try {
    const std::string path =
        saver_->save(trainer().session(), prefix(),
                     {.global_step = trainer().global_step(), .training = training_state()});
    last_saved_step_ = trainer().global_step();
    log_info("Model saved to {}.", path);
  } catch (const DataError& e) {
    log_error("[ModelSaver] {}; training goes on.", e.what());
  } catch (const NotFiniteError& e) {
    log_error("[ModelSaver] {}; the checkpoints from before stay.", e.what());
  }
}

void ModelSaver::after_train() {
  const EndReason reason = trainer().end().reason;
  if (reason == EndReason::kFailed || reason == EndReason::kMaxEpoch) return;
  if (trainer().global_step() != last_saved_step_) trigger();
}

TrainingState ModelSaver::training_state() const {
  // Before the first epoch the one to come is under way, of which an earlier run may have done some steps.
  TrainingState state{.global_step = trainer().global_step(),
                      .epoch = std::max(trainer().epoch_num(), trainer().loop().starting_epoch),
                      .steps_done = trainer().steps_done(),
                      .steps_per_epoch = trainer().loop().steps_per_epoch,
                      .data = {},
                      .random = trainer().random_states()};
  if (const auto data = trainer().data_progress())
    state.data = {
        .source = data->source, .pass = data->pass, .index = data->index, .num_part = data->num_part};
  return state;
}

std::string ModelSaver::prefix() const {
  return options_.checkpoint_dir + "/model";
}

}  // namespace belfry
