// What changes between compiled steps: variables, learning rates, checkpoints, random numbers. And optimizers
// over many steps, which keep what they know in variables.

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "belfry/checkpoint/saver.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/accum_grad_optimizer.h"
#include "belfry/optim/adadelta.h"
#include "belfry/optim/adagrad.h"
#include "belfry/optim/adam.h"
#include "belfry/optim/adamw.h"
#include "belfry/optim/ftrl.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/lars.h"
#include "belfry/optim/momentum.h"
#include "belfry/optim/moving_average.h"
#include "belfry/optim/rms_prop.h"
#include "tests/step/twins.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

constexpr double kRounding = 2e-3;

/// A net in training whose learning rate is a variable, and what a step of it takes.
struct Net {
  using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(const Variable& rate)>;

  explicit Net(const MakeOptimizer& make = make_momentum) {
    graph.set_seed(11);
    GraphScope as_default(graph);
    TowerContext tower("", {.is_training = true});
    rate = get_variable("learning_rate", {}, {.initializer = constant_initializer(0.01), .trainable = false});
    const Tensor image = placeholder("image", {kDynamic, 8, 8, 3});
    const Tensor label = placeholder("label", {kDynamic}, kInt64);
    // Without kinks, at which a rounding may become another gradient.
    const Tensor logits = image | Conv2D("conv0", {.filters = 16, .kernel = 3, .activation = tanh}) |
                          BatchNorm("bn") | AvgPooling("pool", {.pool = 2}) |
                          Conv2D("conv1", {.filters = 16, .kernel = 3, .activation = tanh}) |
                          Dropout("drop", {.rate = 0.5}) | FullyConnected("fc", {.units = 10});
    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label), "cost");
    std::vector<Tensor> work = {make(rate)->minimize(cost)};
    for (const Tensor& update : graph.collection(kUpdateOps)) work.push_back(update);
    feeds = {image, label};
    fetches = {group(work, "train"), cost};
  }

  static std::unique_ptr<Optimizer> make_momentum(const Variable& rate) {
    return std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate});
  }

  static std::vector<at::Tensor> batch(int64_t step, int64_t size = 6) {
    at::manual_seed(static_cast<uint64_t>(step));
    return {at::rand({size, 8, 8, 3}), at::randint(10, {size}, at::kLong)};
  }

  CompiledStep compile(Session& session) const {
    return compile_step(session, {feeds.begin(), feeds.end()}, {fetches.begin(), fetches.end()});
  }

  Variable variable(const std::string& name) const { return Variable(graph.find_variable(name)); }

  Graph graph;
  Variable rate;
  std::vector<Tensor> feeds, fetches;
};

std::map<std::string, at::Tensor> values_of(Session& session) {
  std::map<std::string, at::Tensor> values;
  for (const auto& record : session.graph().variables())
    values[record->tensor.op_name()] = session.value(Variable(record.get()));
  return values;
}

void expect_identical(Session& a, Session& b) {
  const auto values = values_of(a), others = values_of(b);
  for (const auto& [name, value] : values) EXPECT_TRUE(value.equal(others.at(name))) << name;
}

struct OptimizerCase {
  const char* name;
  Net::MakeOptimizer make;
};

void PrintTo(const OptimizerCase& c, std::ostream* out) {
  *out << c.name;
}

class Optimizers : public testing::TestWithParam<OptimizerCase> {};

TEST_P(Optimizers, Take20StepsAsByThePlan) {
  const Net net(GetParam().make);
  test::Twins twins(net.graph, net.feeds, net.fetches);
  for (int step = 0; step < 20; ++step) {
    for (Session* session : {&twins.planned, &twins.compiled})
      session->set_value(net.rate, at::full({}, 0.01 / (1 + step / 5), at::kFloat));
    twins.take_step(Net::batch(step, step % 5 == 4 ? 5 : 6), kRounding);
  }
  twins.expect_compiled();
  twins.expect_same_variables(kRounding);
}

