#include "belfry/checkpoint/checkpoint_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/base/log.h"
#include "belfry/checkpoint/training_state.h"
#include "belfry/formats/bundle_reader.h"
#include "belfry/formats/bundle_writer.h"
#include "belfry/formats/checkpoint_state.h"
#include "belfry/formats/file_kind.h"

// What people point at (a prefix, one of its files, a folder, a SavedModel) is resolved in one place. A
// checkpoint counts as there when its index can be read and all data files have the length that the index
// asks for.

namespace belfry {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexSuffix = ".index";
constexpr std::string_view kDataMark = ".data-";
constexpr std::string_view kMetaSuffix = ".meta";
/// Of a SavedModel's folder: its graph's file, in binary or text form, and the prefix of its checkpoint.
constexpr const char* kSavedModelNames[] = {"saved_model.pb", "saved_model.pbtxt"};
constexpr const char* kSavedModelPrefix = "variables/variables";
constexpr const char* kNoneComplete = "expected a complete checkpoint in this folder, found none";
constexpr const char* kV1Refusal =
    "expected a checkpoint, got one of TensorFlow's old V1 format, which is not read: restore it with "
    "tf.train.Saver and save it again with write_version=tf.train.SaverDef.V2";

bool has_index(const std::string& prefix, FileSystem& files) {
  return files.exists(prefix + std::string(kIndexSuffix));
}

/// False also where one may not look.
bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// Why `prefix` is not a complete checkpoint; nothing when it is.
std::optional<std::string> find_problem(const std::string& prefix, FileSystem& files) {
  try {
    BundleReader bundle(prefix, files);
    for (const ArrayInfo& info : bundle.entries()) bundle.entry(info.name);
    return std::nullopt;
  } catch (const DataError& error) {
    return error.what();
  }
}

/// "model-1000" -> 1000 for the prefix "model".
std::optional<int64_t> step_of(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || name.size() < prefix.size() + 2 || name[prefix.size()] != '-') return {};
  name.remove_prefix(prefix.size() + 1);
  int64_t step = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size() || step < 0) return {};
  return step;
}

/// "model-1000" -> "model".
std::string prefix_of(const std::string& name) {
  const size_t dash = name.rfind('-');
  return dash != std::string::npos && step_of(name, name.substr(0, dash)) ? name.substr(0, dash) : "model";
}

/// Where the checkpoint that the file `checkpoint` of `folder` calls `listed` is now.
std::string locate(const std::string& folder, const std::string& listed, FileSystem& files) {
  const fs::path path(listed);
  const std::string there = path.is_absolute() ? listed : (fs::path(folder) / path).string();
  if (has_index(there, files)) return there;
  std::string with_slashes = listed;
  std::replace(with_slashes.begin(), with_slashes.end(), '\\', '/');
  for (const std::string& name : {with_slashes, name_in_list(listed)}) {
    const std::string here = (fs::path(folder) / name).string();
    if (has_index(here, files)) return here;
  }
  return there;
}

/// The file of that name, which may be a folder: then there is no such list.
bool has_list(const std::string& folder, FileSystem& files) {
  const std::string path = (fs::path(folder) / kCheckpointStateName).string();
  return files.exists(path) && !is_folder(path);
}

std::vector<std::string> listed_checkpoints(const std::string& folder, FileSystem& files) {
  std::vector<std::string> result;
  if (!has_list(folder, files)) return result;
  try {
    const CheckpointState state = read_checkpoint_state(folder, files);
    result.push_back(locate(folder, state.newest, files));
    for (auto it = state.all.rbegin(); it != state.all.rend(); ++it)
      result.push_back(locate(folder, *it, files));
  } catch (const DataError& error) {
    log_warning("[checkpoint] the list of checkpoints is of no use, looking at the files instead: {}",
                error.what());
  }
  return result;
}

}  // namespace

bool is_complete_checkpoint(const std::string& prefix, FileSystem& files) {
  return !find_problem(prefix, files);
}

std::vector<CheckpointFile> checkpoints_in(const std::string& folder, const std::string& prefix,
                                           FileSystem& files) {
  std::vector<CheckpointFile> result;
  if (!files.exists(folder)) return result;
  for (std::string name : files.list(folder)) {
    if (!name.ends_with(kIndexSuffix)) continue;
    name.resize(name.size() - kIndexSuffix.size());
    if (auto step = step_of(name, prefix)) result.push_back({(fs::path(folder) / name).string(), *step});
  }
  std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return result;
}

std::vector<std::string> checkpoint_candidates(const std::string& folder, FileSystem& files) {
  std::vector<std::string> result = listed_checkpoints(folder, files);
  const std::string prefix = result.empty() ? "model" : prefix_of(name_in_list(result[0]));
  std::vector<CheckpointFile> found = checkpoints_in(folder, prefix, files);
  for (auto it = found.rbegin(); it != found.rend(); ++it) result.push_back(it->path);
  std::vector<std::string> unique;
  for (std::string& path : result) {
    if (std::find(unique.begin(), unique.end(), path) == unique.end()) unique.push_back(std::move(path));
  }
  return unique;
}

std::optional<std::string> latest_checkpoint(const std::string& folder, FileSystem& files) {
  bool passed_over = false;
  for (std::string& candidate : checkpoint_candidates(folder, files)) {
    if (auto problem = find_problem(candidate, files)) {
      log_warning("[latest_checkpoint] passing over {}: {}", candidate, *problem);
      passed_over = true;
      continue;
    }
    if (passed_over) log_warning("[latest_checkpoint] using the older {}", candidate);
    return std::move(candidate);
  }
  return std::nullopt;
}

