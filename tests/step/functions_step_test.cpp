// Compiled steps of nodes that hold functions: gradients of the user's own, and control flow.

#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "belfry/graph/gradient_override.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/tower.h"
#include "belfry/graph/variable_getter.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/gradient_descent.h"
#include "tests/step/twins.h"

namespace belfry {
namespace {

/// A net of [6, 4], trained by its plan and compiled: the same losses and variables.
void check_steps(const std::function<Tensor(const Tensor& x)>& net, bool compiled = true) {
  Graph graph;
  graph.set_seed(7);
  const GraphScope as_default(graph);
  const TowerContext tower("", {.is_training = true});
  const Tensor x = placeholder("x", {kDynamic, 4});
  const Tensor cost = mean(square(net(x) - 1), "cost");
  GradientDescent descent({.learning_rate = 0.1});
  const Tensor train = descent.minimize(cost);
  test::Twins twins(graph, {x}, {cost, train});
  std::vector<at::Tensor> before;
  for (const Variable& variable : trainable_variables()) before.push_back(twins.planned.value(variable));
  for (int i = 0; i < 4; ++i) {
    at::manual_seed(i);
    twins.take_step({at::rand({6 - i % 2, 4}) * 4 - 2}, 1e-5);
  }
  twins.expect_same_variables(1e-5);
  for (size_t i = 0; i < before.size(); ++i) {
    const Variable variable = trainable_variables()[i];
    EXPECT_FALSE(twins.planned.value(variable).equal(before[i])) << variable.name() << " was not trained";
  }
  EXPECT_EQ(twins.step->is_compiled(), compiled) << twins.step->describe();
}

TEST(FunctionsInSteps, StraightThroughEstimatorsAreCompiled) {
  check_steps([](const Tensor& x) {
    const RemapVariables quantized([](const Variable& v) {
      return custom_gradient(round(v * 4) / 4, v, [](const Tensor& dy) { return dy; });
    });
    return x | FullyConnected("fc0", {.units = 8, .activation = relu}) | FullyConnected("fc1", {.units = 2});
  });
}

TEST(FunctionsInSteps, GradientsOfSeveralTensorsAreCompiled) {
  check_steps([](const Tensor& x) {
    const Tensor a = FullyConnected("a", x, {.units = 3}), b = FullyConnected("b", x, {.units = 3});
    const auto both = custom_gradient({a * b, a - b}, {a, b}, [&](const std::vector<Tensor>& dy) {
      return std::vector<Tensor>{dy[0] * b * 0.5 + dy[1], dy[0] * tanh(a)};
    });
    return both[0] + both[1];
  });
}

TEST(FunctionsInSteps, OverriddenGradientsAreCompiled) {
  check_steps([](const Tensor& x) {
    const GradientOverride guided("aten::relu", [](const DifferentiatedOperator& op) {
      return std::vector<Tensor>{where(op.inputs[0] > -0.1, op.gradients[0], 0)};
    });
    return x | FullyConnected("fc0", {.units = 8, .activation = relu}) | FullyConnected("fc1", {.units = 2});
  });
}

TEST(FunctionsInSteps, RandomGradientsDrawThePlansNumbers) {
  for (int draws : {1, 2}) {  // two draw from one generator in an order that only the plan keeps
    check_steps(
        [draws](const Tensor& x) {
          const Tensor h = FullyConnected("fc0", x, {.units = 8});
          return custom_gradient(h, h, [&](const Tensor& dy) {
            Tensor g = dy;
            for (int i = 0; i < draws; ++i) g = g + random_uniform_like(dy) * (0.01 * (i + 1));
            return g;
          });
        },
        /*compiled=*/draws == 1);
  }
}

TEST(FunctionsInSteps, RecurrentNetsAreCompiled) {
  check_steps([](const Tensor& x) {
    const Variable w = get_variable("w", {1, 3}), r = get_variable("r", {3, 3});
    const Tensor steps = expand_dims(transpose(x, {1, 0}), 2);  // [4, N, 1]
    const Tensor first = zeros_like(matmul(select(steps, 0), w));
    return scan([&](const Tensor& h, const Tensor& e) { return tanh(matmul(e, w) + matmul(h, r)); }, steps,
                first);
  });
}

TEST(FunctionsInSteps, BranchesAndLoopsAreCompiled) {
  check_steps([](const Tensor& x) {
    const Tensor h = FullyConnected("fc", x, {.units = 3});
    const Tensor y = cond(
        mean(x) > 0, [&] { return h * 2; }, [&] { return tanh(h); });
    return while_loop([](const auto& v) { return max(abs(v[0])) < 3; },
                      [](const auto& v) { return std::vector<Tensor>{v[0] * 1.5}; }, {y})[0];
  });
}

}  // namespace
}  // namespace belfry
