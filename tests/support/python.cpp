#include "tests/support/python.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

namespace belfry::test {
namespace {

// Tests run in the repository's root (tests/CMakeLists.txt says so to ctest).
constexpr const char* kPython = ".env/python/bin/python3";

std::string quoted(const std::string& word) {
  std::string out("'");
  for (char c : word) {
    if (c == '\'') out.append("'\\'");
    out.push_back(c);
  }
  out.push_back('\'');
  return out;
}

}  // namespace

bool python_available() {
  return std::filesystem::exists(kPython);
}

std::string run_python(const std::string& script, const std::vector<std::string>& arguments) {
  std::string command = fmt::format("TF_CPP_MIN_LOG_LEVEL=3 {} -W ignore {}", kPython, quoted(script));
  for (const std::string& argument : arguments) command.append(" ").append(quoted(argument));
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot start " + command);
  std::string out;
  char buffer[4096];
  while (size_t n = fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
  int status = pclose(pipe);
  if (status != 0)
    throw std::runtime_error(command + " failed with status " + std::to_string(status) + ":\n" + out);
  return out;
}

}  // namespace belfry::test
