// What a run promises about the order of its work and about who owns memory.

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/array.h"
#include "belfry/ops/initializers.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/random.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"

namespace belfry {
namespace {

using test::close;
using test::kSameFormula;
using testing::AllOf;
using testing::HasSubstr;

class PlanTest : public testing::Test {
 protected:
  static Variable variable(const std::string& name, double value, const Shape& shape = {}) {
    return get_variable(name, shape, {.initializer = constant_initializer(value)});
  }
  Session& started() {
    session.initialize_variables();
    return session;
  }
  float value(const Variable& v) { return session.value(v).item<float>(); }

  Graph graph;
  GraphScope as_default{graph};
  Session session{graph};
};

// Two players: the discriminator d scores what the generator g makes, d_loss = d^2 g^2 and g_loss = -d^2 g.
class TwoPlayers : public PlanTest {
 protected:
  Tensor d_min() { return assign_sub(d, gradients(square(d) * square(g), {d})[0]); }  // d -= 2 d g^2
  Tensor g_min() { return assign_sub(g, gradients(-square(d) * g, {g})[0]); }         // g += d^2
  void check_simultaneous(const Tensor& step) {
    started().run(step);
    EXPECT_EQ(value(d), 3 - 2 * 3 * 4);
    EXPECT_EQ(value(g), 2 + 9);
  }

  Variable d = variable("d", 3), g = variable("g", 2);
};

TEST_F(TwoPlayers, EachSeesTheOtherAsItWasBeforeTheStep) {
  const Tensor first = d_min();
  check_simultaneous(group({first, g_min()}));
}

TEST_F(TwoPlayers, TheOrderOfBuildingDoesNotMatter) {
  const Tensor first = g_min();
  check_simultaneous(group({first, d_min()}));
}

TEST_F(TwoPlayers, GradientsOrderedAfterAWriteAreThoseOfTheValuesTheLossRead) {
  const Tensor g_loss = -square(d) * g;
  const Tensor d_step = d_min();
  ControlDependencies after({d_step});
  check_simultaneous(assign_sub(g, gradients(g_loss, {g})[0]));
}

TEST_F(TwoPlayers, ALossBuiltAfterAWriteReadsTheNewValue) {
  const Tensor d_step = d_min();
  ControlDependencies after({d_step});
  started().run(g_min());
  EXPECT_EQ(value(d), -21);
  EXPECT_EQ(value(g), 2 + 21 * 21);
}

TEST_F(TwoPlayers, AVariableMayBeTrainedTwiceInOneRun) {
  const Tensor first = d_min();
  ControlDependencies after({first});
  started().run(d_min());
  EXPECT_EQ(value(d), -21 + 2 * 21 * 4);
}

TEST_F(TwoPlayers, ALossThatReadsAVariableBeforeAndAfterAWriteHasNoGradientByIt) {
  const Tensor before = square(d);
  ControlDependencies after({assign_add(d, constant(1.0))});
  const Tensor gradient = gradients(before + square(d), {d})[0];
  EXPECT_THROW(started().run(gradient), UsageError);
}

TEST_F(PlanTest, AReadWithoutAnOrderComesBeforeTheWrite) {
  const Variable v = variable("v", 1);
  const Tensor update = assign_add(v, constant(1.0)), read = v * 10.0;
  EXPECT_EQ(started().run({update, read})[1].item<float>(), 10);
}

TEST_F(PlanTest, AControlDependencyRunsEvenWhenItsTensorIsFed) {
  const Variable v = variable("v", 1);
  const Tensor update = assign_add(v, constant(1.0));
  ControlDependencies after({update});
  const Tensor read = v * 10.0;
  EXPECT_EQ(started().run(read, {{update, at::ones({})}}).item<float>(), 20);
}

TEST_F(PlanTest, FetchedConstantsAreCopies) {
  const at::Tensor given = at::ones({4});
  const Tensor c = constant(given, "c"), view = reshape(c, {2, 2});
  const Tensor optional = placeholder_with_default(c, {4}, "optional");
  for (const Tensor& fetch : {c, view, optional}) session.run(fetch).add_(1);
  EXPECT_TRUE(at::equal(session.run(c), at::ones({4})));
}

TEST_F(PlanTest, AFetchedVariableIsACopy) {
  const Variable v = variable("v", 1);
  const at::Tensor before = started().run(v);
  session.set_value(v, at::full({}, 5.0f));
  EXPECT_EQ(before.item<float>(), 1);
}

TEST_F(PlanTest, AnInitializerKeepsItsOwnCopyOfAValue) {
  at::Tensor given = at::ones({2});
  const Variable v = get_variable("v", {2}, {.initializer = constant_initializer(given)});
  given.zero_();
  EXPECT_TRUE(at::equal(started().value(v), at::ones({2})));
}

TEST_F(PlanTest, AFeedOfAVariableThatTheRunWritesIsAnError) {
  const Variable v = variable("v", 1);
  const Tensor update = assign_add(v, constant(1.0), "count");
  try {
    started().run(update, {{v, at::zeros({})}});
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("'v:0'"), HasSubstr("'count'")));
  }
}

