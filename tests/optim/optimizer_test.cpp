#include "belfry/optim/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/adadelta.h"
#include "belfry/optim/adagrad.h"
#include "belfry/optim/adam.h"
#include "belfry/optim/adamw.h"
#include "belfry/optim/ftrl.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/lars.h"
#include "belfry/optim/momentum.h"
#include "belfry/optim/rms_prop.h"
#include "belfry/runtime/session.h"
#include "tests/optim/optimizer_baseline.h"
#include "tests/optim/problem.h"
#include "tests/optim/torch_baseline.h"
#include "tests/support/close.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

using test::names;
using test::ramp;

class OptimizerTest : public test::OptimizerProblem {};

struct Case {
  const char* name;
  std::function<std::unique_ptr<Optimizer>(const Variable& rate)> make;
  const test::OptimizerBaseline* expected;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class TensorFlowOptimizerTest : public OptimizerTest, public testing::WithParamInterface<Case> {};

TEST_P(TensorFlowOptimizerTest, TakesTheSame20StepsUnderAChangingRate) {
  build_problem();
  expect_steps(GetParam().make(rate)->minimize(loss), GetParam().expected->steps);
}

TEST_P(TensorFlowOptimizerTest, TakesTheSameStepsInFloat64) {
  build_problem(kFloat64);
  // TensorFlow's steps have a rounding to float32 each.
  expect_steps(GetParam().make(rate)->minimize(loss), GetParam().expected->steps,
               {.relative = 2e-5, .absolute = 2e-5});
}

TEST_P(TensorFlowOptimizerTest, NamesItsVariablesAlike) {
  build_problem();
  GetParam().make(rate)->minimize(loss);
  EXPECT_THAT(names(global_variables()), UnorderedElementsAreArray(GetParam().expected->variables));
}

INSTANTIATE_TEST_SUITE_P(
    , TensorFlowOptimizerTest,
    testing::Values(
        Case{"gradient_descent",
             [](const Variable& rate) {
               return std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = rate});
             },
             &test::k_gradient_descent},
        Case{"momentum",
             [](const Variable& rate) {
               return std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate});
             },
             &test::k_momentum},
        Case{"nesterov",
             [](const Variable& rate) {
               return std::make_unique<Momentum>(
                   MomentumOptions{.learning_rate = rate, .use_nesterov = true});
             },
             &test::k_nesterov},
        Case{"momentum_of_0",
             [](const Variable& rate) {
               return std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate, .momentum = 0});
             },
             &test::k_momentum_of_0},
        Case{"nesterov_of_0",
             [](const Variable& rate) {
               return std::make_unique<Momentum>(
                   MomentumOptions{.learning_rate = rate, .momentum = 0, .use_nesterov = true});
             },
             &test::k_nesterov_of_0},
        Case{"rms_prop",
             [](const Variable& rate) {
               return std::make_unique<RMSProp>(RMSPropOptions{.learning_rate = rate});
             },
             &test::k_rms_prop},
        Case{"rms_prop_momentum",
             [](const Variable& rate) {
               return std::make_unique<RMSProp>(
                   RMSPropOptions{.learning_rate = rate, .decay = 0.8, .momentum = 0.5, .epsilon = 0.01});
             },
             &test::k_rms_prop_momentum},
        Case{"rms_prop_centered",
             [](const Variable& rate) {
               return std::make_unique<RMSProp>(
                   RMSPropOptions{.learning_rate = rate, .momentum = 0.5, .epsilon = 0.01, .centered = true});
             },
             &test::k_rms_prop_centered},
        Case{"adagrad",
             [](const Variable& rate) {
               return std::make_unique<Adagrad>(AdagradOptions{.learning_rate = rate});
             },
             &test::k_adagrad},
        Case{"adadelta",
             [](const Variable& rate) {
               return std::make_unique<Adadelta>(AdadeltaOptions{.learning_rate = rate});
             },
             &test::k_adadelta},
        Case{"adadelta_large_epsilon",
             [](const Variable& rate) {
               return std::make_unique<Adadelta>(
                   AdadeltaOptions{.learning_rate = rate, .rho = 0.7, .epsilon = 0.1});
             },
             &test::k_adadelta_large_epsilon},
        Case{"ftrl",
             [](const Variable& rate) { return std::make_unique<Ftrl>(FtrlOptions{.learning_rate = rate}); },
             &test::k_ftrl},
        Case{"ftrl_regularized",
             [](const Variable& rate) {
               return std::make_unique<Ftrl>(FtrlOptions{.learning_rate = rate,
                                                         .learning_rate_power = -0.7,
                                                         .initial_accumulator_value = 0.5,
                                                         .l1_regularization_strength = 0.3,
                                                         .l2_regularization_strength = 0.2,
                                                         .l2_shrinkage_regularization_strength = 0.1,
                                                         .beta = 0.05});
             },
             &test::k_ftrl_regularized},
        Case{"lars",
             [](const Variable& rate) {
               return std::make_unique<LARS>(LARSOptions{.learning_rate = rate, .eeta = 0.3});
             },
             &test::k_lars},
        Case{"lars_nesterov",
             [](const Variable& rate) {
               return std::make_unique<LARS>(LARSOptions{.learning_rate = rate,
                                                         .weight_decay = 0.05,
                                                         .eeta = 0.3,
                                                         .epsilon = 0.1,
                                                         .skipped_variables = "scalar",
                                                         .use_nesterov = true});
             },
             &test::k_lars_nesterov},
        Case{"adam",
             [](const Variable& rate) { return std::make_unique<Adam>(AdamOptions{.learning_rate = rate}); },
             &test::k_adam},
        Case{"adam_large_epsilon",
             [](const Variable& rate) {
               return std::make_unique<Adam>(
                   AdamOptions{.learning_rate = rate, .beta1 = 0.5, .beta2 = 0.9, .epsilon = 0.1});
             },
             &test::k_adam_large_epsilon}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(OptimizerTest, AdamWTakesPyTorchsSteps) {
  build_problem();
  expect_steps(AdamW({.learning_rate = rate}).minimize(loss), test::k_adamw);
}

