// What goes wrong in a compiled step goes wrong as by the plan: the same error, nothing written, and the next
// step as if there had been none.

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/optim/gradient_processor.h"
#include "belfry/optim/momentum.h"
#include "tests/step/twins.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::message_of;
using testing::HasSubstr;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kRounding = 1e-3;

class StepErrors : public testing::Test {
 protected:
  void build(GradientProcessors processors = {}) {
    graph.set_seed(3);
    TowerContext tower("", {.is_training = true});
    image = placeholder("image", {kDynamic, 8, 8, 1});
    label = placeholder("label", {kDynamic}, kInt64);
    const Tensor logits = image | Conv2D("conv0", {.filters = 8, .kernel = 3, .activation = relu}) |
                          BatchNorm("bn") | MaxPooling("pool", {.pool = 2}) | Dropout("drop", {.rate = 0.5}) |
                          FullyConnected("fc", {.units = 10});
    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label), "cost");
    auto optimizer = apply_grad_processors(std::make_unique<Momentum>(MomentumOptions{.learning_rate = 0.01}),
                                           std::move(processors));
    std::vector<Tensor> work = {optimizer->minimize(cost)};
    for (const Tensor& update : graph.collection(kUpdateOps)) work.push_back(update);
    twins.emplace(graph, std::vector{image, label}, std::vector{group(work), cost});
    for (int i = 0; i < 2; ++i) twins->take_step(good(), kRounding);
  }

  std::vector<at::Tensor> good() { return {at::rand({4, 8, 8, 1}), at::randint(10, {4}, at::kLong)}; }

  /// Both fail alike, and go on alike.
  template <typename Kind>
  void expect_same_error(const std::vector<at::Tensor>& feeds, const std::string& part) {
    const std::string expected = message_of<Kind>([&] { twins->by_plan(feeds); });
    EXPECT_THAT(expected, HasSubstr(part));
    EXPECT_EQ(message_of<Kind>([&] { (*twins->step)(feeds); }), expected);
    twins->expect_compiled();
    twins->expect_same_variables(kRounding);
    twins->take_step(good(), kRounding);
    twins->expect_same_variables(kRounding);
  }

  /// Makes variables finite again afterwards, as NaN would hide what comes.
  void expect_same_step(const std::vector<at::Tensor>& feeds) {
    twins->take_step(feeds, kRounding);
    twins->expect_same_variables(kRounding);
    twins->expect_compiled();
    for (const auto& record : graph.variables()) {
      const Variable variable(record.get());
      const at::Tensor value = twins->planned.value(variable);
      if (value.is_floating_point())
        twins->planned.set_value(variable, value.nan_to_num(0.1, 0.1, 0.1).clamp(-1, 1));
    }
    twins->copy_variables();
  }

  Graph graph;
  GraphScope as_default{graph};
  Tensor image, label;
  std::optional<test::Twins> twins;
};

TEST_F(StepErrors, ALabelOutOfRangeIsTheDatas) {
  build();
  expect_same_error<DataError>({at::rand({4, 8, 8, 1}), at::full({4}, 10, at::kLong)},
                               "sparse_softmax_cross_entropy");
}

/// Wherever an assertion stands in the run: `how` gives the cost and what is fetched besides.
void expect_assertion_runs(const std::function<std::pair<Tensor, Tensor>(const Tensor& x, const Tensor& cost,
                                                                         const Variable& state)>& how) {
  Graph graph;
  const GraphScope as_default(graph);
  const Tensor x = placeholder("x", {kDynamic});
  const Variable w = get_variable("w", {2}),
                 state = get_variable("state", {}, {.initializer = zeros_initializer(), .trainable = false});
  const auto [cost, besides] = how(x, sum(square(w.tensor() - x)), state);
  GradientDescent descent({.learning_rate = 0.1});
  test::Twins twins(graph, {x}, {group({descent.minimize(cost), besides}), cost});
  for (int i = 0; i < 2; ++i) twins.take_step({at::ones({2})}, kRounding);
  const std::vector<at::Tensor> bad = {at::full({2}, 100.f)};
  const std::string expected = message_of<UsageError>([&] { twins.by_plan(bad); });
  EXPECT_THAT(expected, HasSubstr("too big"));
  EXPECT_EQ(message_of<UsageError>([&] { (*twins.step)(bad); }), expected);
  twins.expect_compiled();
  twins.expect_same_variables(kRounding);
  twins.take_step({at::ones({2})}, kRounding);
  twins.expect_same_variables(kRounding);
}

