#include "tests/support/python.h"

#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "tests/support/shell.h"

namespace belfry::test {
namespace {

// Tests run in the repository's root (tests/CMakeLists.txt says so to ctest).
constexpr const char* kPython = ".env/python/bin/python3";

}  // namespace

bool python_available() {
  return std::filesystem::exists(kPython);
}

std::string run_python(const std::string& script, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {kPython, "-W", "ignore", script};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const std::string command = "TF_CPP_MIN_LOG_LEVEL=3 " + shell_command(words);
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
