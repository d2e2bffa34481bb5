// Values that are not ordinary numbers give the same compiled as in the session: what a fused or lowered
// operator hides, such as the NaN of a broken weight, would come out as a prediction like any other.

#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <functional>
#include <limits>
#include <set>

#include "belfry/base/error.h"
#include "belfry/compile/compiled_callable.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"
#include "tests/support/close.h"
#include "tests/support/op_cases.h"

namespace belfry {
namespace {

using Limits = std::numeric_limits<float>;

struct Kind {
  const char* name;
  std::vector<double> values;  ///< put among ordinary ones
};

const Kind kKinds[] = {
    {"ordinary", {}},
    {"nan", {Limits::quiet_NaN()}},
    {"infinity", {Limits::infinity()}},
    {"minus infinity", {-Limits::infinity()}},
    {"both infinities", {Limits::infinity(), -Limits::infinity()}},
    {"minus zero", {-0.0, 0.0}},
    {"denormal", {Limits::denorm_min(), -Limits::denorm_min(), Limits::min() / 2}},
    {"largest", {Limits::max(), -Limits::max()}},
};

/// `x` with a kind's values in places spread over it; integers and bools as they are.
at::Tensor with_values(const at::Tensor& x, const Kind& kind) {
  if (!x.is_floating_point() || x.numel() == 0) return x;
  at::Tensor y = x.clone();
  at::Tensor flat = y.view(-1);
  for (size_t i = 0; i < kind.values.size(); ++i)
    flat[(7 * static_cast<int64_t>(i) + 1) % flat.numel()].fill_(kind.values[i]);
  return y;
}

class SpecialValuesTest : public testing::Test {
 protected:
  SpecialValuesTest() : default_(graph_), tower_("", {.is_training = false}), session_(graph_) {}

  /// Expects the same of session and compiled program for values of each kind.
  void expect_same(const std::string& name, const std::vector<Tensor>& inputs,
                   const std::vector<Tensor>& outputs, const std::vector<at::Tensor>& values) {
    const std::vector<Fetch> feeds(inputs.begin(), inputs.end()), fetches(outputs.begin(), outputs.end());
    for (const Variable& variable : variables_in(graph_, kGlobalVariables)) {
      if (set_.insert(variable.name()).second)
        session_.set_value(variable, at::rand(variable.shape()) + 0.5);  // a variance, too
    }
    const Callable plain = session_.make_callable(feeds, fetches);
    const CompiledCallable compiled = compile(session_, feeds, fetches);
    for (const Kind& kind : kKinds) {
      std::vector<at::Tensor> given;
      for (const at::Tensor& value : values) given.push_back(with_values(value, kind));
      std::vector<at::Tensor> expected;
      try {
        expected = plain(given);
      } catch (const Error&) {
        EXPECT_THROW(compiled(given), Error) << name << ", " << kind.name;
        continue;
      }
      const auto results = compiled(given);
      for (size_t i = 0; i < results.size(); ++i)
        EXPECT_TRUE(test::same(results[i], expected[i], {.relative = 1e-4, .absolute = 1e-5}))
            << name << ", " << kind.name << ", output " << i;
    }
  }

  Graph graph_;
  GraphScope default_;
  TowerContext tower_;
  Session session_;
  std::set<std::string> set_;  ///< the variables that have values
};

TEST_F(SpecialValuesTest, OfEveryOperator) {
  for (const size_t index : test::cases_where([](const test::OpCase& op) { return !op.depends_on_data; })) {
    const test::OpCase& op = test::op_cases()[index];
    std::vector<Tensor> inputs;
    std::vector<at::Tensor> values;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const at::Tensor value = op.inputs[i].value(static_cast<int>(i));
      values.push_back(value.is_floating_point() ? value.to(kFloat32) : value);
      inputs.push_back(placeholder(fmt::format("{}_{}", test::case_name(index), i), op.inputs[i].declared(),
                                   values.back().scalar_type()));
    }
    const std::vector<Tensor> outputs = op.build(inputs);
    if (op.function.starts_with("random_") || op.function == "truncated_normal" || op.function == "dropout")
      continue;
    expect_same(test::case_name(index), inputs, outputs, values);
  }
}

struct Activation {
  const char* name;
  std::function<Tensor(const Tensor&)> function;
};

const Activation kActivations[] = {
    {"relu", [](const Tensor& x) { return relu(x); }},
    {"relu6", [](const Tensor& x) { return relu6(x); }},
    {"clip", [](const Tensor& x) { return clip_by_value(x, -0.5, 0.5); }},
    {"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
    {"tanh", [](const Tensor& x) { return tanh(x); }},
    {"gelu", [](const Tensor& x) { return gelu(x); }},
    {"gelu_tanh", [](const Tensor& x) { return gelu_tanh(x); }},
    {"silu", [](const Tensor& x) { return silu(x); }},
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }},
    {"hardswish", [](const Tensor& x) { return hardswish(x); }},
    {"elu", [](const Tensor& x) { return elu(x); }},
};

TEST_F(SpecialValuesTest, OfActivationsAloneAndFused) {
  for (const Activation& activation : kActivations) {
    for (const int64_t channels : {3, 8, 17}) {
      const std::string name = fmt::format("{}_{}", activation.name, channels);
      const Tensor x = placeholder(name, {kDynamic, 5, 5, channels});
      const Tensor residual = placeholder(name + "_r", {kDynamic, 5, 5, channels});
      const Tensor convolved = Conv2D(name + "_conv", x, {.filters = channels, .kernel = 3});
      const Tensor normalised = BatchNorm(name + "_bn", x);
      const Tensor linear = FullyConnected(name + "_fc", x, {.units = channels});
      expect_same(name, {x, residual},
                  {activation.function(x), activation.function(convolved), activation.function(normalised),
                   activation.function(linear), activation.function(convolved + residual)},
                  {at::randn({2, 5, 5, channels}), at::randn({2, 5, 5, channels})});
    }
  }
}

TEST_F(SpecialValuesTest, OfBrokenWeights) {
  for (const Activation& activation : kActivations) {
    const Tensor x = placeholder(activation.name, {kDynamic, 5, 5, 8});
    const std::string layer = fmt::format("{}_conv", activation.name);
    const Tensor y = activation.function(Conv2D(layer, x, {.filters = 8, .kernel = 3}));
    for (const Kind& kind : kKinds) {
      for (const Variable& variable : variables_in(graph_, kGlobalVariables)) {
        if (!variable.name().starts_with(layer)) continue;
        session_.set_value(variable, with_values(at::randn(variable.shape()), kind));
        set_.insert(variable.name());
      }
      expect_same(fmt::format("{} of weights with {}", activation.name, kind.name), {x}, {y},
                  {at::randn({2, 5, 5, 8})});
    }
  }
}

TEST_F(SpecialValuesTest, OfWindowsAndMeansOfEverySize) {
  for (const int64_t size : {1, 2, 7}) {
    const Tensor x = placeholder(fmt::format("image{}", size), {kDynamic, size, size, 5});
    expect_same(fmt::format("size {}", size), {x},
                {max_pool2d(x, {.pool = 2, .padding = "SAME"}),
                 avg_pool2d(x, {.pool = 3, .strides = 1, .padding = "SAME"}), mean(x, {1, 2}), softmax(x),
                 relu(mean(x, {1, 2}))},
                {at::randn({3, size, size, 5})});
  }
}

}  // namespace
}  // namespace belfry
