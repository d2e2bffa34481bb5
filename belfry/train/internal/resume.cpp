#include "belfry/train/internal/resume.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/distributed/process_group.h"

// Where a training goes on: the state beside the checkpoint says so, else the history of its statistics,
// else the step alone. The checkpoint's step always counts; whatever contradicts it is told in a warning and
// left out.
namespace belfry::internal {
namespace {

using Entry = JSONWriter::Entry;

/// The last step that the history has of each epoch.
std::map<int64_t, int64_t> last_steps(const std::vector<Entry>& history) {
  std::map<int64_t, int64_t> steps;
  for (const Entry& entry : history) {
    if (entry.epoch_num >= 1) steps[entry.epoch_num] = std::max(steps[entry.epoch_num], entry.global_step);
  }
  return steps;
}

/// Whether all of the history lies where epochs of that many steps have it.
bool fits(const std::vector<Entry>& history, int64_t steps_per_epoch) {
  return std::all_of(history.begin(), history.end(), [&](const Entry& entry) {
    if (entry.epoch_num < 1) return true;
    const int64_t end = entry.epoch_num * steps_per_epoch;
    return entry.global_step >= end - steps_per_epoch && entry.global_step <= end;
  });
}

/// Whether the history was written at the ends of epochs, of one other length, and up to `global_step`.
bool tells_other_length(const std::vector<Entry>& history, int64_t global_step, int64_t steps_per_epoch) {
  const auto steps = last_steps(history);
  if (steps.empty() || steps.rbegin()->second != global_step) return false;
  const int64_t epochs = steps.rbegin()->first, length = global_step / epochs;
  if (length == steps_per_epoch || length == 0) return false;
  return std::all_of(history.begin(), history.end(), [&](const Entry& entry) {
    return entry.epoch_num < 1 || entry.global_step == entry.epoch_num * length;
  });
}

Place place_of_state(const TrainingState& state, int64_t steps_per_epoch) {
  const int64_t epoch = std::max<int64_t>(state.epoch, 1);
  const bool is_done =
      state.epoch >= 1 && state.steps_done >= std::min(state.steps_per_epoch, steps_per_epoch);
  const Place place = is_done ? Place{epoch + 1, 0} : Place{epoch, state.steps_done};
  if (state.steps_per_epoch != steps_per_epoch) {
    log_warning(
        "[resume] steps_per_epoch was {} and is {}: after {} steps of epoch {}, training goes on with epoch "
        "{}, step "
        "{}.",
        state.steps_per_epoch, steps_per_epoch, state.steps_done, epoch, place.epoch, place.step);
  }
  return place;
}

}  // namespace

std::optional<TrainingState> find_training_state(const std::string& folder, int64_t global_step) {
  try {
    for (const std::string& path : checkpoint_candidates(folder)) {
      if (!path.ends_with(fmt::format("-{}", global_step))) continue;
      std::optional<TrainingState> state = read_training_state(path);
      if (state && state->global_step == global_step) return state;
      if (state) {
        log_warning("[resume] {}{} is of step {}, not of this checkpoint.", path, kTrainingStateSuffix,
                    state->global_step);
      }
    }
    if (global_step == 0) return std::nullopt;
    log_warning(
        "[resume] no state of the training lies beside the checkpoint of step {} in '{}' (another program "
        "saved it, "
        "or an older version): the data and random numbers start anew.",
        global_step, folder);
  } catch (const DataError& e) {
    log_warning("[resume] the data and random numbers start anew: {}", e.what());
  }
  return std::nullopt;
}

std::vector<Entry> find_history(const std::string& folder, int64_t global_step) {
  std::vector<Entry> history;
  try {
    history = JSONWriter::load_existing(folder);
    if (history.empty() && global_step > 0)
      log_info("[resume] '{}' has no {}.", folder, JSONWriter::kFileName);
  } catch (const DataError& e) {
    log_warning("[resume] {}", e.what());
  }
  const size_t all = history.size();
  std::erase_if(history, [&](const Entry& entry) { return entry.global_step > global_step; });
  if (history.size() < all) {
    log_warning(
        "[resume] {} is ahead of the checkpoint: {} of its entries are later than step {} and do not count.",
        JSONWriter::kFileName, all - history.size(), global_step);
  }
  return history;
}

Place place_of(int64_t global_step, int64_t steps_per_epoch, const std::optional<TrainingState>& state,
               const std::vector<Entry>& history) {
  const auto steps = last_steps(history);
  if (state) {
    const Place place = place_of_state(*state, steps_per_epoch);
    if (!steps.empty() && steps.rbegin()->first > std::max<int64_t>(state->epoch, 1)) {
      log_warning("[resume] {} has epoch {} already, the checkpoint of step {} is of epoch {}, which counts.",
                  JSONWriter::kFileName, steps.rbegin()->first, global_step, state->epoch);
    }
    return place;
  }
  const Place by_step = {global_step / steps_per_epoch + 1, global_step % steps_per_epoch};
  if (steps.empty()) {
    if (global_step > 0) {
      log_warning(
          "[resume] nothing tells the epoch of step {}: with {} steps in each, it is epoch {}, step {}.",
          global_step, steps_per_epoch, by_step.epoch, by_step.step);
    }
    return by_step;
  }
  if (fits(history, steps_per_epoch) && !tells_other_length(history, global_step, steps_per_epoch))
    return by_step;
  const auto [epoch, last] = *steps.rbegin();
  const int64_t since = global_step - last;
  const Place place = {epoch + 1 + since / steps_per_epoch, since % steps_per_epoch};
  log_warning(
      "[resume] {} has epoch {} end at step {}, which does not fit steps_per_epoch = {} (was it changed?): "
      "training "
      "goes on with epoch {}, step {}.",
      JSONWriter::kFileName, epoch, last, steps_per_epoch, place.epoch, place.step);
  return place;
}

void RestoreRandomStates::before_train() {
  const std::vector<std::string> left = trainer().session().set_random_states(states_);
  if (left.empty()) return;
  log_warning(
      "[resume] some random numbers start anew, as the graph has changed: {} are no random nodes of it.",
      fmt::join(left, ", "));
}

void broadcast_data_progress(std::optional<TrainingState>& state) {
  std::string text;
  if (state && state->data) {
    const auto& data = *state->data;
    text = fmt::format("{} {} {} {}", data.pass, data.index, data.num_part, data.source);
  }
  std::istringstream stream(process_group().broadcast(text));
  TrainingState::Data data;
  if (!(stream >> data.pass >> data.index >> data.num_part)) return;
  std::getline(stream >> std::ws, data.source);
  if (!state) state.emplace();
  state->data = std::move(data);
}

void resume_data(Trainer& trainer, const TrainingState& state) {
  if (!state.data) {
    log_warning("[resume] the data starts anew: its source could not say where it was.");
  } else if (trainer.resume_data({.source = state.data->source,
                                  .pass = state.data->pass,
                                  .index = state.data->index,
                                  .num_part = state.data->num_part})) {
    log_info("[resume] the data goes on with pass {}, after {} datapoints.", state.data->pass,
             state.data->index);
  } else {
    log_warning("[resume] the data starts anew: its source cannot go on in the middle.");
  }
}

}  // namespace belfry::internal
