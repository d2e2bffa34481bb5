#include "tests/support/shell.h"

namespace belfry::test {

std::string shell_command(const std::vector<std::string>& words) {
  std::string command;
  for (const std::string& word : words) {
    command += command.empty() ? "'" : " '";
    for (char c : word) {
      if (c == '\'') command += "'\\'";
      command.push_back(c);
    }
    command.push_back('\'');
  }
  return command;
}

}  // namespace belfry::test
