#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belfry/checkpoint/training_state.h"
#include "belfry/loop/callback.h"
#include "belfry/loop/trainer.h"
#include "belfry/summary/json_writer.h"

namespace belfry::internal {

/// What lies beside the checkpoint of `global_step` in `folder`; nullopt, with a line in the log, where there
/// is nothing or it is damaged.
std::optional<TrainingState> find_training_state(const std::string& folder, int64_t global_step);

/// The history in `folder` up to `global_step`; empty, with a line in the log, where there is none, or none
/// that can be read.
std::vector<JSONWriter::Entry> find_history(const std::string& folder, int64_t global_step);

/// Where a training goes on.
struct Place {
  int64_t epoch = 1;
  int64_t step = 0;  ///< of the epoch: how many are done
  bool operator==(const Place&) const = default;
};

/// The place that `global_step` stands for in a training whose epochs had, up to there, the steps that
/// `state` or else `history` tells, and have `steps_per_epoch` from there on; where neither tells, all have
/// that. The log says what does not fit together. Requires: steps_per_epoch > 0.
Place place_of(int64_t global_step, int64_t steps_per_epoch, const std::optional<TrainingState>& state,
               const std::vector<JSONWriter::Entry>& history);

/// Sets the random numbers when training begins. The last of the callbacks: others may draw numbers when they
/// begin, as they did in the run before.
class RestoreRandomStates : public Callback {
 public:
  std::string name() const override { return "RestoreRandomStates"; }
  bool chief_only() const override { return false; }
  void set(std::map<std::string, at::Tensor> states) { states_ = std::move(states); }
  void before_train() override;

 private:
  std::map<std::string, at::Tensor> states_;
};

/// All processes get what process 0 knows of the data.
void broadcast_data_progress(std::optional<TrainingState>& state);

/// Lets the data of `trainer` begin where `state` says. The log tells whether it does.
void resume_data(Trainer& trainer, const TrainingState& state);

}  // namespace belfry::internal
