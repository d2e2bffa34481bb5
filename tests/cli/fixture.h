#pragma once

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "belfry/checkpoint/checkpoint_reader.h"
#include "tests/support/shell.h"
#include "tests/support/temp_dir.h"

namespace belfry::test {

/// What a run of the program came to.
struct Outcome {
  int code = -1;
  std::string out, err;
};

/// Runs the program in a folder of its own, where checkpoints can be put.
class CliTest : public testing::Test {
 protected:
  Outcome belfry(const std::vector<std::string>& arguments) { return shell(command(arguments)); }
  nlohmann::json belfry_json(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    return nlohmann::json::parse(belfry(arguments).out);
  }

  /// The words that start the program, for `shell`.
  static std::string command(const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {BELFRY_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return shell_command(words);
  }
  Outcome shell(const std::string& line) {
    const std::string script = "cd " + shell_command({dir.path()}) + " && { " + line + "; } >out 2>err";
    const int status = std::system(shell_command({"bash", "-c", script}).c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read("out"), read("err")};
  }

  std::string read(const std::string& name) {
    std::ifstream file(dir / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void save(const std::string& name, const std::map<std::string, at::Tensor>& tensors) {
    save_checkpoint(dir / name, tensors);
  }
  std::map<std::string, at::Tensor> load(const std::string& name) { return load_checkpoint(dir / name); }

  TempDir dir;
};

/// One line that begins with `who` and has `piece`.
inline auto one_line(const std::string& who, const std::string& piece) {
  using namespace testing;  // matchers
  return AllOf(StartsWith(who + ": "), HasSubstr(piece), Not(ContainsRegex("\n.")), EndsWith("\n"));
}

}  // namespace belfry::test