TEST_F(OptimizerTest, AdamWDecaysTheVariablesThatItIsTold) {
  build_problem();
  AdamW optimizer({.learning_rate = rate,
                   .beta1 = 0.5,
                   .beta2 = 0.9,
                   .epsilon = 0.1,
                   .weight_decay = 0.3,
                   .decayed_variables = "matrix|kernel"});
  expect_steps(optimizer.minimize(loss), test::k_adamw_large);
  EXPECT_TRUE(graph.find_variable("matrix/AdamW_1"));
}

/// Larger than the pieces that updates are done in, and in another order of memory.
TEST_F(OptimizerTest, LargeVariablesAreUpdatedToTheirLastElement) {
  rate = get_variable("learning_rate", {}, {.initializer = zeros_initializer(), .trainable = false});
  const at::Tensor initial = at::arange(7 * 5003, at::kFloat).remainder(11).reshape({7, 5003});
  const Variable large = get_variable("large", {7, 5003},
                                      {.initializer = constant_initializer(initial), .memory_order = {1, 0}});
  const Tensor train = RMSProp({.learning_rate = 0.1, .momentum = 0.5}).minimize(sum(square(large)));
  Session session(graph);
  session.initialize_variables();
  session.run(train);
  session.run(train);
  at::Tensor v = initial.clone(), rms = at::ones_like(v), momentum = at::zeros_like(v);
  for (int step = 0; step < 2; ++step) {
    const at::Tensor g = 2 * v;
    rms = rms * 0.9 + g * g * 0.1;
    momentum = momentum * 0.5 + 0.1 * g / (rms + 1e-10).sqrt();
    v = v - momentum;
  }
  EXPECT_TRUE(test::close(session.value(large), v, kSameSteps));
}

TEST_F(OptimizerTest, AccumulatorsOfMomentum0HoldTheLastGradient) {
  build_problem();
  Momentum optimizer({.learning_rate = 0.1, .momentum = 0});
  const auto pairs = optimizer.compute_gradients(loss);
  const Tensor train = optimizer.apply_gradients(pairs);
  Session session(graph);
  session.initialize_variables();
  const at::Tensor gradient = session.run(pairs[0].gradient);
  session.run(train);
  EXPECT_TRUE(session.value(optimizer.slot(pairs[0].variable, "momentum")).equal(gradient));
}

