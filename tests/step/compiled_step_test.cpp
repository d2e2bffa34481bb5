// Compiled steps against the session's plan: the same losses, gradients, variables and random numbers.

#include "belfry/step/compiled_step.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/argscope.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/conv2d_transpose.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/adam.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/momentum.h"
#include "tests/step/twins.h"

namespace belfry {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A net in training, twice: one session runs it by the plan, one compiled.
class Training {
 public:
  using Net = std::function<Tensor(const Tensor& image)>;

  Training(const Shape& image_shape, const Net& net, Optimizer& optimizer, const StepOptions& options = {})
      : image_shape_(image_shape) {
    graph.set_seed(7);
    GraphScope as_default(graph);
    Shape shape = image_shape;
    shape[0] = kDynamic;
    image = placeholder("image", shape);
    label = placeholder("label", {kDynamic}, kInt64);
    TowerContext tower("", {.is_training = true});
    cost = mean(sparse_softmax_cross_entropy(net(image), label), "cost");
    std::vector<Tensor> work = {optimizer.minimize(cost)};
    for (const Tensor& update : graph.collection(kUpdateOps)) work.push_back(update);
    train = group(work, "train");
    for (Session* session : {&plain_session, &compiled_session}) session->initialize_variables();
    plain = plain_session.make_callable({image, label}, {train, cost});
    compiled.emplace(compile_step(compiled_session, {image, label}, {train, cost}, options));
  }

  void check_steps(int count, double tolerance = 2e-4) {
    for (int i = 0; i < count; ++i) {
      at::manual_seed(i);
      Shape shape = image_shape_;
      if (i % 3 == 2) shape[0] -= 1;  // a smaller last batch
      const std::vector<at::Tensor> feeds = {at::rand(shape), at::randint(10, {shape[0]}, at::kLong)};
      const double expected = plain(feeds)[1].item<double>();
      const auto results = (*compiled)(feeds);
      ASSERT_TRUE(compiled->is_compiled()) << compiled->describe();
      ASSERT_FALSE(results[0].defined());
      EXPECT_NEAR(results[1].item<double>(), expected, tolerance * std::abs(expected)) << "in step " << i;
    }
    for (const auto& record : graph.variables()) {
      const Variable variable(record.get());
      const at::Tensor expected = plain_session.value(variable), value = compiled_session.value(variable);
      EXPECT_TRUE(at::allclose(value, expected, 20 * tolerance, 20 * tolerance)) << variable.name();
    }
  }

  Graph graph;
  Tensor image, label, cost, train;
  Session plain_session{graph}, compiled_session{graph};
  Callable plain;
  std::optional<CompiledStep> compiled;

