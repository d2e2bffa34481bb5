#include "belfry/graph/run_if.h"

#include <ATen/ops/scalar_tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using testing::HasSubstr;

class RunIfTest : public testing::Test {
 protected:
  Variable variable(const std::string& name) {
    return get_variable(name, {}, {.initializer = constant_initializer(5), .trainable = false});
  }
  float run(const Tensor& fetch, std::initializer_list<bool> conditions) {
    Feeds feeds;
    const char* names[] = {"a", "b"};
    size_t i = 0;
    for (const bool condition : conditions)
      feeds.emplace_back(names[i++], at::scalar_tensor(condition, at::kBool));
    session.initialize_variables();
    return session.run(fetch, feeds).item<float>();
  }

  Graph graph;
  GraphScope as_default{graph};
  Tensor a = placeholder("a", {}, kBool), b = placeholder("b", {}, kBool);
  Session session{graph};
};

TEST_F(RunIfTest, AWriteRunsWhereTheConditionHolds) {
  const Variable v = variable("v");
  const Tensor written = [&] {
    const RunIf guard(a);
    return assign_add(v, constant(2.0));
  }();
  EXPECT_EQ(run(written, {false}), 5);
  EXPECT_EQ(session.value(v).item<float>(), 5);
  EXPECT_EQ(run(written, {true}), 7);
  EXPECT_EQ(session.value(v).item<float>(), 7);
}

TEST_F(RunIfTest, WhatIsComputedUnderTheGuardIsReadUnderIt) {
  const Variable v = variable("v");
  const Tensor written = [&] {
    const RunIf guard(a);
    return assign(v, v * 3.0 + 1.0);
  }();
  const Tensor doubled = written * 2.0;
  EXPECT_EQ(run(doubled, {false}), 10);
  EXPECT_EQ(run(doubled, {true}), 32);
}

TEST_F(RunIfTest, GuardsNest) {
  const Variable v = variable("v");
  const Tensor written = [&] {
    const RunIf outer(a);
    const RunIf inner(logical_not(b));
    return assign_add(v, constant(1.0));
  }();
  EXPECT_EQ(run(written, {true, true}), 5);
  EXPECT_EQ(run(written, {false, false}), 5);
  EXPECT_EQ(run(written, {true, false}), 6);
}

TEST_F(RunIfTest, AValueThatMayBeMissingIsRefused) {
  const Tensor computed = [&] {
    const RunIf guard(a);
    return constant(1.0) + 1.0;
  }();
  EXPECT_THAT(test::message_of<UsageError>([&] {
                session.run(computed * 2.0, {{a, at::scalar_tensor(true)}});
              }),
              HasSubstr("under the same condition 'run_if'"));
  EXPECT_THROW(session.run(computed, {{a, at::scalar_tensor(true)}}), UsageError);
}

TEST_F(RunIfTest, AConditionIsABoolWithoutDimensions) {
  EXPECT_THROW(RunIf{Tensor()}, UsageError);
  EXPECT_THROW(RunIf{constant(1.0)}, UsageError);
  EXPECT_THROW(RunIf{constant({true, false})}, UsageError);
}

}  // namespace
}  // namespace belfry