/// Values of `variable` over steps of an optimizer of a graph of its own.
class MultiplierTest : public testing::TestWithParam<const char*> {
 protected:
  template <typename Options>
  static Options with(Options options, double rate, const LearningRateMultipliers& multipliers) {
    options.learning_rate = rate;
    options.learning_rate_multipliers = multipliers;
    return options;
  }
  static std::unique_ptr<Optimizer> make(double rate, const LearningRateMultipliers& multipliers) {
    const std::string kind = GetParam();
    if (kind == "adam") return std::make_unique<Adam>(with(AdamOptions(), rate, multipliers));
    if (kind == "momentum") return std::make_unique<Momentum>(with(MomentumOptions(), rate, multipliers));
    if (kind == "rms_prop") return std::make_unique<RMSProp>(with(RMSPropOptions(), rate, multipliers));
    if (kind == "adagrad") return std::make_unique<Adagrad>(with(AdagradOptions(), rate, multipliers));
    if (kind == "adadelta") return std::make_unique<Adadelta>(with(AdadeltaOptions(), rate, multipliers));
    if (kind == "adamw") return std::make_unique<AdamW>(with(AdamWOptions(), rate, multipliers));
    if (kind == "lars") return std::make_unique<LARS>(with(LARSOptions(), rate, multipliers));
    return std::make_unique<GradientDescent>(with(GradientDescentOptions(), rate, multipliers));
  }
  static at::Tensor trained(double rate, const LearningRateMultipliers& multipliers,
                            const std::string& variable) {
    Graph graph;
    GraphScope as_default(graph);
    std::vector<Tensor> losses;
    for (const char* name : {"conv/W", "conv/b", "fc/b", "fc/W"}) {
      const Variable v = get_variable(name, {3}, {.initializer = constant_initializer(ramp({3}, 1, 0.5))});
      losses.push_back(sum(square(v - 2.0) * 0.3));
    }
    const Tensor train = make(rate, multipliers)->minimize(add_n(losses));
    Session session(graph);
    session.initialize_variables();
    for (int i = 0; i < 5; ++i) session.run(train);
    return session.value(Variable(graph.find_variable(variable)));
  }
};

TEST_P(MultiplierTest, AVariableMovesAsWithThatMultipleOfTheRate) {
  const LearningRateMultipliers multipliers = {{"fc/.*", 0.0}, {".*/b", 2.0}};
  EXPECT_TRUE(trained(0.01, multipliers, "conv/b").equal(trained(0.02, {}, "conv/b")));
  EXPECT_TRUE(trained(0.01, multipliers, "conv/W").equal(trained(0.01, {}, "conv/W")));
  EXPECT_TRUE(trained(0.01, multipliers, "fc/b").equal(ramp({3}, 1, 0.5)));
  EXPECT_FALSE(trained(0.01, {}, "fc/b").equal(ramp({3}, 1, 0.5)));
}

INSTANTIATE_TEST_SUITE_P(, MultiplierTest,
                         testing::Values("gradient_descent", "momentum", "adam", "rms_prop", "adagrad",
                                         "adadelta", "adamw", "lars"));

TEST(LearningRateMultipliers, AreCheckedWhereWritten) {
  EXPECT_THROW(LearningRateMultipliers({{"(", 1.0}}), UsageError);
  EXPECT_THROW(LearningRateMultipliers({{"W", -1.0}}), UsageError);
  EXPECT_THROW(LearningRateMultipliers({{"W", std::numeric_limits<double>::infinity()}}), UsageError);
  EXPECT_THROW(LearningRateMultipliers({{"W", std::numeric_limits<double>::quiet_NaN()}}), UsageError);
}

TEST_F(OptimizerTest, ACostOfNoVariableIsNamed) {
  build_problem();
  try {
    GradientDescent({}).apply_gradients({});
    ADD_FAILURE() << "took no gradients";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("the cost depends on no trainable variable"));
  }
}

TEST_F(OptimizerTest, SlotsAreNotTrainedAndKeepTheMemoryOrderOfTheirVariables) {
  build_problem();
  Momentum optimizer({.learning_rate = rate});
  optimizer.minimize(loss);
  EXPECT_THAT(names(trainable_variables()), ElementsAre("matrix", "kernel", "scalar"));
  const Variable slot = optimizer.slot(trainable_variables()[1], "momentum");
  EXPECT_EQ(slot.name(), "kernel/Momentum");
  EXPECT_THAT(slot.tensor().node().attribute("memory_order").toIntVector(), ElementsAre(3, 0, 1, 2));
}

TEST_F(OptimizerTest, SlotsAreAtTheRootWhateverScopesAreOpen) {
  build_problem();
  VariableScope scope("tower", {.reuse = Reuse::kReuse});
  Momentum optimizer({.learning_rate = rate});
  optimizer.minimize(loss);
  Adam({.learning_rate = rate}).minimize(loss);
  EXPECT_EQ(optimizer.slot(trainable_variables()[0], "momentum").name(), "matrix/Momentum");
  EXPECT_TRUE(graph.find_variable("matrix/Adam"));
  EXPECT_TRUE(graph.find_variable("beta1_power"));
}