namespace {

/// The prefixes of all checkpoints in `folder`, sorted, complete or not.
std::vector<std::string> prefixes_in(const std::string& folder, FileSystem& files) {
  std::vector<std::string> names;
  for (std::string name : files.list(folder)) {
    if (!name.ends_with(kIndexSuffix) || name.size() == kIndexSuffix.size()) continue;
    name.resize(name.size() - kIndexSuffix.size());
    names.push_back(std::move(name));
  }
  return names;
}

/// Of names that differ in a step behind a dash only, the one of the highest step; of one name, that.
std::optional<std::string> newest_of(const std::vector<std::string>& names) {
  if (names.size() == 1) return names[0];
  std::optional<std::string> newest;
  int64_t highest = -1;
  for (const std::string& name : names) {
    const std::string prefix = names[0].substr(0, names[0].rfind('-'));
    const std::optional<int64_t> step = step_of(name, prefix);
    if (!step) return std::nullopt;
    if (*step > highest) highest = *step, newest = name;
  }
  return newest;
}

/// For a folder of which nothing says what is the newest: its only checkpoint, the newest of the only name,
/// or that of a SavedModel. Throws DataError when there is none or a choice.
std::string only_checkpoint(const std::string& folder, FileSystem& files) {
  std::vector<std::string> names = prefixes_in(folder, files);
  std::erase_if(names, [&](const std::string& name) {
    return find_problem((fs::path(folder) / name).string(), files).has_value();
  });
  if (const auto newest = newest_of(names)) return (fs::path(folder) / *newest).string();
  if (!names.empty()) {
    throw DataError(folder, fmt::format("expected the name of one checkpoint, as this folder has no list "
                                        "`{}` and holds {}",
                                        kCheckpointStateName, fmt::join(names, ", ")));
  }
  for (const char* saved_model : kSavedModelNames) {
    if (!files.exists((fs::path(folder) / saved_model).string())) continue;
    const std::string prefix = (fs::path(folder) / kSavedModelPrefix).string();
    if (has_index(prefix, files)) return prefix;
    throw DataError(folder, fmt::format("expected a checkpoint in this SavedModel, but there is no {}{}: its "
                                        "weights are constants of its graph",
                                        kSavedModelPrefix, kIndexSuffix));
  }
  throw DataError(folder, kNoneComplete);
}

void refuse_v1(const std::string& path, FileSystem& files) {
  if (file_kind(path, files) == kV1Checkpoint) throw DataError(path, kV1Refusal);
}

std::string checkpoint_of_folder(const std::string& folder, FileSystem& files) {
  if (!is_folder(folder)) throw DataError(folder, "expected a folder with checkpoints, got nothing there");
  const std::vector<std::string> candidates = checkpoint_candidates(folder, files);
  if (candidates.empty()) return only_checkpoint(folder, files);
  if (auto latest = latest_checkpoint(folder, files)) return *latest;
  for (const std::string& candidate : candidates) refuse_v1(candidate, files);
  throw DataError(folder, kNoneComplete);
}

/// Without the suffix of one of a checkpoint's files.
std::string prefix_of_file(const std::string& path) {
  for (std::string_view suffix : {kIndexSuffix, kMetaSuffix}) {
    if (path.ends_with(suffix)) return path.substr(0, path.size() - suffix.size());
  }
  const size_t mark = path.rfind(kDataMark);
  const bool is_in_name = mark != std::string::npos && path.find('/', mark) == std::string::npos;
  return is_in_name ? path.substr(0, mark) : path;
}

}  // namespace

std::string resolve_checkpoint(const std::string& path) {
  FileSystem& files = FileSystem::posix();
  if (has_index(path, files)) return path;
  if (is_folder(path)) return checkpoint_of_folder(path, files);
  if (path.size() > 1 && path.ends_with('/')) return resolve_checkpoint(path.substr(0, path.size() - 1));
  const std::string name = name_in_list(path);
  if (name == kCheckpointStateName) return checkpoint_of_folder(folder_of(path), files);
  if (std::ranges::find(kSavedModelNames, name) != std::end(kSavedModelNames) && files.exists(path))
    return only_checkpoint(folder_of(path), files);

  const std::string prefix = prefix_of_file(path);
  if (has_index(prefix, files)) return prefix;
  for (const std::string& file : {path, prefix}) refuse_v1(file, files);
  std::string why = fmt::format("expected a checkpoint, but there is no {}{}", prefix, kIndexSuffix);
  if (path.ends_with(kMetaSuffix) && files.exists(path)) {
    why += "; a .meta file holds the graph alone";
  } else {
    why += looks_like(path, files);
  }
  throw DataError(path, why);
}

void copy_checkpoint(const std::string& from, const std::string& to, FileSystem& files) {
  BundleReader source(from, files);
  BundleWriter target(to, files);
  std::vector<std::byte> bytes;
  for (const ArrayInfo& info : source.entries()) {
    source.entry(info.name);
    if (info.dtype == DataType::kString) {
      target.add_strings(info.name, info.shape, source.read_strings(info.name));
    } else {
      bytes.resize(byte_size(info.dtype, info.shape).value_or(0));
      source.read(info.name, bytes);  // refuses types without a size
      target.add(info.name, info.dtype, info.shape, bytes);
    }
  }
  target.finish();
}

void remove_checkpoint(const std::string& prefix, FileSystem& files) {
  const std::string folder = folder_of(prefix);
  const std::string name = fs::path(prefix).filename().string();
  if (has_index(prefix, files)) files.remove(prefix + std::string(kIndexSuffix));
  for (const std::string& file : files.list(folder)) {
    const bool is_data = file.starts_with(name + std::string(kDataMark)) && !file.ends_with(kIndexSuffix);
    if (is_data || file == name + ".meta" || file == name + kTrainingStateSuffix)
      files.remove(folder + "/" + file);
  }
  files.sync_dir(folder);
}

}  // namespace belfry