 private:
  Shape image_shape_;
};

Tensor convnet(const Tensor& image) {
  ArgScope defaults(Conv2DOptions{.filters = 16, .kernel = 3, .activation = relu});
  return (image * 2.0 - 1.0) | Conv2D("conv0") | MaxPooling("pool0", {.pool = 2}) | Conv2D("conv1") |
         MaxPooling("pool1", {.pool = 2}) | FullyConnected("fc0", {.units = 32, .activation = relu}) |
         Dropout("dropout", {.rate = 0.5}) | FullyConnected("fc1", {.units = 10});
}

Tensor residual_net(const Tensor& image) {
  ArgScope defaults(Conv2DOptions{.kernel = 3, .use_bias = false});
  Tensor x = Conv2D("conv0", image, {.filters = 16, .activation = BNReLU});
  Tensor y = Conv2D("conv1", x, {.filters = 32, .strides = 2, .activation = BNReLU});
  y = Conv2D("conv2", y, {.filters = 32});
  x = pad(AvgPooling("pool", x, {.pool = 2}), {{0, 0}, {0, 0}, {0, 0}, {8, 8}});
  return BNReLU(y + x) | GlobalAvgPooling("gap") | FullyConnected("linear", {.units = 10});
}

TEST(CompiledStep, TrainsAConvnetAsThePlanDoes) {
  Adam adam({.learning_rate = 1e-3});
  Training({6, 12, 12, 1}, convnet, adam).check_steps(12, 1e-3);
}

TEST(CompiledStep, TrainsAResidualNetAsThePlanDoes) {
  Momentum momentum({.learning_rate = 0.05});
  Training({6, 8, 8, 3}, residual_net, momentum).check_steps(12, 1e-3);
}

/// A cell with a bias and another without, each used for 12 rows of the image; their last states are added.
Tensor recurrent_net(const Tensor& image) {
  const auto rows = unstack(reshape(image, {-1, 12, 12}), 1);
  const Tensor weights = get_variable("state/W", {16, 16});
  Tensor x = FullyConnected("begin", rows[0], {.units = 16}), y = x;
  const VariableScope scope("", {.reuse = Reuse::kAuto});
  for (const Tensor& row : rows) {
    x = FullyConnected("cell", concat({row, x}, 1), {.units = 16, .activation = sigmoid});
    y = sigmoid(matmul(y, weights) + x);
  }
  return FullyConnected("logits", x + y, {.units = 10});
}

TEST(CompiledStep, TrainsARecurrentNetAsThePlanDoes) {
  Momentum momentum({.learning_rate = 0.05});
  Training training({6, 12, 12, 1}, recurrent_net, momentum);
  training.check_steps(12, 1e-3);
  const std::string program = training.compiled->describe();
  EXPECT_THAT(program, HasSubstr("_joined"));
  // By the cell, the other weights, the first and the last layer; not one for each row.
  size_t products = 0;
  for (const ProfiledStep& step :
       training.compiled->profile({at::rand({6, 12, 12, 1}), at::randint(10, {6}, at::kLong)}))
    products += step.node.find("linear_backprop_weight") != std::string::npos &&
                step.kernel.find("brgemm") != std::string::npos;
  EXPECT_LE(products, 4u) << program;
}

/// A transposed convolution with a bias, as generators have, then one without.
Tensor generator_net(const Tensor& image) {
  return image | Conv2D("conv", {.filters = 16, .kernel = 3, .strides = 2, .activation = BNReLU}) |
         Conv2DTranspose("deconv0", {.filters = 16, .kernel = 4, .strides = 2, .activation = BNReLU}) |
         Conv2DTranspose("deconv1", {.filters = 8, .kernel = 4, .strides = 2, .use_bias = false}) |
         GlobalAvgPooling("gap") | FullyConnected("logits", {.units = 10});
}

TEST(CompiledStep, TrainsTransposedConvolutionsInBFloat16) {
  Momentum momentum({.learning_rate = 0.02});
  Training training({8, 8, 8, 3}, generator_net, momentum, {.compute = kBFloat16});
  training.check_steps(6, 0.05);
  size_t in_bfloat16 = 0;
  for (const ProfiledStep& step :
       training.compiled->profile({at::rand({8, 8, 8, 3}), at::randint(10, {8}, at::kLong)}))
    in_bfloat16 += step.node.ends_with("conv2d_transpose") && step.kernel.find("bf16") != std::string::npos;
  EXPECT_EQ(in_bfloat16, 2u) << training.compiled->describe();
}

/// Each use of the weights has a primitive, though they are float32.
TEST(CompiledStep, TrainsARecurrentNetInBFloat16) {
  Momentum momentum({.learning_rate = 0.02});
  Training training({6, 12, 12, 1}, recurrent_net, momentum, {.compute = kBFloat16});
  training.check_steps(6, 0.05);
  EXPECT_THAT(training.compiled->describe(), Not(HasSubstr("belfry::fused_linear + copy")));
  EXPECT_THAT(training.compiled->describe(), Not(HasSubstr("belfry::linear_backprop_input + copy")));
}

/// A program made for two threads would go on with two.
TEST(CompiledStep, ItsProgramsAreForAsManyThreadsAsTheCallerHas) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the sanitizer does not know OpenMP's barriers";
#endif
  const int before = at::get_num_threads();
  Momentum momentum({.learning_rate = 0.05});
  Training training({6, 8, 8, 3}, residual_net, momentum, {.adapt_threads = true});
  for (const int threads : {2, 1, 3, 2}) {
    at::set_num_threads(threads);
    training.check_steps(3, 1e-3);
    EXPECT_EQ(at::get_num_threads(), threads);
  }
  at::set_num_threads(before);
}