TEST_F(StepErrors, AssertionsRunWhereverTheyStand) {
  const auto small = [](const Tensor& x) { return assert_true(less(sum(x), 10.0), "too big"); };
  expect_assertion_runs([&](const Tensor& x, const Tensor& cost, const Variable&) {
    const ControlDependencies after({small(x)});
    return std::pair(cost * 1.0, no_op());
  });
  expect_assertion_runs(
      [&](const Tensor& x, const Tensor& cost, const Variable&) { return std::pair(cost, small(x)); });
  expect_assertion_runs([&](const Tensor& x, const Tensor& cost, const Variable&) {
    return std::pair(cost, group({group({small(x)})}));
  });
  expect_assertion_runs([&](const Tensor& x, const Tensor& cost, const Variable& state) {
    const ControlDependencies after({assign_add(state, ones({})), small(x)});
    return std::pair(cost * 1.0, no_op());
  });
  expect_assertion_runs([&](const Tensor& x, const Tensor& cost, const Variable& state) {
    const ControlDependencies after({assign_add(state, ones({}))});
    return std::pair(cost, small(x));
  });
}

/// One that reads what was written runs behind the write.
TEST_F(StepErrors, AssertionsOfWhatWasWrittenRunToo) {
  Graph of_state;
  const GraphScope as_default_here(of_state);
  const Tensor x = placeholder("x", {2});
  const Variable w = get_variable("w", {2}), state = get_variable("state", {}, {.trainable = false});
  GradientDescent descent({.learning_rate = 0.1});
  const Tensor train = descent.minimize(sum(square(w.tensor() - x)));
  const Tensor written = assign(state, sum(x)), checked = assert_true(less(written, 10.0), "too big");
  Session session(of_state);
  session.initialize_variables();
  const CompiledStep step = compile_step(session, {x}, {train, checked});
  step({at::ones({2})});
  EXPECT_TRUE(step.is_compiled()) << step.describe();
  EXPECT_THROW(step({at::full({2}, 100.f)}), UsageError);
}

TEST_F(StepErrors, NothingIsWrittenByAStepThatFails) {
  build();
  std::vector<at::Tensor> before;
  for (const auto& record : graph.variables())
    before.push_back(twins->compiled.value(Variable(record.get())));
  EXPECT_THROW((*twins->step)({at::rand({4, 8, 8, 1}), at::full({4}, -1, at::kLong)}), DataError);
  for (size_t i = 0; i < before.size(); ++i) {
    const Variable variable(graph.variables()[i].get());
    EXPECT_TRUE(twins->compiled.value(variable).equal(before[i])) << variable.name();
  }
}

TEST_F(StepErrors, FeedsThatDoNotFitAreTheCallers) {
  build();
  expect_same_error<UsageError>({at::rand({4, 8, 9, 1}), at::full({4}, 1, at::kLong)}, "image");
  expect_same_error<UsageError>({at::rand({4, 8, 8, 1})}, "expected 2 values");
}

TEST_F(StepErrors, AGradientThatIsCheckedNamesItsVariable) {
  build({std::make_shared<CheckGradient>()});
  expect_same_error<Error>({at::full({4, 8, 8, 1}, kNaN), at::full({4}, 1, at::kLong)}, "conv0/W");
}

TEST_F(StepErrors, NumbersThatAreNotOrdinaryComeOutAndAreWrittenAsByThePlan) {
  build();
  for (const float number : {kNaN, kInfinity, -kInfinity}) {
    SCOPED_TRACE(number);
    const at::Tensor some = at::rand({4, 8, 8, 1});
    some[1][2][3][0] = number;
    expect_same_step({some, at::randint(10, {4}, at::kLong)});
    expect_same_step(good());
  }
}

TEST_F(StepErrors, SuchNumbersInWeightsDoToo) {
  build();
  for (const char* name : {"conv0/W", "bn/gamma", "fc/W", "bn/variance/EMA"}) {
    for (const float number : {kNaN, kInfinity, -kInfinity}) {
      SCOPED_TRACE(fmt::format("{} in {}", number, name));
      const Variable variable(graph.find_variable(name));
      const at::Tensor wrong = twins->planned.value(variable);
      wrong.view({-1})[1] = number;
      twins->planned.set_value(variable, wrong);
      twins->copy_variables();
      expect_same_step(good());
    }
  }
}