TEST_F(OptimizerTest, SlotsAreOnTheDevicesOfTheirVariables) {
  DeviceScope device(c10::Device(c10::kCUDA, 1));
  add_variable("matrix", {2, 3}, {});
  DeviceScope another(c10::kCPU);
  Momentum optimizer({.learning_rate = 0.1});
  optimizer.apply_gradients({{zeros({2, 3}), trainable_variables()[0]}});
  EXPECT_EQ(optimizer.slot(trainable_variables()[0], "momentum").tensor().node().device(),
            c10::Device(c10::kCUDA, 1));
}

TEST_F(OptimizerTest, TwoOptimizersOfOneVariableHaveTheirOwnSlots) {
  build_problem();
  Adam({.learning_rate = 0.1}).minimize(losses[2]);
  Adam({.learning_rate = 0.1}).minimize(losses[2]);
  EXPECT_TRUE(graph.find_variable("scalar/Adam_3"));
  EXPECT_TRUE(graph.find_variable("beta2_power_1"));
}

TEST_F(OptimizerTest, VariablesWithoutAGradientStay) {
  build_problem();
  const Tensor train = GradientDescent({.learning_rate = 0.1}).minimize(losses[2]);
  Session session(graph);
  session.initialize_variables();
  session.run(train);
  EXPECT_TRUE(test::close(session.value(trainable_variables()[0]), ramp({2, 3}, 1, 0.5), test::kSameFormula));
  EXPECT_LT(session.value(trainable_variables()[2]).item<float>(), 1);
}

TEST_F(OptimizerTest, CountsStepsAndTakesTheNameGiven) {
  build_problem();
  const Variable step = get_variable(
      "global_step", {}, {.dtype = kInt64, .initializer = zeros_initializer(), .trainable = false});
  Momentum optimizer({.learning_rate = 0.1});
  const Tensor train = optimizer.minimize(loss, {}, {.global_step = step, .name = "train_op"});
  EXPECT_EQ(train.op_name(), "train_op");
  Session session(graph);
  session.initialize_variables();
  session.run(train);
  session.run(train);
  EXPECT_EQ(session.value(step).item<int64_t>(), 2);
}

TEST_F(OptimizerTest, NoGradientAtAllIsAnError) {
  build_problem();
  GradientDescent optimizer({.learning_rate = 0.1});
  const auto pairs = optimizer.compute_gradients(losses[0], {trainable_variables()[2]});
  try {
    optimizer.apply_gradients(pairs);
    FAIL() << "expected an error";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("[GradientDescent] expected a gradient for some variable, got none"));
  }
}

TEST_F(OptimizerTest, OptionsOutOfRangeAreErrors) {
  EXPECT_THROW(Adam({.beta1 = 1}), UsageError);
  EXPECT_THROW(Adam({.beta2 = -0.1}), UsageError);
  EXPECT_THROW(Adam({.epsilon = -1}), UsageError);
  EXPECT_THROW(Momentum({.momentum = 1.5}), UsageError);
  EXPECT_THROW(RMSProp({.decay = 1.5}), UsageError);
  EXPECT_THROW(RMSProp({.epsilon = -1}), UsageError);
  EXPECT_THROW(Adagrad({.initial_accumulator_value = 0}), UsageError);
  EXPECT_THROW(Adadelta({.rho = -1}), UsageError);
  EXPECT_THROW(Ftrl({.learning_rate_power = 0.5}), UsageError);
  EXPECT_THROW(Ftrl({.l1_regularization_strength = -1}), UsageError);
  EXPECT_THROW(AdamW({.weight_decay = -1}), UsageError);
  EXPECT_THROW(AdamW({.decayed_variables = "("}), UsageError);
  EXPECT_THROW(LARS({.momentum = 2}), UsageError);
  EXPECT_THROW(LARS({.skipped_variables = "("}), UsageError);
  EXPECT_THROW(LearningRate{Tensor()}, UsageError);
  EXPECT_THROW(LearningRate{Variable()}, UsageError);
  EXPECT_THROW(LearningRate{zeros({1})}, UsageError);
  EXPECT_THROW(LearningRate{constant(1)}, UsageError);
}

TEST_F(OptimizerTest, AGradientOfAnotherShapeIsAnError) {
  build_problem();
  EXPECT_THROW(Momentum({}).apply_gradients({{losses[0], trainable_variables()[0]}}), UsageError);
}

}  // namespace
}  // namespace belfry
