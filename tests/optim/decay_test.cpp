#include "belfry/optim/decay.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/runtime/session.h"
#include "tests/optim/decay_baseline.h"
#include "tests/optim/torch_baseline.h"
#include "tests/support/close.h"

namespace belfry {
namespace {

struct Case {
  const char* name;
  std::function<Tensor(const Tensor& step)> decay;
  const std::vector<float>* expected;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class DecayTest : public testing::TestWithParam<Case> {};

/// The values of a decay at `steps`.
at::Tensor values(const std::function<Tensor(const Tensor&)>& decay, const std::vector<int64_t>& steps) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor step = placeholder("step", {}, kInt64);
  const Tensor rate = decay(step);
  Session session(graph);
  std::vector<float> result;
  for (int64_t s : steps)
    result.push_back(session.run(rate, {{step, at::scalar_tensor(s, at::kLong)}}).item<float>());
  return at::tensor(result);
}

/// TensorFlow multiplies by the rounded reciprocal of constants, and what is left of 19.8 periods shows it.
constexpr test::Tolerance kRoundedReciprocals{.relative = 1e-6, .absolute = 1e-6};

TEST_P(DecayTest, HasTensorFlowsValues) {
  EXPECT_TRUE(test::close(values(GetParam().decay, test::k_decay_steps), at::tensor(*GetParam().expected),
                          kRoundedReciprocals));
}

INSTANTIATE_TEST_SUITE_P(
    , DecayTest,
    testing::Values(
        Case{
            "exponential",
            [](const Tensor& s) { return exponential_decay(0.3, s, {.decay_steps = 10, .decay_rate = 0.5}); },
            &test::k_exponential},
        Case{"exponential_staircase",
             [](const Tensor& s) {
               return exponential_decay(0.3, s, {.decay_steps = 10, .decay_rate = 0.5, .staircase = true});
             },
             &test::k_exponential_staircase},
        Case{
            "natural_exp",
            [](const Tensor& s) { return natural_exp_decay(0.3, s, {.decay_steps = 10, .decay_rate = 0.5}); },
            &test::k_natural_exp},
        Case{"inverse_time_staircase",
             [](const Tensor& s) {
               return inverse_time_decay(0.3, s, {.decay_steps = 10, .decay_rate = 0.5, .staircase = true});
             },
             &test::k_inverse_time_staircase},
        Case{"piecewise_constant",
             [](const Tensor& s) {
               return piecewise_constant(s, {5, 10}, {0.3, 0.2, 0.1});
             },
             &test::k_piecewise_constant},
        Case{"polynomial", [](const Tensor& s) { return polynomial_decay(0.3, s, {.decay_steps = 10}); },
             &test::k_polynomial},
        Case{"polynomial_power",
             [](const Tensor& s) {
               return polynomial_decay(0.3, s, {.decay_steps = 10, .end_learning_rate = 0.05, .power = 2.5});
             },
             &test::k_polynomial_power},
        Case{"polynomial_cycle",
             [](const Tensor& s) {
               return polynomial_decay(
                   0.3, s, {.decay_steps = 10, .end_learning_rate = 0.05, .power = 0.5, .cycle = true});
             },
             &test::k_polynomial_cycle},
        Case{"cosine",
             [](const Tensor& s) { return cosine_decay(0.3, s, {.decay_steps = 10, .alpha = 0.1}); },
             &test::k_cosine},
        Case{"cosine_restarts",
             [](const Tensor& s) {
               return cosine_decay_restarts(
                   0.3, s, {.first_decay_steps = 5, .t_mul = 1.5, .m_mul = 0.8, .alpha = 0.1});
             },
             &test::k_cosine_restarts},
        Case{"cosine_restarts_alike",
             [](const Tensor& s) {
               return cosine_decay_restarts(0.3, s, {.first_decay_steps = 5, .t_mul = 1.0});
             },
             &test::k_cosine_restarts_alike}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(LinearWarmup, RisesAsPyTorchsLinearLR) {
  std::vector<int64_t> steps;
  for (int64_t step = 0; step < 16; ++step) steps.push_back(step);
  const auto warmup = [](const Tensor& s) {
    return linear_warmup(1.0, s, {.warmup_steps = 8, .start_factor = 0.25});
  };
  EXPECT_TRUE(test::close(values(warmup, steps), at::tensor(test::k_linear_warmup), test::kSameFormula));
}

TEST(LinearWarmup, MultipliesAnotherDecay) {
  const auto both = [](const Tensor& s) {
    return linear_warmup(exponential_decay(0.3, s, {.decay_steps = 10, .decay_rate = 0.5}), s,
                         {.warmup_steps = 20});
  };
  const at::Tensor alone = at::tensor(test::k_exponential), warm = values(both, test::k_decay_steps);
  EXPECT_FLOAT_EQ(warm[0].item<float>(), 0);
  EXPECT_FLOAT_EQ(warm[6].item<float>(), alone[6].item<float>() / 2);
  EXPECT_TRUE(test::close(warm[11], alone[11], test::kSameFormula));
}

TEST(Decay, AnOptimizerReadsTheStepBeforeItIsCounted) {
  Graph graph;
  GraphScope as_default(graph);
  const Variable step = get_variable(
      "global_step", {}, {.dtype = kInt64, .initializer = zeros_initializer(), .trainable = false});
  const Variable v = get_variable("v", {}, {.initializer = zeros_initializer()});
  const Tensor rate = piecewise_constant(step, {0, 1}, {1, 10, 100});
  const Tensor train =
      GradientDescent({.learning_rate = rate}).minimize(v * -1.0, {}, {.global_step = step, .name = "train"});
  Session session(graph);
  session.initialize_variables();
  for (float expected : {1.0f, 11.0f, 111.0f}) {
    session.run(train);
    EXPECT_EQ(session.value(v).item<float>(), expected);
  }
}

TEST(Decay, WhatMakesNoSenseIsAnError) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor step = placeholder("step", {}, kInt64), list = placeholder("list", {2}, kInt64);
  EXPECT_THROW(exponential_decay(0.1, step, {.decay_rate = 0.5}), UsageError);
  EXPECT_THROW(exponential_decay(0.1, step, {.decay_steps = 10}), UsageError);
  EXPECT_THROW(exponential_decay(0.1, list, {.decay_steps = 10, .decay_rate = 0.5}), UsageError);
  EXPECT_THROW(piecewise_constant(step, {1, 2}, {0.1, 0.2}), UsageError);
  EXPECT_THROW(piecewise_constant(step, {2, 2}, {0.1, 0.2, 0.3}), UsageError);
  EXPECT_THROW(polynomial_decay(0.1, Tensor(), {.decay_steps = 10}), UsageError);
  EXPECT_THROW(cosine_decay_restarts(0.1, step, {.first_decay_steps = 1, .t_mul = 0.5}), UsageError);
  EXPECT_THROW(linear_warmup(0.1, step, {.warmup_steps = 1, .start_factor = 2}), UsageError);
}

}  // namespace
}  // namespace belfry
