#include "belfry/checkpoint/internal/checkpoint_history.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/training_state.h"
#include "belfry/formats/checkpoint_state.h"

// Which checkpoints there are, by TensorFlow's list `checkpoint` of their folder, and which of them go.
// Invariant: a checkpoint's files are removed after a list without it was published, so that no list ever
// names what is gone. What others saved in the folder is kept in the list and never removed.
namespace belfry::internal {
namespace {

namespace fs = std::filesystem;

constexpr double kSecondsPerHour = 3600;

double seconds_since_1970(fs::file_time_type time) {
  const auto system_time = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration<double>(system_time.time_since_epoch()).count();
}

}  // namespace

CheckpointHistory::CheckpointHistory(std::string folder, std::string name, FileSystem& files, double now)
    : folder_(std::move(folder)),
      name_(std::move(name)),
      files_(files),
      list_{.entries = {}, .last_preserved = now} {
  read_list();
}

std::vector<std::string> CheckpointHistory::checkpoints() const {
  std::vector<std::string> paths;
  for (const Entry& entry : list_.entries) {
    if (is_ours(entry.name)) paths.push_back(folder_ + "/" + entry.name);
  }
  return paths;
}

bool CheckpointHistory::is_ours(const std::string& entry) const {
  if (!entry.starts_with(name_)) return false;
  const std::string rest = entry.substr(name_.size());
  return rest.empty() ||
         (rest.size() > 1 && rest[0] == '-' && rest.find_first_not_of("0123456789", 1) == std::string::npos);
}

void CheckpointHistory::read_list() {
  const std::string list = folder_ + "/" + kCheckpointStateName;
  std::error_code ignored;
  if (!files_.exists(list) || fs::is_directory(list, ignored)) return;
  CheckpointState state;
  try {
    state = read_checkpoint_state(folder_, files_);
  } catch (const DataError& error) {
    log_warning("[Saver] the list of earlier checkpoints is of no use, they will be kept: {}", error.what());
    return;
  }
  list_.entries.clear();
  const bool has_times = state.timestamps.size() == state.all.size();
  for (size_t i = 0; i < state.all.size(); ++i) {
    std::string name = state.all[i];
    // Absolute, or of Windows: as another machine may have written it.
    const std::string here = name_in_list(name);
    const bool is_foreign = fs::path(name).is_absolute() || name.find('\\') != std::string::npos;
    if (is_foreign && files_.exists(folder_ + "/" + here + ".index")) name = here;
    const std::string index = (fs::path(folder_) / (name + ".index")).string();
    if (!files_.exists(index)) continue;
    const double saved_at = has_times ? state.timestamps[i] : seconds_since_1970(files_.modified(index));
    list_.entries.push_back({std::move(name), saved_at});
  }
  if (state.last_preserved_timestamp) list_.last_preserved = *state.last_preserved_timestamp;
}

void CheckpointHistory::add(const std::string& entry, double now, Limits limits) {
  read_list();  // another saver of this process may have written it
  List next = list_;
  std::erase_if(next.entries, [&](const Entry& other) { return other.name == entry; });
  next.entries.push_back({entry, now});
  const std::vector<std::string> dropped = drop_old(next, limits);
  write(next);
  list_ = std::move(next);
  remove(dropped);
}

void CheckpointHistory::discard(const std::string& entry) {
  read_list();  // it may have been replaced, and only making that durable failed
  const bool listed = std::any_of(list_.entries.begin(), list_.entries.end(),
                                  [&](const Entry& other) { return other.name == entry; });
  if (!listed) remove({entry});
}

void CheckpointHistory::remove_unfinished() const {
  std::map<std::string, bool> unfinished;  // whether all files of the entry are old
  for (const std::string& file : files_.list(folder_)) {
    size_t mark = file.rfind(".data-");
    if (mark == std::string::npos && file.ends_with(kTrainingStateSuffix)) mark = file.rfind('.');
    if (mark == std::string::npos) continue;
    const std::string entry = file.substr(0, mark);
    if (!is_ours(entry) || files_.exists(folder_ + "/" + entry + ".index")) continue;
    unfinished.emplace(entry, true).first->second &= predates_this_process(files_, folder_ + "/" + file);
  }
  for (const auto& [entry, is_old] : unfinished) {
    if (!is_old) continue;  // somebody is copying it into the folder, its data first
    log_warning("[Saver] removing {}/{}, whose saving was interrupted: it has no index", folder_, entry);
    remove({entry});
  }
}

// The order of saving decides, not the clock, which may have been set back. Returns what is to be removed.
std::vector<std::string> CheckpointHistory::drop_old(List& list, Limits limits) const {
  std::vector<std::string> dropped;
  auto ours = std::count_if(list.entries.begin(), list.entries.end(),
                            [&](const Entry& e) { return is_ours(e.name); });
  const bool keep_all = limits.max_to_keep <= 0;
  for (auto it = list.entries.begin();
       it != list.entries.end() && ours > (keep_all ? 1 : limits.max_to_keep);) {
    if (!is_ours(it->name)) {
      ++it;
      continue;
    }
    list.last_preserved = std::min(list.last_preserved, it->saved_at);
    if (!keep_all && it->saved_at - list.last_preserved < limits.keep_every_hours * kSecondsPerHour) {
      dropped.push_back(it->name);
    } else {
      list.last_preserved = it->saved_at;
    }
    it = list.entries.erase(it);
    --ours;
  }
  return dropped;
}

void CheckpointHistory::write(const List& list) const {
  CheckpointState state;
  for (const Entry& entry : list.entries) {
    state.all.push_back(entry.name);
    state.timestamps.push_back(entry.saved_at);
  }
  state.newest = list.entries.back().name;
  state.last_preserved_timestamp = list.last_preserved;
  write_checkpoint_state(folder_, state, files_);
}

void CheckpointHistory::remove(const std::vector<std::string>& entries) const {
  for (const std::string& entry : entries) {
    try {
      remove_checkpoint(folder_ + "/" + entry, files_);
    } catch (const DataError& error) {
      log_warning("[Saver] files of a checkpoint stay: {}", error.what());
    }
  }
}

}  // namespace belfry::internal