/// What the log says of three runs of a step with `x`, after one with ones.
class NamesWhatIsNotFinite : public testing::Test {
 protected:
  NamesWhatIsNotFinite() {
    x = placeholder("x", {4, 3});
    w = get_variable("w", {3}, {.initializer = ones_initializer()});
    Tensor root;
    {
      const NameScope scope("middle");
      root = sqrt(x * w.tensor(), "root");
    }
    const Tensor cost = mean(square(root), "cost");
    twins.emplace(graph, std::vector{x},
                  std::vector{GradientDescent({.learning_rate = 0.1}).minimize(cost), cost});
    twins->take_step({at::ones({4, 3})}, kRounding);
  }

  std::string log_of(const at::Tensor& value) {
    const test::LogLines log;
    for (int i = 0; i < 3; ++i) (*twins->step)({value});
    twins->expect_compiled();
    return log.text();
  }

  Graph graph;
  GraphScope as_default{graph};
  Tensor x;
  Variable w;
  std::optional<test::Twins> twins;
};

TEST_F(NamesWhatIsNotFinite, TheNodeThatItComesOf) {
  at::Tensor value = at::ones({4, 3});
  value[2][1] = -1;
  const std::string log = log_of(value);
  EXPECT_THAT(log,
              HasSubstr("[step] run 2 gives a scalar that is not finite: NaN comes first of 'middle/root' "
                        "(aten::sqrt.out)"));
  EXPECT_EQ(log.find("[step]"), log.rfind("[step]")) << "said once:\n" << log;
}

TEST_F(NamesWhatIsNotFinite, TheFeed) {
  EXPECT_THAT(log_of(at::full({4, 3}, kInfinity)), HasSubstr("an infinity is in what is fed to 'x'"));
}

TEST_F(NamesWhatIsNotFinite, TheVariable) {
  twins->compiled.set_value(w, at::full({3}, kNaN));
  EXPECT_THAT(log_of(at::ones({4, 3})), HasSubstr("NaN is in the variable 'w'"));
}

TEST_F(NamesWhatIsNotFinite, NothingWhereNumbersAreNotChecked) {
  twins->step =
      compile_step(twins->compiled, {x}, {graph.tensor("cost"), gradients(graph.tensor("cost"), {w})[0]},
                   {.check_numbers = false});
  EXPECT_EQ(log_of(at::full({4, 3}, kInfinity)), "");
}

TEST_F(StepErrors, WhereANaNIsLostTheFirstThatWasMadeIsNamed) {
  build();
  const test::LogLines log;
  const at::Tensor image = at::rand({4, 8, 8, 1});
  image[0][0][0][0] = kNaN;
  twins->take_step({image, at::full({4}, 1, at::kLong)}, kRounding);
  EXPECT_THAT(log.text(), HasSubstr("[step] run 3 met NaN, or numbers that give NaN, and the plan did it"));
  EXPECT_THAT(log.text(), HasSubstr("NaN is in what is fed to 'image'"));
}

TEST_F(StepErrors, AHeadThatFailsWhereThePlanDoesNotIsThePlansFromThenOn) {
  const test::LogLines log;
  TowerContext tower("", {.is_training = true});
  const Tensor x = placeholder("x", {4, 5, 5, 3});
  const Tensor y = FullyConnected("fc", BatchNorm("bn", x * 2), {.units = 1});
  const Tensor by_x =
      gradients(sum(square(y)), {x})[0];  // autograd has no derivative of some kernels' gradient
  const Tensor loss = sum(square(by_x));
  const Tensor train = Momentum({.learning_rate = 0.1}).minimize(loss);
  test::Twins steps(graph, {x}, {train, loss});
  for (int i = 0; i < 2; ++i) {
    steps.take_step({at::rand({4, 5, 5, 3})}, kRounding);
    steps.expect_same_variables(kRounding);
  }
  if (!steps.step->is_compiled()) {
    EXPECT_THAT(log.text(), HasSubstr("[step] this step runs uncompiled: "));
    EXPECT_THAT(steps.step->describe(), HasSubstr("not compiled: "));
  }
}

}  // namespace
}  // namespace belfry
