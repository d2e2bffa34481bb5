#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/accum_grad_optimizer.h"
#include "belfry/optim/adam.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/gradient_processor.h"
#include "belfry/optim/momentum.h"
#include "belfry/optim/moving_average.h"
#include "belfry/optim/post_process_optimizer.h"
#include "belfry/runtime/session.h"
#include "belfry/step/compiled_step.h"
#include "tests/optim/optimizer_baseline.h"
#include "tests/optim/problem.h"
#include "tests/support/close.h"

namespace belfry {
namespace {

using test::names;
using testing::UnorderedElementsAreArray;

using Make = std::function<std::unique_ptr<Optimizer>(const Variable& rate)>;

std::unique_ptr<Optimizer> momentum(const Variable& rate) {
  return std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate});
}
Tensor clipped(const Variable& v) {
  return clip_by_value(v, -0.3, 0.7);
}

struct Case {
  const char* name;
  Make make;
  const test::OptimizerBaseline* expected;
  bool shows_averages = false;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class WrappingOptimizerTest : public test::OptimizerProblem, public testing::WithParamInterface<Case> {
 protected:
  at::Tensor shown(Session& session) const {
    std::vector<at::Tensor> flat;
    for (const Variable& v : variables_in(graph, kTrainableVariables)) {
      const std::string name =
          GetParam().shows_averages ? ExponentialMovingAverage::average_name(v.name()) : v.name();
      flat.push_back(session.value(Variable(graph.find_variable(name))).reshape({-1}));
    }
    return at::cat(flat);
  }
};

TEST_P(WrappingOptimizerTest, TakesTheSame20Steps) {
  build_problem();
  expect_steps(GetParam().make(rate)->minimize(loss), GetParam().expected->steps, kSameSteps,
               [this](Session& session) { return shown(session); });
}

TEST_P(WrappingOptimizerTest, TakesThemCompiled) {
  build_problem();
  const Tensor train = GetParam().make(rate)->minimize(loss);
  Session session(graph);
  session.initialize_variables();
  const CompiledStep step = compile_step(session, {}, {train});
  for (size_t i = 0; i < 20; ++i) {
    session.set_value(rate, at::full({}, test::kRates[i / 5], at::kFloat));
    step({});
    EXPECT_TRUE(step.is_compiled()) << step.why_not_compiled();
    EXPECT_TRUE(test::close(shown(session), at::tensor(GetParam().expected->steps[i]), kSameSteps))
        << "after step " << i + 1;
  }
}

TEST_P(WrappingOptimizerTest, NamesItsVariablesAlike) {
  build_problem();
  GetParam().make(rate)->minimize(loss);
  std::vector<std::string> expected = GetParam().expected->variables;
  for (std::string& name : expected) {  // TensorFlow's names of scalars depend on the scopes that are open
    if (name.ends_with("_power")) name = name.substr(name.rfind('/') + 1);
  }
  EXPECT_THAT(names(global_variables()), UnorderedElementsAreArray(expected));
}

INSTANTIATE_TEST_SUITE_P(
    , WrappingOptimizerTest,
    testing::Values(
        Case{"accum_grad",
             [](const Variable& rate) { return std::make_unique<AccumGradOptimizer>(momentum(rate), 3); },
             &test::k_accum_grad},
        Case{"assignment",
             [](const Variable& rate) {
               return std::make_unique<VariableAssignmentOptimizer>(momentum(rate), clipped);
             },
             &test::k_assignment},
        Case{"accum_of_assignment",
             [](const Variable& rate) {
               auto adam = std::make_unique<Adam>(AdamOptions{.learning_rate = rate});
               return std::make_unique<AccumGradOptimizer>(
                   std::make_unique<VariableAssignmentOptimizer>(std::move(adam), clipped), 2);
             },
             &test::k_accum_of_assignment},
        Case{"moving_average",
             [](const Variable& rate) {
               return std::make_unique<MovingAverageOptimizer>(
                   std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = rate}),
                   MovingAverageOptions{.decay = 0.9});
             },
             &test::k_moving_average, true}),
    [](const auto& info) { return std::string(info.param.name); });

class WrappersTest : public test::OptimizerProblem {};

