// Each fuzz target on its corpus and on seeded mutations of it, so that an ordinary build without libFuzzer
// guards what fuzzing has found. A crash or any exception but DataError fails.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/fuzz/one_operator.h"
#include "tests/fuzz/targets.h"

namespace belfry::test {
namespace {

constexpr int kMutationsOfAll = 20000;
constexpr size_t kGraphs = 3000;

std::vector<std::string> corpus(const std::string& name) {
  std::vector<std::string> inputs;
  for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/" + name)) {
    std::ifstream file(entry.path(), std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

// One to four of: flip a bit, set an interesting byte, cut the end, repeat or erase a piece.
std::string mutated(std::string bytes, std::mt19937& random) {
  auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  for (size_t i = 0, n = 1 + below(4); i < n && !bytes.empty(); ++i) {
    size_t at = below(bytes.size()), length = 1 + below(std::min<size_t>(8, bytes.size() - at));
    switch (below(6)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        bytes[at] = "\x00\x01\x7f\x80\xff"[below(5)];
        break;
      case 2:
        bytes[at] = static_cast<char>(bytes[at] + 1);
        break;
      case 3:
        bytes.resize(at);
        break;
      case 4:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 5:
        bytes.erase(at, length);
        break;
    }
  }
  return bytes;
}

class Fuzz : public testing::TestWithParam<FuzzTarget> {};

TEST_P(Fuzz, SurvivesItsCorpusAndMutations) {
  std::vector<std::string> inputs = corpus(GetParam().name);
  ASSERT_FALSE(inputs.empty());
  for (const std::string& input : inputs) GetParam().run(input);
  std::mt19937 random(1);
  for (int i = 0; i < kMutationsOfAll; ++i) GetParam().run(mutated(inputs[i % inputs.size()], random));
}

INSTANTIATE_TEST_SUITE_P(Readers, Fuzz, testing::ValuesIn(fuzz_targets()),
                         [](const auto& info) { return std::string(info.param.name); });

/// A number of the environment, which says how long to look: 50,000 graphs of each take some minutes.
size_t setting(const char* name, size_t otherwise) {
  const char* value = std::getenv(name);
  return value ? std::stoul(value) : otherwise;
}

class GraphFuzz : public testing::TestWithParam<GraphTarget> {};

// BELFRY_FUZZ_GRAPHS and BELFRY_FUZZ_FROM say which; BELFRY_FUZZ_SHOW prints each, so that the last is the
// one that crashed.
TEST_P(GraphFuzz, SurvivesGraphsOfOneOperator) {
  const size_t from = setting("BELFRY_FUZZ_FROM", 0), count = setting("BELFRY_FUZZ_GRAPHS", kGraphs);
  size_t taken = 0;
  for (size_t number = from; number < from + count; ++number) {
    std::string input;
    for (size_t rest = number; rest > 0; rest /= 256) input += static_cast<char>(rest % 256);
    try {
      show([&] { return fmt::format("graph {}", number); });
      taken += GetParam().run(input);
    } catch (const std::exception& e) {
      ADD_FAILURE() << "graph " << number << ": " << e.what();
    }
  }
  RecordProperty("taken", std::to_string(taken));
  if (count < kGraphs) return;
  EXPECT_GT(taken, count / 20) << "arguments that fit no operator find nothing";
}

INSTANTIATE_TEST_SUITE_P(Operators, GraphFuzz, testing::ValuesIn(graph_targets()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace belfry::test