TEST(CompiledStep, EveryPassCanBeTurnedOff) {
  for (bool StepOptions::*option :
       {&StepOptions::canonicalize, &StepOptions::cancel_transposes, &StepOptions::fold_padding,
        &StepOptions::fuse_residuals, &StepOptions::fuse_activations, &StepOptions::fuse_batch_norm_relu,
        &StepOptions::sink_relu_gradients, &StepOptions::join_weight_gradients, &StepOptions::primitives,
        &StepOptions::schedule, &StepOptions::plan_memory}) {
    StepOptions options;
    options.*option = false;
    GradientDescent descent({.learning_rate = 0.05});
    Training({4, 8, 8, 3}, residual_net, descent, options).check_steps(4, 1e-3);
    GradientDescent other({.learning_rate = 0.05});
    Training({4, 8, 8, 1}, convnet, other, options).check_steps(4, 1e-3);
  }
}

TEST(CompiledStep, TrainsInBFloat16) {
  for (const bool residual : {false, true}) {
    Momentum momentum({.learning_rate = 0.02});
    Training training({8, 8, 8, residual ? 3 : 1}, residual ? residual_net : convnet, momentum,
                      {.compute = kBFloat16});
    training.check_steps(6, 0.05);
    EXPECT_THAT(training.compiled->describe(), HasSubstr("cast_to_bfloat16: "));
  }
}

TEST(CompiledStep, ComputesInNoOtherDType) {
  Graph graph;
  GraphScope as_default(graph);
  Session session(graph);
  EXPECT_THROW(compile_step(session, {}, {}, {.compute = kFloat64}), UsageError);
}

TEST(CompiledStep, TheOptionsCanTurnItOff) {
  GradientDescent descent({.learning_rate = 0.05});
  Training training({4, 8, 8, 1}, convnet, descent, {.compile = false});
  EXPECT_FALSE(training.compiled->is_compiled());
  EXPECT_THAT(training.compiled->describe(), HasSubstr("not compiled: the options say so"));
  const auto results = (*training.compiled)({at::rand({4, 8, 8, 1}), at::randint(10, {4}, at::kLong)});
  EXPECT_GT(results[1].item<double>(), 0);
}

TEST(CompiledStep, ANaNComesOutAndIsWrittenAsByThePlan) {
  GradientDescent descent({.learning_rate = 0.05});
  Training training({2, 8, 8, 1}, convnet, descent);
  const at::Tensor image = at::full({2, 8, 8, 1}, std::numeric_limits<float>::quiet_NaN());
  const std::vector<at::Tensor> feeds = {image, at::randint(10, {2}, at::kLong)};
  EXPECT_TRUE(std::isnan((*training.compiled)(feeds)[1].item<double>()));
  EXPECT_TRUE(training.compiled->is_compiled());
}

TEST(CompiledStep, SaysWhatItDoes) {
  Momentum momentum({.learning_rate = 0.05});
  Training training({4, 8, 8, 3}, residual_net, momentum);
  EXPECT_EQ(training.compiled->describe(), "no program yet\n");
  const std::vector<at::Tensor> feeds = {at::rand({4, 8, 8, 3}), at::randint(10, {4}, at::kLong)};
  const auto profile = training.compiled->profile(feeds);
  EXPECT_GT(profile.size(), 20u);
  const std::string text = training.compiled->describe();
  for (const char* part : {"batch_norm + relu backward", "onednn", "belfry::apply_momentum", "memory: "})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, testing::Not(HasSubstr("under autograd")));
}

TEST(CompiledStep, FusesBatchNormWithRelu6) {
  for (const int64_t channels : {3, 16, 20}) {
    Graph graph;
    GraphScope as_default(graph);
    const TowerContext tower("", {.is_training = true});
    const Tensor x = placeholder("x", {kDynamic, 5, 4, channels});
    const Variable scale = get_variable("scale", {channels}, {.initializer = constant_initializer(4)});
    const Variable shift = get_variable("shift", {channels}, {.initializer = constant_initializer(2)});
    const Tensor y = relu6(batch_norm_training(x, scale, shift).y);
    const Tensor update = GradientDescent({.learning_rate = 0.1}).minimize(mean(sin(y)));
    test::Twins twins(graph, {x}, {update, y, gradients(sum(sin(y)), {x})[0]});
    at::Tensor given = at::rand({6, 5, 4, channels}) * 3;
    twins.take_step({given}, 1e-5);
    EXPECT_THAT(twins.step->describe(), HasSubstr("batch_norm + relu backward"));
    EXPECT_THAT(twins.step->describe(), testing::Not(HasSubstr("hardtanh_backward.grad_input")));
  }
}