TEST_F(WrappersTest, AnAverageOfACountFollowsQuicklyAtFirst) {
  build_problem();
  const Variable count = get_variable("count", {}, {.initializer = zeros_initializer(), .trainable = false});
  MovingAverageOptimizer optimizer(
      std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = rate}),
      {.decay = 0.9, .num_updates = count});
  const Tensor train = optimizer.minimize(loss, {}, {.global_step = {}, .name = "train"});
  const Tensor both = [&] {
    const ControlDependencies after({train});
    return group({train, assign_add(count, constant(1.0))});
  }();
  expect_steps(both, test::k_moving_average_of_count.steps, kSameSteps, [this](Session& session) {
    std::vector<at::Tensor> flat;
    for (const auto& [variable, average] : ExponentialMovingAverage::averages_in(graph))
      flat.push_back(session.value(average).reshape({-1}));
    return at::cat(flat);
  });
}

TEST_F(WrappersTest, AnAverageBeginsWithItsVariablesRandomValue) {
  const Variable v = get_variable("v", {3}, {.initializer = random_normal_initializer()});
  ExponentialMovingAverage().apply({v});
  Session session(graph);
  session.initialize_variables();
  EXPECT_TRUE(
      session.value(v).equal(session.value(Variable(graph.find_variable("v/ExponentialMovingAverage")))));
}

/// Counts how often its part of the graph runs.
class Counting : public ProxyOptimizer {
 public:
  explicit Counting(std::unique_ptr<Optimizer> inner) : ProxyOptimizer(std::move(inner)) {}
  using Optimizer::apply_gradients;
  Tensor apply_gradients(const GradientsAndVariables& gradients, const ApplyOptions& options) override {
    const Variable count = [] {
      GraphScope root(default_graph());
      return get_variable("count", {}, {.initializer = zeros_initializer(), .trainable = false});
    }();
    return group({inner().apply_gradients(gradients, {}), assign_add(count, constant(1.0))}, options.name);
  }
};

TEST_F(WrappersTest, NothingOfTheInnerOptimizerRunsBetweenUpdates) {
  build_problem();
  AccumGradOptimizer optimizer(
      apply_grad_processors(std::make_unique<Counting>(momentum(rate)), GlobalNormClip(1)), 3);
  const Tensor train = optimizer.minimize(loss);
  for (const bool compiled : {false, true}) {
    Session session(graph);
    session.initialize_variables();
    const CompiledStep step = compile_step(session, {}, {train}, {.compile = compiled});
    for (int i = 0; i < 7; ++i) step({});
    EXPECT_EQ(step.is_compiled(), compiled) << step.why_not_compiled();
    EXPECT_EQ(session.value(Variable(graph.find_variable("count"))).item<float>(), 2);
    EXPECT_EQ(session.value(Variable(graph.find_variable("AccumGrad/counter"))).item<int>(), 7);
  }
}

TEST_F(WrappersTest, TheGlobalStepCountsEveryStepOfAccumulation) {
  build_problem();
  const Variable count = get_variable(
      "global_step", {}, {.dtype = kInt64, .initializer = zeros_initializer(), .trainable = false});
  AccumGradOptimizer optimizer(momentum(rate), 4);
  const Tensor train = optimizer.minimize(loss, {}, {.global_step = count, .name = "train_op"});
  EXPECT_EQ(train.op_name(), "train_op");
  Session session(graph);
  session.initialize_variables();
  for (int i = 0; i < 3; ++i) session.run(train);
  EXPECT_EQ(session.value(count).item<int64_t>(), 3);
}

TEST_F(WrappersTest, APostProcessMayLeaveVariablesAlone) {
  build_problem();
  PostProcessOptimizer optimizer(momentum(rate), [](const Variable& v) {
    return v.name() == "scalar" ? assign(v, constant(7.0)) : Tensor();
  });
  Session session(graph);
  const Tensor train = optimizer.minimize(loss);
  session.initialize_variables();
  session.run(train);
  EXPECT_EQ(session.value(Variable(graph.find_variable("scalar"))).item<float>(), 7);
  EXPECT_EQ(optimizer.slot(trainable_variables()[0], "momentum").name(), "matrix/Momentum");
}

TEST_F(WrappersTest, WhatMakesNoSenseIsAnError) {
  build_problem();
  EXPECT_THROW(AccumGradOptimizer(nullptr, 2), UsageError);
  EXPECT_THROW(AccumGradOptimizer(momentum(rate), 0), UsageError);
  EXPECT_THROW(PostProcessOptimizer(momentum(rate), {}), UsageError);
  EXPECT_THROW(VariableAssignmentOptimizer(momentum(rate), {}), UsageError);
  EXPECT_THROW(ExponentialMovingAverage({.decay = 1}), UsageError);
  ExponentialMovingAverage averages;
  averages.apply();
  EXPECT_THROW(averages.apply(), UsageError);
  EXPECT_THROW(AccumGradOptimizer(momentum(rate), 2).apply_gradients({}), UsageError);
}

}  // namespace
}  // namespace belfry
