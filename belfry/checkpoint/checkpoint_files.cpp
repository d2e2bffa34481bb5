#include "belfry/checkpoint/checkpoint_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/base/log.h"
#include "belfry/formats/bundle_reader.h"
#include "belfry/formats/bundle_writer.h"
#include "belfry/formats/checkpoint_state.h"

namespace belfry {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexSuffix = ".index";
constexpr std::string_view kDataMark = ".data-";

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
  const std::string here = (fs::path(folder) / path.filename()).string();
  return !has_index(there, files) && has_index(here, files) ? here : there;
}

std::vector<std::string> listed_checkpoints(const std::string& folder, FileSystem& files) {
  std::vector<std::string> result;
  if (!files.exists((fs::path(folder) / kCheckpointStateName).string())) return result;
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
  const std::string prefix = result.empty() ? "model" : prefix_of(fs::path(result[0]).filename().string());
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

std::string resolve_checkpoint(const std::string& path) {
  FileSystem& files = FileSystem::posix();
  if (has_index(path, files)) return path;
  const bool is_list = fs::path(path).filename() == kCheckpointStateName;
  if (is_list || is_folder(path)) {
    const std::string folder = is_list ? folder_of(path) : path;
    if (!is_folder(folder)) throw DataError(folder, "expected a folder with checkpoints, got nothing there");
    if (auto latest = latest_checkpoint(folder)) return *latest;
    throw DataError(folder, "expected a complete checkpoint in this folder, found none");
  }
  std::string prefix = path;
  if (path.ends_with(kIndexSuffix)) {
    prefix.resize(path.size() - kIndexSuffix.size());
  } else if (size_t mark = path.rfind(kDataMark); mark != std::string::npos) {
    prefix.resize(mark);
  }
  if (has_index(prefix, files)) return prefix;
  throw DataError(path, fmt::format("expected a checkpoint, but there is no {}{}", prefix, kIndexSuffix));
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
    if (is_data || file == name + ".meta") files.remove(folder + "/" + file);
  }
  files.sync_dir(folder);
}

}  // namespace belfry
