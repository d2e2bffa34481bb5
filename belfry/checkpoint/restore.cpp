#include "belfry/checkpoint/restore.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/internal/assignment.h"
#include "belfry/checkpoint/variable_names.h"
#include "belfry/formats/checkpoint_state.h"

// Names of the file are matched with variables first, then all values are read and checked, then all are
// assigned: an error before the end leaves every variable as it was.

namespace belfry {
namespace {

using internal::Assignments;
using internal::Fit;

bool is_array_file(const std::string& path) {
  return path.ends_with(".npz") || path.ends_with(".safetensors") || path.ends_with(".npy") ||
         path.ends_with(".caffemodel");
}

/// "~/x" -> "$HOME/x"
std::string expand_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  return home && path.starts_with("~/") ? home + path.substr(1) : path;
}

/// A folder, or its file `checkpoint`, rather than one checkpoint.
bool names_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ||
         std::filesystem::path(path).filename() == kCheckpointStateName;
}

/// The name under which a file has `variable`.
std::string name_in_file(const Variable& variable, const std::string& prefix) {
  const std::string& name = variable.name();
  return !prefix.empty() && name.starts_with(prefix + "/") ? name.substr(prefix.size() + 1) : name;
}

void warn(const std::string& who, const std::string& where, const std::set<std::string>& names) {
  if (!names.empty()) log_warning("[{}] variables only {}: {}", who, where, fmt::join(names, ", "));
}

/// Pairs the graph's variables with what `reader` has, and reports what has no partner.
void match(const Graph& graph, const CheckpointReader& reader, const RestoreOptions& options, Fit fit,
           Assignments& assignments, const std::string& who) {
  std::set<std::string> ignored;
  for (const std::string& name : options.ignore) ignored.insert(variable_name(name));
  std::set<std::string> only_in_graph, used;
  for (const Variable& variable : variables_in(graph, kGlobalVariables)) {
    std::string name = name_in_file(variable, options.prefix);
    if (const std::string average = name + "/ExponentialMovingAverage";
        options.use_moving_averages && reader.find(average)) {
      used.insert(name);  // the value that it stands for
      name = average;
    }
    const CheckpointEntry* entry = reader.find(name);
    if (ignored.contains(name)) {
      log_info("[{}] '{}' is not restored, as asked", who, variable.name());
    } else if (entry) {
      assignments.add(variable, *entry, fit);
    } else if (!is_training_name(variable.name())) {
      only_in_graph.insert(variable.name());
    }
    if (entry) used.insert(name);
  }
  std::set<std::string> only_in_file;
  for (const CheckpointEntry& entry : reader.entries()) {
    if (entry.dtype == DType::Undefined) continue;  // no variable could hold it
    if (used.contains(entry.name) || ignored.contains(entry.name) || is_training_name(entry.name)) continue;
    only_in_file.insert(entry.name);
  }
  warn(who, "in the graph, which keep their values", only_in_graph);
  warn(who, "in " + reader.path() + ", which are not used", only_in_file);
}

void restore(Session& session, const CheckpointReader& reader, const RestoreOptions& options, Fit fit,
             const std::string& who) {
  Assignments assignments(who, reader.path());
  match(session.graph(), reader, options, fit, assignments, who);
  assignments.read(reader);
  assignments.apply(session);
  log_info("[{}] restored {} variables from {}", who, assignments.size(), reader.path());
}

/// Tensors in memory, to be restored like a file.
class TensorDict final : public CheckpointReader {
 public:
  explicit TensorDict(const std::map<std::string, at::Tensor>& values)
      : CheckpointReader("the dictionary", entries_of(values)), values_(values) {}

 private:
  static std::vector<CheckpointEntry> entries_of(const std::map<std::string, at::Tensor>& values) {
    std::vector<CheckpointEntry> entries;
    for (const auto& [name, value] : values) {
      if (!value.defined())
        throw UsageError(fmt::format("[DictRestore] expected a tensor for '{}', got none", name));
      const DType dtype = value.scalar_type();
      entries.push_back({name, value.sizes().vec(), dtype, to_string(dtype)});
    }
    return entries;
  }
  at::Tensor read(const std::string& stored_name, const CheckpointEntry&) const override {
    return values_.at(stored_name);
  }

  const std::map<std::string, at::Tensor>& values_;
};

}  // namespace

SaverRestore::SaverRestore(std::string path, RestoreOptions options)
    : SaverRestore(std::move(path), std::move(options), Mismatch::kError) {}

SaverRestore::SaverRestore(std::string path, RestoreOptions options, Mismatch mismatch)
    : options_(std::move(options)), mismatch_(mismatch) {
  path = expand_home(path);
  if (is_array_file(path)) {
    candidates_ = {path};
    return;
  }
  candidates_ = {resolve_checkpoint(path)};
  if (!names_folder(path)) return;
  // Older ones, should this one's data turn out to be damaged.
  std::vector<std::string> all = checkpoint_candidates(folder_of(candidates_.front()));
  auto chosen = std::find(all.begin(), all.end(), candidates_.front());
  if (chosen != all.end()) candidates_.assign(chosen, all.end());
}

void SaverRestore::init(Session& session) const {
  const bool exact = mismatch_ == Mismatch::kError;
  const Fit fit = exact ? Fit::kExact : Fit::kConvertOrSkip;
  const char* who = exact ? "SaverRestore" : "SaverRestoreRelaxed";
  for (size_t i = 0; i < candidates_.size(); ++i) {
    try {
      return restore(session, *CheckpointReader::open(candidates_[i]), options_, fit, who);
    } catch (const DataError& error) {
      if (i + 1 == candidates_.size()) throw;
      log_warning("[{}] trying the older {}, because of: {}", who, candidates_[i + 1], error.what());
    }
  }
}

SaverRestoreRelaxed::SaverRestoreRelaxed(std::string path, RestoreOptions options)
    : SaverRestore(std::move(path), std::move(options), Mismatch::kConvertOrSkip) {}

DictRestore::DictRestore(std::map<std::string, at::Tensor> values, DictRestoreOptions options)
    : values_(std::move(values)), options_(options) {}

void DictRestore::init(Session& session) const {
  const Fit fit = options_.ignore_mismatch ? Fit::kConvertOrSkip : Fit::kConvert;
  restore(session, TensorDict(values_), {}, fit, "DictRestore");
}

void ChainInit::init(Session& session) const {
  for (const AnySessionInit& init : inits_) {
    if (init) init->init(session);
  }
}

SmartInit::SmartInit(const std::string& path, SmartInitOptions options) {
  if (path.empty()) return;
  const std::string expanded = expand_home(path);
  if (is_array_file(expanded)) {
    init_ = DictRestore(load_checkpoint(expanded), {.ignore_mismatch = options.ignore_mismatch});
  } else if (options.ignore_mismatch) {
    init_ = SaverRestoreRelaxed(expanded);
  } else {
    init_ = SaverRestore(expanded);
  }
}

SmartInit::SmartInit(std::map<std::string, at::Tensor> values, SmartInitOptions options)
    : init_(DictRestore(std::move(values), {.ignore_mismatch = options.ignore_mismatch})) {}

SmartInit::SmartInit(const std::vector<std::string>& paths, SmartInitOptions options) {
  std::vector<AnySessionInit> inits;
  for (const std::string& path : paths) inits.push_back(SmartInit(path, options));
  init_ = ChainInit(std::move(inits));
}

}  // namespace belfry
