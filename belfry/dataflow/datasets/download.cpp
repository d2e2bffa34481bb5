#include "belfry/dataflow/datasets/download.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/base/log.h"
#include "belfry/base/log_once.h"
#include "belfry/base/printable.h"
#include "belfry/dataflow/datasets/verify_files.h"

// The program curl is run as it is, without a shell, so an address is an address whatever is in it.
namespace belfry {
namespace {

constexpr uint64_t kMaxMessages = 1 << 16;
constexpr std::array<std::string_view, 4> kSchemes = {"https://", "http://", "ftp://", "file://"};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// curl's exit code; what it has to say goes to the file `messages`.
int run_curl(const std::string& url, const std::string& path, const std::string& messages) {
  std::vector<std::string> words = {"curl",
                                    "--fail",
                                    "--location",
                                    "--silent",
                                    "--show-error",
                                    "--proto",
                                    "=http,https,ftp,file",
                                    "--proto-redir",
                                    "=http,https",
                                    "--output",
                                    path,
                                    "--stderr",
                                    messages,
                                    "--url",
                                    url};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t process = 0;
  const int error = posix_spawnp(&process, "curl", nullptr, nullptr, arguments.data(), environ);
  if (error == ENOENT) throw ResourceError("[download] expected the program curl, found none");
  if (error != 0) throw ResourceError(fmt::format("[download] cannot run curl: {}", std::strerror(error)));
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR)
      throw ResourceError(fmt::format("[download] cannot wait for curl: {}", std::strerror(errno)));
  }
  if (!WIFEXITED(status)) return -1;
  // posix_spawnp may only find out in the new process that there is no such program.
  if (WEXITSTATUS(status) == 127) throw ResourceError("[download] expected the program curl, found none");
  return WEXITSTATUS(status);
}

/// Throws DataError when the file is not the expected one.
void check(const std::string& folder, const std::string& name, const DownloadOptions& options) {
  const uint64_t size = FileSystem::posix().open(folder + "/" + name)->size();
  if (options.expect_size && size != *options.expect_size)
    throw DataError(folder + "/" + name,
                    fmt::format("expected {} bytes, got {}", *options.expect_size, size));
  if (!options.md5.empty()) verify_files(folder, {{name, options.md5}});
}

bool is_there(const std::string& folder, const std::string& name, const DownloadOptions& options) {
  const bool can_tell = options.expect_size || !options.md5.empty();
  if (!can_tell || !FileSystem::posix().exists(folder + "/" + name)) return false;
  try {
    check(folder, name, options);
    return true;
  } catch (const DataError& error) {
    log_warning("[download] getting the file again: {}", error.what());
    return false;
  }
}

}  // namespace

std::string get_dataset_path(const std::string& name) {
  for (const char* variable : {"BELFRY_DATASET", "TENSORPACK_DATASET"}) {
    const std::string folder = environment(variable);
    if (folder.empty()) continue;
    if (!std::filesystem::is_directory(folder))
      throw UsageError(
          fmt::format("[get_dataset_path] expected a folder in ${}, got '{}'", variable, folder));
    return name.empty() ? folder : folder + "/" + name;
  }
  const std::string home = environment("HOME");
  if (home.empty()) throw UsageError("[get_dataset_path] expected $BELFRY_DATASET or $HOME, got neither");
  const std::string folder = home + "/tensorpack_data";
  log_once(fmt::format("[get_dataset_path] $BELFRY_DATASET is not set: data sets are in {}", folder),
           LogLevel::kWarning);
  FileSystem::posix().make_dirs(folder);
  return name.empty() ? folder : folder + "/" + name;
}

std::string download(const std::string& url, const std::string& folder, const DownloadOptions& options) {
  if (std::none_of(kSchemes.begin(), kSchemes.end(),
                   [&](std::string_view scheme) { return url.starts_with(scheme); })) {
    throw UsageError(
        fmt::format("[download] expected an address of https://, http://, ftp:// or file://, got '{}'", url));
  }
  std::string name = options.filename;
  if (name.empty()) {
    const std::string without_query = url.substr(0, url.find_first_of("?#"));
    name = without_query.substr(without_query.find_last_of('/') + 1);
  }
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    throw UsageError(fmt::format("[download] expected the name of a file, got '{}' of '{}'", name, url));
  FileSystem& files = FileSystem::posix();
  files.make_dirs(folder);
  const std::string path = folder + "/" + name;
  if (is_there(folder, name, options)) return path;
  static std::atomic<int> downloads = 0;
  const std::string part = fmt::format("{}.{}-{}.part", name, getpid(), downloads++);
  const std::string part_path = folder + "/" + part, messages = part_path + ".log";
  const auto remove_parts = [&] {
    files.remove_tree(part_path);
    files.remove_tree(messages);
  };
  try {
    if (const int code = run_curl(url, part_path, messages); code != 0) {
      const std::string said = files.exists(messages) ? read_file(files, messages, kMaxMessages) : "";
      throw DataError(
          url, fmt::format("cannot be downloaded: {}",
                           said.empty() ? fmt::format("curl ended with code {}", code) : printable(said)));
    }
    // curl makes no file of nothing.
    if (!files.exists(part_path)) throw DataError(url, "expected a file, got an empty one");
    check(folder, part, options);
    files.rename(part_path, path);
    remove_parts();
  } catch (...) {
    remove_parts();
    throw;
  }
  log_info("[download] {} of {} bytes", path, files.open(path)->size());
  return path;
}

}  // namespace belfry
