#include "belfry/ops/custom_gradient.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/graph/function.h"
#include "belfry/graph/gradient_override.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using test::close;
using test::kSameFormula;
using test::message_of;
using testing::HasSubstr;

class CustomGradientTest : public testing::Test {
 protected:
  at::Tensor run(const Tensor& tensor) { return session.run(tensor, {{x, x_value}}); }
  std::string error_of(const std::function<void()>& build) { return message_of<UsageError>(build); }
  static at::Tensor three(double a, double b, double c) { return at::tensor({a, b, c}, at::kFloat); }

  Graph graph;
  GraphScope as_default{graph};
  Session session{graph};
  Tensor x = placeholder("x", {3});
  at::Tensor x_value = three(-1.5, 0.4, 2.6);
};

Tensor pass(const Tensor& dy) {
  return dy;
}

TEST_F(CustomGradientTest, ReplacesTheGradientAndKeepsTheValue) {
  const Tensor y = custom_gradient(round(x), x, pass, "rounded");
  EXPECT_EQ(y.op_name(), "rounded");
  EXPECT_TRUE(close(run(y), three(-2, 0, 3), kSameFormula));
  EXPECT_TRUE(close(run(gradients(sum(y * y), {x})[0]), three(-4, 0, 6), kSameFormula));
}

TEST_F(CustomGradientTest, SeesInputsOutputsAndWhatIsBetween) {
  const Tensor e = exp(x), y = log(1 + e);  // TensorFlow's guide: log1pexp with a stable gradient
  const Tensor stable = custom_gradient(y, x, [&](const Tensor& dy) { return dy * (1 - 1 / (1 + e)); });
  const at::Tensor expected = x_value.sigmoid();
  EXPECT_TRUE(close(run(gradients(sum(stable), {x})[0]), expected, kSameFormula));
}

TEST_F(CustomGradientTest, GoesToTheInputsThatAreNamedAlone) {
  const Tensor a = x * 2, b = x * 3;
  const auto y = custom_gradient({a * b, a + b}, {a, b}, [](const std::vector<Tensor>& dy) {
    return std::vector<Tensor>{dy[0] + 10 * dy[1], Tensor()};
  });
  const auto grads = gradients(sum(y[0] + 2 * y[1]), {a, b, x});
  EXPECT_TRUE(close(run(grads[0]), three(21, 21, 21), kSameFormula));
  EXPECT_TRUE(close(run(grads[2]), three(42, 42, 42), kSameFormula));
  if (grads[1].defined()) {
    EXPECT_TRUE(close(run(grads[1]), three(0, 0, 0), kSameFormula));
  }
}

TEST_F(CustomGradientTest, HasGradientsOfItsGradient) {
  const Tensor y = custom_gradient(x * x * x, x, [&](const Tensor& dy) { return dy * x * x; });  // not 3 x^2
  const Tensor first = gradients(sum(y), {x})[0];
  EXPECT_TRUE(close(run(gradients(sum(first), {x})[0]), x_value * 2, kSameFormula));
}

TEST_F(CustomGradientTest, MayDrawRandomNumbers) {
  graph.set_seed(5);
  const Tensor y = custom_gradient(x * 1, x, [](const Tensor& dy) { return dy + random_uniform({3}); });
  const Tensor g = gradients(sum(y), {x})[0];
  Session other(graph);
  const at::Tensor first = run(g);
  EXPECT_GT(first.min().item<double>(), 1);
  EXPECT_TRUE(first.equal(other.run(g, {{x, x_value}})));
  EXPECT_FALSE(first.equal(run(g)));
}

TEST_F(CustomGradientTest, IsNotInWhatPredicts) {
  const Tensor mask = random_uniform({3}), scale = placeholder("scale", {});
  const Tensor y =
      custom_gradient(round(x), x, [&](const Tensor& dy) { return dy * mask * scale + random_uniform({3}); });
  const auto function = extract_function({x}, {y + 1});
  ASSERT_TRUE(function);
  std::vector<std::string> ops;
  for (const Node* node : function->calls()) ops.push_back(node->op_name());
  EXPECT_THAT(ops, testing::UnorderedElementsAre("aten::round", "aten::add.Scalar"));
}

TEST_F(CustomGradientTest, RefusesGradientsThatDoNotFit) {
  const Tensor y = round(x);
  EXPECT_THAT(error_of([&] {
                custom_gradient(
                    y, x, [](const Tensor& dy) { return sum(dy); }, "y");
              }),
              HasSubstr("expected a gradient like its input x:0 float32 [3]"));
  EXPECT_THAT(error_of([&] { custom_gradient(y, x, [](const Tensor& dy) { return cast(dy, kFloat64); }); }),
              HasSubstr("float64"));
  EXPECT_THAT(error_of([&] {
                custom_gradient({y}, {x}, [](const std::vector<Tensor>&) { return std::vector<Tensor>(); });
              }),
              HasSubstr("1 gradients"));
  EXPECT_THAT(error_of([&] { custom_gradient(y, x, nullptr); }), HasSubstr("null"));
  EXPECT_THAT(error_of([&] { custom_gradient(y, Tensor(), pass); }), HasSubstr("none"));
}

Tensor guided(const DifferentiatedOperator& op) {
  const Tensor& dy = op.gradients[0];
  return where(op.inputs[0] > 0, where(dy > 0, dy, 0), 0);
}

TEST_F(CustomGradientTest, AnOperatorsGradientIsOverriddenBelowAGuard) {
  const Tensor weights = constant({1, -1, -1}, {}, kFloat32);
  Tensor inside, outside;
  {
    const NameScope scope("net");
    const GradientOverride guided_relu(
        "aten::relu", [](const DifferentiatedOperator& op) { return std::vector<Tensor>{guided(op)}; });
    inside = relu(x);
  }
  outside = relu(x);
  EXPECT_EQ(inside.op_name(), "net/relu");
  EXPECT_TRUE(close(run(inside), three(0, 0.4, 2.6), kSameFormula));
  EXPECT_TRUE(close(run(gradients(sum(inside * weights), {x})[0]), three(0, 0, 0), kSameFormula));
  EXPECT_TRUE(close(run(gradients(sum(outside * weights), {x})[0]), three(0, -1, -1), kSameFormula));
}

TEST_F(CustomGradientTest, AnOverrideIsOfAllOverloadsOrOfOne) {
  const OperatorGradient none = [](const DifferentiatedOperator& op) {
    return std::vector<Tensor>(op.inputs.size());
  };
  const GradientOverride adds("aten::mul", none);
  const GradientOverride one("aten::mul.Tensor", [](const DifferentiatedOperator& op) {
    return std::vector<Tensor>{op.gradients[0], op.gradients[0]};  // multiplied under no override
  });
  EXPECT_TRUE(close(run(gradients(sum(x * x), {x})[0]), three(2, 2, 2), kSameFormula));
  EXPECT_FALSE(gradients(sum(x * 5), {x})[0].defined());
}

TEST_F(CustomGradientTest, RefusesAnOverrideOfNoOperator) {
  EXPECT_THAT(error_of([] { GradientOverride("Relu", [](const auto&) { return std::vector<Tensor>(); }); }),
              HasSubstr("'Relu'"));
}

}  // namespace
}  // namespace belfry
