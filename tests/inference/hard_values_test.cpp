// Compiled programs give what the session gives on values that are not ordinary numbers too: every typed
// function of belfry/ops, and what is fused of several, over the kinds of tests/support/hard_values.h.
//
// BELFRY_HARD_VALUES=1 prints a table: for each kind of values, how many cases differ and which.

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "belfry/base/error.h"
#include "belfry/graph/tower.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/ops/ops.h"
#include "tests/support/hard_values.h"

namespace belfry {
namespace {

using test::OpCase;
using test::OpInput;
using test::ValueKind;
using In = std::vector<Tensor>;

OpInput images(int64_t channels) {
  return {{2, 6, 5, channels}, {0}};
}
OpInput fixed(Shape sizes) {
  return {std::move(sizes), {}};
}

const std::map<std::string, std::function<Tensor(const Tensor&)>>& activations() {
  static const std::map<std::string, std::function<Tensor(const Tensor&)>> all = {
      {"none", [](const Tensor& x) { return x; }},
      {"relu", [](const Tensor& x) { return relu(x); }},
      {"relu6", [](const Tensor& x) { return relu6(x); }},
      {"clip", [](const Tensor& x) { return clip_by_value(x, -0.5, 0.5); }},
      {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }},
      {"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
      {"tanh", [](const Tensor& x) { return tanh(x); }},
      {"gelu", [](const Tensor& x) { return gelu(x); }},
      {"gelu_tanh", [](const Tensor& x) { return gelu_tanh(x); }},
      {"silu", [](const Tensor& x) { return silu(x); }},
      {"hardswish", [](const Tensor& x) { return hardswish(x); }},
      {"elu", [](const Tensor& x) { return elu(x); }}};
  return all;
}

/// What the passes make one operator of. The first input is fed, the others are weights.
std::vector<OpCase> fused_cases() {
  std::vector<OpCase> cases;
  auto add = [&](const std::string& name, std::vector<OpInput> inputs, std::function<Tensor(const In&)> f) {
    for (const auto& [activation, apply] : activations()) {
      cases.push_back(
          {name + " + " + activation, inputs, [f, apply = apply](const In& in) { return In{apply(f(in))}; }});
    }
  };
  for (int64_t c : {3, 8, 17}) {
    const std::string channels = fmt::format(" of {}", c);
    add("alone" + channels, {images(c)}, [](In in) { return in[0]; });
    add("conv2d" + channels, {images(c), fixed({3, 3, c, c}), fixed({c})},
        [](In in) { return conv2d(in[0], in[1], in[2], {.padding = "SAME"}); });
    add("conv2d, residual" + channels, {images(c), fixed({1, 1, c, c})},
        [](In in) { return in[0] + conv2d(in[0], in[1], {.padding = "SAME"}); });
    add("depthwise_conv2d" + channels, {images(c), fixed({3, 3, c, 1})},
        [](In in) { return depthwise_conv2d(in[0], in[1], {.padding = "SAME"}); });
    add("pad, conv2d" + channels, {images(c), fixed({3, 3, c, 4})}, [](In in) {
      return conv2d(pad(in[0], {{0, 0}, {1, 1}, {1, 1}, {0, 0}}), in[1], {.strides = 2, .padding = "VALID"});
    });
    add("linear" + channels, {images(c), fixed({c, 9}), fixed({9})},
        [](In in) { return matmul(in[0], in[1]) + in[2]; });
    add("bias_add" + channels, {images(c), fixed({c})}, [](In in) { return bias_add(in[0], in[1]); });
    const std::vector<OpInput> statistics = {
        images(c), fixed({c}), {{c}, {}, test::Values::kPositive}, fixed({c}), fixed({c})};
    add("batch_norm" + channels, statistics,
        [](In in) { return batch_norm(in[0], in[1], in[2], in[3], in[4]); });
  }
  return cases;
}

std::vector<OpCase> all_cases() {
  std::vector<OpCase> cases;
  for (size_t i = 0; i < test::op_cases().size(); ++i) {
    OpCase op = test::op_cases()[i];
    op.function = test::case_name(i);
    cases.push_back(op);
  }
  for (OpCase& op : fused_cases()) cases.push_back(std::move(op));
  return cases;
}

/// Which inputs are fed; the others are constants, as weights are to the compiler.
enum class Fed { kAll, kFirst };

struct Built {
  Built(const OpCase& op, const std::vector<at::Tensor>& all, Fed fed) : session(graph) {
    GraphScope as_default(graph);
    const TowerContext tower("", {.is_training = false});
    In inputs;
    for (size_t i = 0; i < all.size(); ++i) {
      if (fed == Fed::kAll || i == 0) {
        inputs.push_back(placeholder(fmt::format("in{}", i), op.inputs[i].declared(), all[i].scalar_type()));
        feeds.emplace_back(inputs.back());
        values.push_back(all[i]);
      } else {
        inputs.push_back(constant(all[i]));
      }
    }
    for (const Tensor& output : op.build(inputs)) fetches.emplace_back(output);
  }

