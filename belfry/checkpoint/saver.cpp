#include "belfry/checkpoint/saver.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/sum.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <set>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/element_type.h"
#include "belfry/checkpoint/internal/adapters.h"
#include "belfry/checkpoint/internal/assignment.h"
#include "belfry/checkpoint/internal/checkpoint_history.h"
#include "belfry/checkpoint/internal/folder_lock.h"
#include "belfry/formats/bundle_writer.h"

// Values are written as a TensorFlow bundle under temporary names, synced, and published with the index last;
// then the state of the training, then the list `checkpoint`. Whatever fails, the checkpoints before stay
// listed and whole.

namespace belfry {
namespace {

double now_in_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool all_finite(const at::Tensor& value) {
  if (!value.is_floating_point() && !value.is_complex()) return true;
  // One fast pass that NaN and infinity always show in; only an overflow needs the slow one.
  if (value.scalar_type() == kFloat32 && std::isfinite(value.sum().item<float>())) return true;
  return value.isfinite().all().item<bool>();
}

/// What makes up the model, without optimizers and summaries.
std::set<std::string> names_of_model(const Graph& graph) {
  std::set<std::string> names;
  for (const char* collection : {kTrainableVariables, kModelVariables}) {
    for (const Variable& variable : variables_in(graph, collection)) names.insert(variable.name());
  }
  return names;
}

}  // namespace

// What a saver holds of the folder it saves into.
class Saver::History : public internal::CheckpointHistory {
 public:
  History(const std::string& folder, const std::string& name, FileSystem& files)
      : CheckpointHistory(folder, name, files, now_in_seconds()) {
    if (&files == &FileSystem::posix()) lock_.emplace(folder);
    remove_stale_temporaries(files, folder);
    remove_unfinished();
  }

 private:
  std::optional<internal::FolderLock> lock_;
};

Saver::Saver(SaverOptions options) : options_(std::move(options)) {
  if (options_.max_to_keep < 0) {
    throw UsageError(fmt::format("[Saver] expected max_to_keep >= 0, got {}", options_.max_to_keep));
  }
}
Saver::~Saver() = default;
Saver::Saver(Saver&&) noexcept = default;
Saver& Saver::operator=(Saver&&) noexcept = default;

Saver::History& Saver::history_of(const std::string& path_prefix) {
  const std::string folder = folder_of(path_prefix);
  const std::string name = std::filesystem::path(path_prefix).filename().string();
  if (name.empty())
    throw UsageError("[Saver] expected a path prefix like 'train_log/model', got '" + path_prefix + "'");
  options_.files->make_dirs(folder);  // it may have been removed meanwhile
  if (!history_ || history_->folder() != folder || history_->name() != name) {
    history_.reset();
    history_ = std::make_unique<History>(folder, name, *options_.files);
  }
  return *history_;
}

std::vector<Variable> Saver::variables_of(const Session& session) const {
  std::vector<Variable> variables = options_.variables;
  if (variables.empty()) {
    std::set<std::string> seen;
    for (const std::string& collection : options_.collections) {
      for (const Variable& variable : variables_in(session.graph(), collection)) {
        if (seen.insert(variable.name()).second) variables.push_back(variable);
      }
    }
  }
  if (variables.empty()) {
    throw UsageError(
        fmt::format("[Saver] expected variables in the collections {}, got none", options_.collections));
  }
  // TensorFlow's order in the file.
  std::sort(variables.begin(), variables.end(), [](auto& a, auto& b) { return a.name() < b.name(); });
  return variables;
}

void Saver::prepare(const Session& session, const std::string& path_prefix) {
  for (const Variable& variable : variables_of(session)) {
    to_stored(variable.dtype(), variable.name());
  }
  history_of(path_prefix);
}

std::string Saver::save(Session& session, const std::string& path_prefix, SaveOptions options) {
  History& history = history_of(path_prefix);
  std::string entry = history.name();
  if (options.global_step) entry += fmt::format("-{}", *options.global_step);
  std::string path = (std::filesystem::path(history.folder()) / entry).string();

  const bool is_new = !options_.files->exists(path + ".index");
  try {
    // First, so that every complete checkpoint has its state, whenever the process is killed.
    if (options.training) write_training_state(path, *options.training, *options_.files);
    write(session, path);
    // One of an earlier save of this step would be that of another training.
    const std::string state_path = path + kTrainingStateSuffix;
    if (!options.training && options_.files->exists(state_path)) options_.files->remove(state_path);
    history.add(entry, now_in_seconds(), {options_.max_to_keep, options_.keep_checkpoint_every_n_hours});
  } catch (...) {
    if (is_new) history.discard(entry);
    throw;
  }
  return path;
}

void Saver::write(Session& session, const std::string& path) const {
  std::set<std::string> checked;
  if (options_.check_finite) checked = names_of_model(session.graph());
  BundleWriter writer(path, *options_.files);
  for (const Variable& variable : variables_of(session)) {
    const at::Tensor value = session.value(variable).cpu();
    if (checked.contains(variable.name()) && !all_finite(value)) {
      throw NotFiniteError(fmt::format(
          "[Saver] expected finite values, got NaN or infinity in '{}': not saved", variable.name()));
    }
    writer.add(variable.name(), to_stored(value.scalar_type(), variable.name()), variable.shape(),
               internal::bytes_of(value));
  }
  writer.finish();
}

void Saver::restore(Session& session, const std::string& path) const {
  auto reader = CheckpointReader::open(path);
  internal::Assignments assignments("Saver.restore", reader->path());
  for (const Variable& variable : variables_of(session)) {
    if (const CheckpointEntry* entry = reader->find(variable.name())) {
      assignments.add(variable, *entry, internal::Fit::kExact);
    } else {
      assignments.add_problem(fmt::format("'{}' is not in the file", variable.name()));
    }
  }
  assignments.read(*reader);
  assignments.apply(session);
}

std::vector<std::string> Saver::last_checkpoints() const {
  return history_ ? history_->checkpoints() : std::vector<std::string>{};
}

}  // namespace belfry
