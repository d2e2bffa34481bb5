#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "tests/support/op_cases.h"

namespace belfry::test {
namespace {

/// Not functions of tensors only; state_test.cpp, control_flow_test.cpp and custom_gradient_test.cpp have
/// their tests.
const std::set<std::string> kTestedElsewhere = {
    "call",       "call_multi", "placeholder",     "placeholder_with_default",
    "group",      "no_op",      "print",           "assert_true",
    "assign",     "assign_add", "assign_sub",      "cond",
    "while_loop", "map_fn",     "custom_gradient", "scan"};

std::set<std::string> functions_of_the_headers() {
  static const std::regex declaration(
      R"((?:^|\n)(?:Tensor&?|BatchNormOutputs|std::vector<Tensor>|std::pair<[^\n(]*>) (operator[^(]+|\w+)\()");
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("belfry/ops")) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    const std::string text(std::istreambuf_iterator<char>(file), {});
    for (std::sregex_iterator it(text.begin(), text.end(), declaration), end; it != end; ++it)
      names.insert((*it)[1]);
  }
  return names;
}

TEST(OpTable, HasEveryFunctionOfTheHeaders) {
  std::set<std::string> missing = functions_of_the_headers();
  EXPECT_GT(missing.size(), 100u);
  for (const OpCase& op : op_cases()) missing.erase(op.function);
  for (const std::string& name : kTestedElsewhere) missing.erase(name);
  for (const std::string& name : missing)
    ADD_FAILURE() << "no case in tests/support/op_cases.cpp for " << name;
}

}  // namespace
}  // namespace belfry::test