  Graph graph;
  Session session;
  std::vector<Fetch> feeds, fetches;
  std::vector<at::Tensor> values;
};

/// Kinds by name, and for each the cases that went wrong.
class Table {
 public:
  void add(const ValueKind& kind, const std::string& name, bool wrong) {
    ++ran_[kind.name];
    if (wrong) wrong_[kind.name].insert(name);
  }
  void print(const char* title) const {
    if (!std::getenv("BELFRY_HARD_VALUES")) return;
    fmt::print("{}\n| values | cases | wrong | which |\n| --- | --- | --- | --- |\n", title);
    for (const ValueKind& kind : test::value_kinds()) {
      const auto found = wrong_.find(kind.name);
      const std::set<std::string> names = found == wrong_.end() ? std::set<std::string>() : found->second;
      const auto ran = ran_.find(kind.name);
      fmt::print("| {} | {} | {} | {} |\n", kind.name, ran == ran_.end() ? 0 : ran->second, names.size(),
                 fmt::join(names, ", "));
    }
  }

 private:
  std::map<std::string, int> ran_;
  std::map<std::string, std::set<std::string>> wrong_;
};

/// What is computed, or nothing where the graph, the session or the program refuses.
template <typename Run>
std::optional<std::vector<at::Tensor>> attempt(Run run) {
  try {
    return run();
  } catch (const Error&) {
    return std::nullopt;
  }
}

class HardValuesTest : public testing::Test {
 protected:
  // Thousands of small programs: beside other tests, two threads for each would wait for each other's cores.
  void SetUp() override { at::set_num_threads(1); }
  void TearDown() override { at::set_num_threads(threads_); }

  void expect_all(Fed fed, const CompileOptions& options, test::Tolerance tolerance, const char* title) {
    Table table;
    for (const OpCase& op : all_cases()) {
      const bool draws = op.function.starts_with("random") || op.function.starts_with("dropout") ||
                         op.function.starts_with("truncated");
      if (draws || op.inputs.empty()) continue;
      for (const ValueKind& kind : test::value_kinds()) {
        const auto result = compare(op, kind, fed, options, tolerance);
        table.add(kind, op.function, !result);
        EXPECT_TRUE(result) << op.function << ", " << kind.name;
      }
    }
    table.print(title);
  }

 private:
  const int threads_ = at::get_num_threads();

  static testing::AssertionResult compare(const OpCase& op, const ValueKind& kind, Fed fed,
                                          const CompileOptions& options, test::Tolerance tolerance) {
    std::unique_ptr<Built> built;
    const std::vector<at::Tensor> all = test::inputs_of(op, kind);
    try {
      built = std::make_unique<Built>(op, all, fed);
    } catch (const Error&) {
      return testing::AssertionSuccess();  // the graph is refused
    }
    const auto expected =
        attempt([&] { return built->session.make_callable(built->feeds, built->fetches)(built->values); });
    const auto given = attempt(
        [&] { return compile(built->session, built->feeds, built->fetches, options)(built->values); });
    if (expected.has_value() != given.has_value())
      return testing::AssertionFailure() << (given ? "the session" : "the program") << " alone refuses";
    for (size_t i = 0; expected && i < expected->size(); ++i) {
      if ((*given)[i].scalar_type() != (*expected)[i].scalar_type())
        return testing::AssertionFailure() << "output " << i << " has another dtype";
      const auto result = test::same((*given)[i], (*expected)[i], kind, tolerance);
      if (!result) return testing::AssertionFailure() << "output " << i << ": " << result.message();
    }
    return testing::AssertionSuccess();
  }
};

constexpr test::Tolerance kRounding{.relative = 1e-4, .absolute = 1e-5};
constexpr test::Tolerance kThreeDigits{.relative = 0.03, .absolute = 0.1};

TEST_F(HardValuesTest, AreTheSameWhereEverythingIsFed) {
  expect_all(Fed::kAll, {}, kRounding, "fed, float32");
}

TEST_F(HardValuesTest, AreTheSameWithWeights) {
  expect_all(Fed::kFirst, {}, kRounding, "weights, float32");
}

TEST_F(HardValuesTest, AreTheSameInPartsOfOneSample) {
  expect_all(Fed::kFirst, {.cache_bytes = 256}, kRounding, "weights, float32, in parts");
}

TEST_F(HardValuesTest, AreTheSameInBFloat16) {
  expect_all(Fed::kFirst, {.compute = kBFloat16}, kThreeDigits, "weights, bfloat16");
}

}  // namespace
}  // namespace belfry