INSTANTIATE_TEST_SUITE_P(
    , Optimizers,
    testing::Values(
        OptimizerCase{"gradient_descent",
                      [](const Variable& rate) {
                        return std::make_unique<GradientDescent>(
                            GradientDescentOptions{.learning_rate = rate});
                      }},
        OptimizerCase{"momentum", Net::make_momentum},
        OptimizerCase{"nesterov",
                      [](const Variable& rate) {
                        return std::make_unique<Momentum>(
                            MomentumOptions{.learning_rate = rate, .use_nesterov = true});
                      }},
        OptimizerCase{"momentum_with_multipliers",
                      [](const Variable& rate) {
                        return std::make_unique<Momentum>(
                            MomentumOptions{.learning_rate = rate,
                                            .learning_rate_multipliers = {{".*/b", 2.0}, {"conv0/.*", 0.5}}});
                      }},
        OptimizerCase{"rms_prop",
                      [](const Variable& rate) {
                        return std::make_unique<RMSProp>(RMSPropOptions{
                            .learning_rate = rate, .momentum = 0.5, .epsilon = 1e-2, .centered = true});
                      }},
        OptimizerCase{"adagrad",
                      [](const Variable& rate) {
                        return std::make_unique<Adagrad>(AdagradOptions{.learning_rate = rate});
                      }},
        OptimizerCase{"adadelta",
                      [](const Variable& rate) {
                        return std::make_unique<Adadelta>(
                            AdadeltaOptions{.learning_rate = rate, .epsilon = 1e-2});
                      }},
        OptimizerCase{
            "ftrl",
            [](const Variable& rate) { return std::make_unique<Ftrl>(FtrlOptions{.learning_rate = rate}); }},
        OptimizerCase{"adamw",
                      [](const Variable& rate) {
                        return std::make_unique<AdamW>(AdamWOptions{.learning_rate = rate, .epsilon = 1e-2});
                      }},
        OptimizerCase{
            "lars",
            [](const Variable& rate) { return std::make_unique<LARS>(LARSOptions{.learning_rate = rate}); }},
        OptimizerCase{"accum_grad",
                      [](const Variable& rate) {
                        return std::make_unique<AccumGradOptimizer>(Net::make_momentum(rate), 3);
                      }},
        OptimizerCase{"moving_average",
                      [](const Variable& rate) {
                        return std::make_unique<MovingAverageOptimizer>(Net::make_momentum(rate));
                      }},
        OptimizerCase{"adam",
                      [](const Variable& rate) {
                        return std::make_unique<Adam>(AdamOptions{.learning_rate = rate, .epsilon = 1e-2});
                      }}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(StepState, AVariableThatIsSetBetweenStepsIsUsedByTheNext) {
  const Net net;
  test::Twins twins(net.graph, net.feeds, net.fetches);
  twins.take_step(Net::batch(0), kRounding);
  for (const char* name : {"conv0/W", "conv1/W", "fc/W", "bn/gamma", "fc/b"}) {  // some are packed
    const Variable variable = net.variable(name);
    for (Session* session : {&twins.planned, &twins.compiled}) {
      at::manual_seed(5);
      session->set_value(variable, at::rand(variable.shape()) - 0.5);
    }
    twins.take_step(Net::batch(1), kRounding);
    twins.expect_same_variables(kRounding);
  }
  twins.expect_compiled();
}

TEST(StepState, AVariableThatAnotherRunWritesIsUsedByTheNext) {
  Net net;
  GraphScope as_default(net.graph);
  const Variable kernel = net.variable("conv1/W");
  const Tensor shrink = assign(kernel, kernel.tensor() * 0.5);
  test::Twins twins(net.graph, net.feeds, net.fetches);
  for (int step = 0; step < 3; ++step) {
    twins.take_step(Net::batch(step), kRounding);
    for (Session* session : {&twins.planned, &twins.compiled}) session->run(shrink);
  }
  twins.expect_compiled();
  twins.expect_same_variables(kRounding);
}

TEST(StepState, StepsGoOnFromACheckpointAndSavedRandomNumbersBitByBit) {
  const Net net;
  const test::TempDir folder;
  Session first(net.graph), second(net.graph);
  first.initialize_variables();
  const CompiledStep step = net.compile(first);
  for (int i = 0; i < 3; ++i) step(Net::batch(i));
  Saver().save(first, folder / "model");
  const auto random = first.random_states();
  for (int i = 3; i < 6; ++i) step(Net::batch(i));

  second.initialize_variables();
  const CompiledStep resumed = net.compile(second);
  resumed(Net::batch(7));  // what it packed, and drew, is not what counts
  Saver().restore(second, folder / "model");
  EXPECT_TRUE(second.set_random_states(random).empty());
  for (int i = 3; i < 6; ++i) resumed(Net::batch(i));
  expect_identical(first, second);
}

TEST(StepState, TwoProgramsOfOneStepShareItsRandomNumbers) {
  const Net net;
  Session whole(net.graph), parts(net.graph);
  for (Session* session : {&whole, &parts}) session->initialize_variables();
  const CompiledStep one = net.compile(whole);
  for (int i = 0; i < 4; ++i) one(Net::batch(i, i % 2 ? 5 : 6));
  for (int i = 0; i < 4; ++i) net.compile(parts)(Net::batch(i, i % 2 ? 5 : 6));  // anew each time
  expect_identical(whole, parts);
}

TEST(StepState, RandomStatesAreThoseOfThePlan) {
  const Net net;
  test::Twins twins(net.graph, net.feeds, net.fetches);
  for (int step = 0; step < 3; ++step) twins.take_step(Net::batch(step), kRounding);
  const auto expected = twins.planned.random_states(), states = twins.compiled.random_states();
  ASSERT_EQ(states.size(), expected.size());
  for (const auto& [name, state] : expected) EXPECT_TRUE(state.equal(states.at(name))) << name;
}

}  // namespace
}  // namespace belfry
