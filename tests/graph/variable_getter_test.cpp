#include "belfry/graph/variable_getter.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"

namespace belfry {
namespace {

using test::close;
using test::kSameFormula;
using testing::ElementsAre;

std::vector<std::string> names(const std::vector<Variable>& variables) {
  std::vector<std::string> result;
  for (const Variable& variable : variables) result.push_back(variable.name());
  return result;
}

class VariableGetter : public testing::Test {
 protected:
  Variable variable(const std::string& name, double value = 3) {
    return get_variable(name, {2}, {.initializer = constant_initializer(value)});
  }
  at::Tensor run(const Tensor& tensor) {
    Session session(graph);
    session.initialize_variables();
    return session.run(tensor);
  }
  static at::Tensor two(double value) { return at::full({2}, value, at::kFloat); }

  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(VariableGetter, RemapsEveryReadBelowAndNothingElse) {
  Variable seen;
  {
    const RemapVariables doubled([](const Variable& v) { return v * 2; });
    seen = variable("w");
  }
  const VariableScope reuse("", {.reuse = Reuse::kReuse});
  EXPECT_TRUE(close(run(seen), two(6), kSameFormula));
  EXPECT_TRUE(close(run(variable("w")), two(3), kSameFormula));
  EXPECT_TRUE(close(run(seen.tensor()), two(3), kSameFormula));
  EXPECT_EQ(seen, variable("w"));
  EXPECT_EQ(seen.name(), "w");
}

TEST_F(VariableGetter, RemapsTheWeightsOfLayersWhoseVariablesAreTrained) {
  const TowerContext tower("", {.is_training = true});
  const Tensor x = constant(at::ones({1, 3}));
  Tensor y;
  {
    const RemapVariables quantized([](const Variable& v) -> Tensor {
      return v.name().ends_with("W") ? custom_gradient(sign(v), v, [](const Tensor& dy) { return dy; }) : v;
    });
    y = FullyConnected("fc", x, {.units = 2, .kernel_initializer = constant_initializer(0.25)});
  }
  EXPECT_THAT(names(trainable_variables()), ElementsAre("fc/W", "fc/b"));
  EXPECT_TRUE(close(run(reshape(y, {2})), two(3), kSameFormula));
  EXPECT_TRUE(close(run(gradients(sum(y), {trainable_variables()[0]})[0]), at::ones({3, 2}), kSameFormula));
}

TEST_F(VariableGetter, TheInnerOneSeesWhatTheOuterOneMakes) {
  const RemapVariables outer([](const Variable& v) { return v + 1; });
  const RemapVariables inner([](const Variable& v) { return v * 2; });
  EXPECT_TRUE(close(run(variable("w")), two(8), kSameFormula));
}

TEST_F(VariableGetter, AGetterMayGetVariablesOfItsOwn) {
  const RemapVariables scaled([](const Variable& v) -> Tensor {
    const VariableScope at_root("scale", {.reuse = Reuse::kAuto});
    return v * get_variable("s", {}, {.initializer = constant_initializer(5)});
  });
  EXPECT_TRUE(close(run(variable("w")), two(15), kSameFormula));
}

TEST_F(VariableGetter, AGetterMayChangeTheRequest) {
  const CustomGetterScope halves([](const belfry::VariableGetter& getter, const VariableRequest& request) {
    VariableRequest other = request;
    other.options.initializer = constant_initializer(0.5);
    return getter(other);
  });
  EXPECT_TRUE(close(run(variable("w")), two(0.5), kSameFormula));
}

TEST_F(VariableGetter, WritesReachTheVariableItself) {
  Variable seen;
  {
    const RemapVariables doubled([](const Variable& v) { return v * 2; });
    seen = variable("w");
  }
  Session session(graph);
  session.initialize_variables();
  session.run(assign_add(seen, constant(1.0)));
  EXPECT_TRUE(close(session.value(seen), two(4), kSameFormula));
}

TEST_F(VariableGetter, RemappedMovingAveragesAreUpdated) {
  const TowerContext tower("", {.is_training = true});
  const RemapVariables same([](const Variable& v) { return identity(v); });
  BatchNorm("bn", constant(at::ones({4, 2})), {.momentum = 0.5});
  Session session(graph);
  session.initialize_variables();
  for (const Tensor& update : graph.collection(kUpdateOps)) session.run(update);
  EXPECT_TRUE(close(session.value(Variable(graph.find_variable("bn/mean/EMA"))), two(0.5), kSameFormula));
}

TEST_F(VariableGetter, FrozenVariablesPassNoGradient) {
  Variable frozen;
  {
    const FreezeVariables freeze;
    frozen = variable("w");
  }
  EXPECT_THAT(names(trainable_variables()), ElementsAre("w"));
  EXPECT_EQ(Tensor(frozen).op_name(), "freezed_w");
  EXPECT_FALSE(gradients(sum(frozen * frozen), {trainable_variables()[0]})[0].defined());
}

TEST_F(VariableGetter, FrozenVariablesCanBeLeftOutOfTheTrainableOnes) {
  {
    const FreezeVariables freeze({.stop_gradient = false, .skip_collection = true});
    variable("w");
    get_variable("average", {2}, {.trainable = false});
  }
  {
    const VariableScope reuse("", {.reuse = Reuse::kReuse});
    const FreezeVariables freeze({.stop_gradient = false, .skip_collection = true});
    variable("w");
  }
  variable("free");
  EXPECT_THAT(names(trainable_variables()), ElementsAre("free"));
  EXPECT_THAT(names(variables_in(graph, kModelVariables)), ElementsAre("w"));
}

TEST_F(VariableGetter, IsNoneInAnotherGraphsScope) {
  const RemapVariables doubled([](const Variable& v) { return v * 2; });
  Graph other;
  const GraphScope as_default(other);
  EXPECT_EQ(Tensor(get_variable("w", {2})).op_name(), "w");
}

TEST_F(VariableGetter, RefusesNoFunction) {
  EXPECT_THROW(RemapVariables(nullptr), UsageError);
  EXPECT_THROW(CustomGetterScope(nullptr), UsageError);
}

}  // namespace
}  // namespace belfry
