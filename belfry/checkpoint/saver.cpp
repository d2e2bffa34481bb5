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
#include "belfry/checkpoint/internal/adapters.h"
#include "belfry/checkpoint/internal/assignment.h"
#include "belfry/checkpoint/internal/checkpoint_history.h"
#include "belfry/checkpoint/internal/element_type.h"
#include "belfry/checkpoint/internal/folder_lock.h"
#include "belfry/formats/bundle_writer.h"

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

}  // namespace

// What a saver holds of the folder it saves into.
class Saver::History : public internal::CheckpointHistory {
 public:
  History(const std::string& folder, const std::string& name, FileSystem& files)
      : CheckpointHistory(folder, name, files, now_in_seconds()), lock_(claim(folder, files)) {
    remove_stale_temporaries(files, folder);
  }

 private:
  static std::shared_ptr<internal::FolderLock> claim(const std::string& folder, FileSystem& files) {
    if (&files != &FileSystem::posix()) return nullptr;
    return internal::FolderLock::acquire(folder);
  }

  std::shared_ptr<internal::FolderLock> lock_;
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
  if (!history_ || history_->folder() != folder || history_->name() != name) {
    options_.files->make_dirs(folder);
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

std::string Saver::save(Session& session, const std::string& path_prefix, SaveOptions options) {
  const std::vector<Variable> variables = variables_of(session);
  History& history = history_of(path_prefix);
  std::string entry = history.name();
  if (options.global_step) entry += fmt::format("-{}", *options.global_step);
  std::string path = (std::filesystem::path(history.folder()) / entry).string();

  BundleWriter writer(path, *options_.files);
  for (const Variable& variable : variables) {
    const at::Tensor value = session.value(variable).cpu();
    if (options_.check_finite && variable.trainable() && !all_finite(value)) {
      throw UsageError(fmt::format("[Saver] expected finite values, got NaN or infinity in '{}': not saved",
                                   variable.name()));
    }
    writer.add(variable.name(), internal::to_stored(value.scalar_type(), variable.name()), variable.shape(),
               internal::bytes_of(value));
  }
  writer.finish();
  history.add(entry, now_in_seconds(), {options_.max_to_keep, options_.keep_checkpoint_every_n_hours});
  return path;
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