TEST_F(PlanTest, FeedingTwiceIsAnError) {
  const Tensor x = placeholder("x", {});
  EXPECT_THROW(session.run(x * 2.0, {{x, at::ones({})}, {"x:0", at::ones({})}}), UsageError);
}

TEST_F(PlanTest, ACallableOutlivesItsSession) {
  const Variable v = variable("v", 3);
  Callable run;
  {
    Session short_lived(graph);
    short_lived.initialize_variables();
    run = short_lived.make_callable({}, {v * 2.0});
  }
  EXPECT_EQ(run()[0].item<float>(), 6);
}

TEST_F(PlanTest, ValuesMayBeSetWhileRunsReadThem) {
  const Variable v = variable("v", 1, {64});
  const Callable read = session.make_callable({}, {v + 0.0});
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 500; ++i) session.set_value(v, at::full({64}, static_cast<float>(i % 2)));
    done = true;
  });
  int wrong = 0;
  while (!done) {
    if (!session.is_initialized(v)) continue;
    const at::Tensor value = read()[0];
    wrong += !at::equal(value.square(), value);  // all elements are 0 or 1
  }
  writer.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(PlanTest, TensorsMayBeNamedInARunWhileTheGraphGrows) {
  const Tensor x = placeholder("x", {});
  (void)(x * 2.0);
  std::atomic<bool> done = false;
  std::thread runner([&] {
    while (!done) session.run("mul", {{"x", at::ones({})}});
  });
  Tensor y = x;
  for (int i = 0; i < 500; ++i) y = identity(y, "another");
  done = true;
  runner.join();
  EXPECT_EQ(session.run(y.name(), {{"x", at::ones({})}}).item<float>(), 1);
}

TEST_F(PlanTest, NodesUnderASeedScopeDrawDifferentNumbersAndRepeatThem) {
  SeedScope seed(5);
  const Tensor a = random_uniform({8}, 0, 1), b = random_uniform({8}, 0, 1);
  const auto first = session.run({a, b});
  EXPECT_FALSE(at::equal(first[0], first[1]));
  EXPECT_TRUE(at::equal(Session(graph).run(a), first[0]));
}

TEST_F(PlanTest, NodesOfOneExplicitSeedDrawTheSameNumbers) {
  const Tensor a = random_uniform({8}, 0, 1, {.seed = 5}), b = random_uniform({8}, 0, 1, {.seed = 5});
  const auto values = session.run({a, b});
  EXPECT_TRUE(at::equal(values[0], values[1]));
}

TEST_F(PlanTest, AnErrorOfAKernelShowsTheShapesGiven) {
  const Tensor a = placeholder("a", {kDynamic}), b = placeholder("b", {kDynamic});
  const Tensor both = concat({reshape(a, {-1, 2}), reshape(b, {-1, 3})}, 1);
  try {
    session.run(both, {{a, at::ones({4})}, {b, at::ones({9})}});
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("[aten::cat concat]"), HasSubstr("[2, 2]"), HasSubstr("[3, 3]")));
  }
}

TEST_F(PlanTest, AnAllocationThatFailsNamesTheNodeAndTheBytes) {
  const Tensor x = placeholder("x", {kDynamic});
  const Tensor huge = broadcast_to(reshape(x, {-1, 1}), {-1, int64_t{1} << 60}) + 1.0;
  try {
    session.run(huge, {{x, at::ones({1})}});
    FAIL();
  } catch (const OutOfMemoryError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("[aten::add"), HasSubstr(std::to_string(int64_t{1} << 62))));
  }
}

}  // namespace
}  // namespace belfry
