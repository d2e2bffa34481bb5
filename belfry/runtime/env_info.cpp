#include "belfry/runtime/env_info.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <torch/version.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string_view>
#include <thread>

namespace belfry {
namespace {

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\"-";
  const size_t begin = text.find_first_not_of(kBlanks), end = text.find_last_not_of(kBlanks);
  return begin == std::string_view::npos ? "" : std::string(text.substr(begin, end - begin + 1));
}

/// The first value of `key` in a file of lines "key : value" or key="value".
std::optional<std::string> value_in(const char* path, std::string_view key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t at = line.find(separator);
    if (at != std::string::npos && trimmed(std::string_view(line).substr(0, at)) == key)
      return trimmed(std::string_view(line).substr(at + 1));
  }
  return std::nullopt;
}

/// The line of LibTorch's description of itself that holds `word`.
std::optional<std::string> line_with(const std::string& text, std::string_view word) {
  const size_t at = text.find(word);
  if (at == std::string::npos) return std::nullopt;
  const size_t begin = text.rfind('\n', at) + 1;  // npos + 1 is 0
  return trimmed(std::string_view(text).substr(begin, text.find('\n', at) - begin));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> collect_env_info() {
  std::vector<std::pair<std::string, std::string>> info;
  const auto add = [&](const char* name, const std::optional<std::string>& value) {
    if (value && !value->empty()) info.emplace_back(name, *value);
  };
  add("system", value_in("/etc/os-release", "PRETTY_NAME", '='));
  utsname kernel{};
  if (uname(&kernel) == 0)
    add("kernel", fmt::format("{} {} {}", kernel.sysname, kernel.release, kernel.machine));
  add("compiler", std::string(__VERSION__));
  add("processor", value_in("/proc/cpuinfo", "model name", ':'));
  add("cores", fmt::to_string(std::thread::hardware_concurrency()));
  if (const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE); pages > 0 && size > 0) {
    add("memory",
        fmt::format("{:.1f} GiB", static_cast<double>(pages) * static_cast<double>(size) / (1 << 30)));
  }
  add("LibTorch", std::string(TORCH_VERSION));
  add("kernels", at::get_cpu_capability());
  add("threads", fmt::to_string(at::get_num_threads()));
  const std::string config = at::show_config();
  for (const char* part : {"MKL-DNN", "Math Kernel Library", "OpenMP"}) add(part, line_with(config, part));
  add("CUDA", at::hasCUDA() ? line_with(config, "CUDA Runtime").value_or("yes") : std::string("no"));
  if (at::hasCUDA()) add("CUDA devices", fmt::to_string(at::getNumGPUs()));
  return info;
}

}  // namespace belfry
