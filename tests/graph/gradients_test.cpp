#include "belfry/graph/gradients.h"

#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/initializers.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"

namespace belfry {
namespace {

using test::close;
using test::kSameFormula;
using testing::HasSubstr;

class GradientsTest : public testing::Test {
 protected:
  Variable variable(const std::string& name, double value) {
    return get_variable(name, {2}, {.initializer = constant_initializer(value)});
  }
  std::vector<at::Tensor> run(const std::vector<Tensor>& tensors) {
    Session session(graph);
    session.initialize_variables();
    return session.run({tensors.begin(), tensors.end()});
  }
  static at::Tensor twice(double value) { return at::full({2}, value, at::kFloat); }

  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(GradientsTest, NoneFlowsThroughStopGradient) {
  const Variable w = variable("w", 3), c = variable("c", 5);
  const auto grads = gradients(sum(stop_gradient(w) * c), {w, c});
  EXPECT_FALSE(grads[0].defined());
  EXPECT_TRUE(close(run({grads[1]})[0], twice(3), kSameFormula));
}

TEST_F(GradientsTest, NoneFlowsThroughIntegersAndBooleans) {
  const Variable w = variable("w", 3), c = variable("c", 5);
  const Tensor rounded = cast(cast(w, kInt64), kFloat32), positive = cast(greater(w, 0.0), kFloat32);
  EXPECT_FALSE(gradients(sum(rounded * c), {w})[0].defined());
  EXPECT_FALSE(gradients(sum(positive * c), {w})[0].defined());
}

TEST_F(GradientsTest, WhatStopGradientGivesIsALeaf) {
  const Variable w = variable("w", 3);
  const Tensor x = stop_gradient(2 * w);
  const auto grads = gradients(sum(x * x + w), {w, x});
  const auto values = run(grads);
  EXPECT_TRUE(close(values[0], twice(1), kSameFormula));
  EXPECT_TRUE(close(values[1], twice(12), kSameFormula));
}

TEST_F(GradientsTest, APenaltyOnTheGradientByAStoppedTensorIsPartOfALoss) {
  const Variable w = variable("w", 3), d = variable("d", 2);
  const Tensor fake = 2 * w, x = stop_gradient(fake);
  const Tensor penalty = sum(square(gradients(sum(d * x * x), {x})[0]));  // sum (2 d x)^2
  const auto values = run(gradients(penalty + sum(d * fake), {w, d}));
  EXPECT_TRUE(close(values[0], twice(4), kSameFormula));               // 2 d
  EXPECT_TRUE(close(values[1], twice(8 * 2 * 36 + 6), kSameFormula));  // 8 d x^2 + fake
}

TEST_F(GradientsTest, APlaceholdersDefaultHasItsOwnGradient) {
  const Variable w = variable("w", 3);
  const Tensor p = placeholder_with_default(w, {2}, "p");
  const auto values = run(gradients(sum(p * p + w), {w, p}));
  EXPECT_TRUE(close(values[0], twice(7), kSameFormula));
  EXPECT_TRUE(close(values[1], twice(6), kSameFormula));
}

TEST_F(GradientsTest, AWrongLossOrTensorIsAnError) {
  const Variable w = variable("w", 3);
  const Tensor whole = placeholder("whole", {}, kInt64);
  const auto error_of = [](const Tensor& loss, const Tensor& x) -> std::string {
    try {
      gradients(loss, {x});
    } catch (const UsageError& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of(w, w), HasSubstr("expected a scalar loss, or grad_loss, got w:0"));
  EXPECT_THAT(error_of(whole, w), HasSubstr("expected a floating-point loss, got whole:0 int64"));
  EXPECT_THAT(error_of(sum(w), whole), HasSubstr("tensor to differentiate by, got whole:0 int64"));
}

TEST_F(GradientsTest, ALossOfAnotherGraphIsAnError) {
  const Variable w = variable("w", 3);
  const Tensor loss = sum(w);
  Graph other;
  GraphScope scope(other);
  EXPECT_THROW(gradients(loss, {w}), UsageError);
}

}  // namespace
}  // namespace belfry