TEST(CompiledStep, AMeasuredStepIsAStep) {
  Momentum momentum({.learning_rate = 0.05});
  Training training({4, 8, 8, 3}, residual_net, momentum);
  const std::vector<at::Tensor> feeds = {at::rand({4, 8, 8, 3}), at::randint(10, {4}, at::kLong)};
  std::vector<at::Tensor> results;
  for (int i = 0; i < 2; ++i) {
    const double expected = training.plain(feeds)[1].item<double>();
    const auto profile = training.compiled->profile(feeds, &results);
    EXPECT_NEAR(results[1].item<double>(), expected, 1e-3 * expected);
    EXPECT_EQ(profile.back().node, "Momentum") << "writes are measured too";
  }
  training.check_steps(1, 1e-3);
}

TEST(StepCompiler, StepsShareMemory) {
  GradientDescent descent({.learning_rate = 0.05});
  Training training({4, 8, 8, 1}, convnet, descent);
  const StepCompiler compiler(training.compiled_session);
  const std::vector<Fetch> feeds = {training.image, training.label};
  const Tensor by_weight = training.graph.tensor("gradients");
  const CompiledStep takes = compiler.compile(feeds, {training.train, training.cost}),
                     looks = compiler.compile(feeds, {by_weight});
  const Callable looks_by_plan = training.plain_session.make_callable(feeds, {by_weight});
  for (int i = 0; i < 6; ++i) {
    at::manual_seed(i);
    const int64_t batch = i % 2 ? 16 : 4;  // the block grows, and all find what is theirs again
    const std::vector<at::Tensor> values = {at::rand({batch, 8, 8, 1}), at::randint(10, {batch}, at::kLong)};
    const at::Tensor gradient = looks(values)[0], expected = looks_by_plan(values)[0];
    EXPECT_NEAR(takes(values)[1].item<double>(), training.plain(values)[1].item<double>(), 1e-3);
    EXPECT_TRUE(at::allclose(gradient, expected, 1e-3, 1e-4));
  }
  EXPECT_TRUE(takes.is_compiled() && looks.is_compiled());
}

TEST(CompiledStep, AVariableWithoutAValueIsAnError) {
  Graph graph;
  GraphScope as_default(graph);
  const Variable w = get_variable("w", {});
  const Tensor loss = square(w.tensor());
  GradientDescent descent({.learning_rate = 0.1});
  const Tensor update = descent.minimize(loss);
  Session session(graph);
  const CompiledStep step = compile_step(session, {}, {update, loss});
  EXPECT_THROW(step({}), UsageError);
  session.initialize_variables();
  session.set_value(w, at::full({}, 2.0f));
  EXPECT_EQ(step({})[1].item<float>(), 4);
  EXPECT_FLOAT_EQ(session.value(w).item<float>(), 1.6f);
  EXPECT_TRUE(step.is_compiled());
}

TEST(CompiledStep, WhatHasNoRuleRunsUnderAutograd) {
  Graph graph;
  GraphScope as_default(graph);
  const Variable w = get_variable("w", {4, 4});
  const Tensor x = placeholder("x", {4, 4});
  const Tensor loss = sum(call("aten::logcumsumexp", {matmul(x, w.tensor())}, {{"dim", 0}}) * 0.1);
  const Tensor by_w = gradients(loss, {w})[0];
  Session session(graph);
  session.initialize_variables();
  const CompiledStep step = compile_step(session, {x}, {loss, by_w});
  const at::Tensor value = at::rand({4, 4});
  const auto results = step({value});
  const auto expected = session.run({loss, by_w}, {{x, value}});
  EXPECT_TRUE(step.is_compiled());
  EXPECT_THAT(step.describe(), HasSubstr("logcumsumexp under autograd"));
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(at::allclose(results[i], expected[i], 1e-5, 1e-6));
}

/// A cell whose state a step leaves to the next, as in a language model: `reads` of what came before.
class StatefulCell {
 public:
  using Read = std::function<Tensor(const Variable& state, const Tensor& output)>;

  explicit StatefulCell(const Read& read_after_the_update) {
    graph_.set_seed(3);
    const GraphScope as_default(graph_);
    const Tensor x = placeholder("x", {kDynamic, 6});
    const Variable w = get_variable("w", {6, 5}), state = get_variable("state", {5}, {.trainable = false});
    const Tensor output = tanh(matmul(x, w) + state.tensor() * 0.5);
    const Tensor update = assign(state, mean(output, {0}));
    Tensor cost;
    {
      const ControlDependencies after({update});
      cost = mean(square(read_after_the_update(state, output) - 0.3));
    }
    Adam adam({.learning_rate = 0.1});
    twins_.emplace(graph_, std::vector{x}, std::vector{group({adam.minimize(cost)}), cost});
    for (int i = 0; i < 6; ++i) twins_->take_step({at::rand({i == 5 ? 3 : 4, 6})}, 1e-5);
    twins_->expect_same_variables(1e-5);
  }

  const CompiledStep& step() const { return *twins_->step; }

 private:
  Graph graph_;
  std::optional<test::Twins> twins_;
};

TEST(CompiledStep, ACostMayComeAfterWritesOfWhatItDoesNotRead) {
  const StatefulCell cell([](const Variable&, const Tensor& output) { return output * 2.0; });
  EXPECT_TRUE(cell.step().is_compiled()) << cell.step().describe();
}

TEST(CompiledStep, ACostThatReadsWhatWasWrittenIsThePlans) {
  for (const StatefulCell::Read& read :
       {StatefulCell::Read([](const Variable&state, const Tensor&output) { return output + state.tensor(); }),
        StatefulCell::Read([](const Variable&state, const Tensor&output) {
          return output + reshape(expand_dims(state.tensor(), 0), {5});
        }),
        StatefulCell::Read([](const Variable&state, const Tensor&output) {
          return output + identity(identity(state.tensor()));
        })}) {
    const StatefulCell cell(read);
    EXPECT_FALSE(cell.step().is_compiled()) << cell.step().describe();
  }
}

/// In the plan's order the other write comes first, though nothing says so.
TEST(CompiledStep, ACostBehindOneWriteSeesTheOthersBeforeIt) {
  Graph graph;
  const GraphScope as_default(graph);
  const auto ones_of = [](const char* name) {
    return get_variable(name, {2}, {.initializer = ones_initializer(), .trainable = false});
  };
  const Variable counter = ones_of("counter"), state = ones_of("state"), w = ones_of("w");
  const Tensor first = assign_add(counter, ones({2})),
               second = assign(state, constant(std::vector{5.0, 5.0}));
  Tensor cost;
  {
    const ControlDependencies after({first});
    cost = sum(w.tensor() * state.tensor());
  }
  const std::vector<Fetch> fetches = {cost, gradients(cost, {w})[0] * 1.0, second};
  Session planned(graph), compiled(graph);
  for (Session* session : {&planned, &compiled}) session->initialize_variables();
  const auto expected = planned.make_callable({}, fetches)({}),
             results = compile_step(compiled, {}, fetches)({});
  for (size_t i = 0; i < fetches.size(); ++i) EXPECT_TRUE(results[i].equal(expected[i])) << i << results[i];
}

/// Its gradient is a sum over products by matrices of different heights.
TEST(CompiledStep, TrainsABiasThatTwoMatricesShare) {
  Graph graph;
  const GraphScope as_default(graph);
  const Tensor x = placeholder("x", {1, 8}), y = placeholder("y", {1, 32});
  const Variable v = get_variable("v", {8, 16}, {.trainable = false}),
                 w = get_variable("w", {32, 16}, {.trainable = false}), bias = get_variable("bias", {16});
  const auto layer = [&](const Tensor& input, const Variable& weights) {
    return tanh(
        call("aten::addmm", {bias.tensor(), input, weights.tensor()}, {{"beta", 1.0}, {"alpha", 1.0}}));
  };
  GradientDescent descent({.learning_rate = 0.1});
  const Tensor cost = sum(layer(x, v) * layer(y, w));
  test::Twins twins(graph, {x, y}, {descent.minimize(cost), cost});
  for (int i = 0; i < 3; ++i) twins.take_step({at::rand({1, 8}), at::rand({1, 32})}, 1e-5);
  twins.expect_compiled();
  twins.expect_same_variables(1e-5);
}

TEST(CompiledStep, TrainsBehindABatchNormThatUpdatesItself) {
  Momentum momentum({.learning_rate = 0.05});
  const auto net = [](const Tensor& image) {
    Tensor x = image;
    for (const char* name : {"a", "b"})
      x = BatchNorm(std::string("bn") + name,
                    Conv2D(std::string("conv") + name, x, {.filters = 8, .kernel = 3}),
                    {.ema_update = EmaUpdate::kInternal}) |
          relu;
    return x | GlobalAvgPooling("gap") | FullyConnected("linear", {.units = 10});
  };
  Training({6, 8, 8, 3}, net, momentum).check_steps(6, 1e-3);
}

/// In a step of known shapes they are known, noise of such a shape included.
TEST(CompiledStep, TrainsThroughShapesThatARunComputes) {
  Graph graph;
  graph.set_seed(7);
  const GraphScope as_default(graph);
  const Tensor x = placeholder("x", {kDynamic, kDynamic, 4});
  const auto sizes = unstack(shape(x));
  const Tensor rows = tanh(reshape(x, {-1, 4}) | FullyConnected("fc0", {.units = 6}));
  const Tensor units = constant(6), half = floor_div(sizes[1], 2);
  Tensor y = reshape(rows, RunTimeShape(stack({sizes[0], sizes[1], units}), {kDynamic, kDynamic, 6}));
  y = y + random_uniform(shape(y), -0.5, 0.5) + random_normal(stack({sizes[1], units}), 0, 0.1);
  const Tensor first = slice(y, zeros_like(shape(y)), stack({sizes[0], half, units}));
  const Tensor padded =
      pad(first,
          reshape(stack({half - half, half - half, constant(0), sizes[1] - half, constant(0), constant(0)}),
                  {3, 2}));
  const Tensor cost = mean(square(y * padded + fill(shape(y), 0.25)));
  GradientDescent descent({.learning_rate = 0.1});
  test::Twins twins(graph, {x}, {descent.minimize(cost), cost});
  for (const Shape& shape : {Shape{3, 5, 4}, Shape{2, 8, 4}, Shape{3, 5, 4}})
    twins.take_step({at::rand(shape)}, 1e-5);
  twins.expect_compiled();
  twins.expect_same_variables(1e-5);
}

TEST(CompiledStep, GradientsAfterAWriteAreThePlans) {
  Graph graph;
  GraphScope as_default(graph);
  const Variable w = get_variable("w", {});
  const Tensor first = GradientDescent({.learning_rate = 0.1}).minimize(square(w.tensor()));
  ControlDependencies after({first});
  const Tensor loss = square(identity(w.tensor()) + 1.0);
  const Tensor by_w = gradients(loss, {w})[0] * 1.0;
  Session session(graph);
  session.initialize_variables();
  session.set_value(w, at::full({}, 2.0f));
  const CompiledStep step = compile_step(session, {}, {by_w});
  EXPECT_FLOAT_EQ(step({})[0].item<float>(), 5.2f);
  EXPECT_FALSE(step.is_compiled());
  EXPECT_THAT(step.describe(), HasSubstr("comes after a write"));
}

TEST(CompiledStep, SecondDerivatives) {
  Graph graph;
  GraphScope as_default(graph);
  const Variable w = get_variable("w", {3});
  const Tensor loss = sum(exp(w.tensor()) * w.tensor());
  const Tensor first = gradients(loss, {w})[0];
  const Tensor second = gradients(sum(square(first)), {w})[0];
  Session session(graph);
  session.initialize_variables();
  session.set_value(w, at::rand({3}));
  const CompiledStep step = compile_step(session, {}, {first, second});
  const auto results = step({}), expected = session.run({first, second});
  EXPECT_TRUE(step.is_compiled()) << step.describe();
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(at::allclose(results[i], expected[i], 1e-5, 1e-6));
}

TEST(CompiledStep, FeedsAndVariablesCanBeFetched) {
  Graph graph;
  GraphScope as_default(graph);
  const Variable w = get_variable("w", {});
  const Tensor x = placeholder("x", {});
  const Tensor update = GradientDescent({.learning_rate = 0.5}).minimize(w.tensor() * x);
  Session session(graph);
  session.initialize_variables();
  session.set_value(w, at::full({}, 3.0f));
  const CompiledStep step = compile_step(session, {x}, {x, w, update});
  const auto results = step({at::full({}, 2.0f)});
  ASSERT_TRUE(step.is_compiled()) << step.describe();
  EXPECT_EQ(results[0].item<float>(), 2);
  EXPECT_EQ(results[1].item<float>(), 2);  // after the update, as everything that is fetched
  step({at::full({}, 2.0f)});
  EXPECT_EQ(results[1].item<float>(), 2) << "results are copies";
  EXPECT_EQ(session.value(w).item<float>(), 1);
}

}  // namespace
}  // namespace belfry
