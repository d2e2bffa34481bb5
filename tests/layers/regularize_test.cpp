#include "belfry/layers/regularize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"

namespace belfry {
namespace {

/// fc0/W: six elements of 2; fc1/W: three elements of -2; biases 0.
class RegularizeTest : public testing::Test {
 protected:
  void build(const Regularizer& regularizer = nullptr) {
    FullyConnected(
        "fc0", placeholder("x", {kDynamic, 2}),
        {.units = 3, .kernel_initializer = constant_initializer(2.0), .kernel_regularizer = regularizer});
    FullyConnected("fc1", placeholder("y", {kDynamic, 3}),
                   {.units = 1, .kernel_initializer = constant_initializer(-2.0)});
  }
  float value(const Tensor& cost) {
    Session session(graph);
    session.initialize_variables();
    return session.run(cost).item<float>();
  }

  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(RegularizeTest, SumsOverTheVariablesThatMatch) {
  TowerContext tower("", {.is_training = true});
  build();
  EXPECT_FLOAT_EQ(value(regularize_cost("fc.*/W", l2_regularizer(0.1))), 0.1f * (6 * 4 + 3 * 4) / 2);
  EXPECT_FLOAT_EQ(value(regularize_cost("fc1/W", l1_regularizer(0.1))), 0.1f * 6);
}

TEST_F(RegularizeTest, TheCostHasTheNameGiven) {
  TowerContext tower("", {.is_training = true});
  build();
  EXPECT_EQ(regularize_cost("W", l2_regularizer(0.1), "wd_cost").name(), "wd_cost:0");
  EXPECT_EQ(regularize_cost("nothing", l2_regularizer(0.1), "none").name(), "empty_none:0");
}

TEST_F(RegularizeTest, CollectsTheRegularizersOfLayers) {
  TowerContext tower("", {.is_training = true});
  build(l2_regularizer(0.5));
  EXPECT_FLOAT_EQ(value(regularize_cost_from_collection()), 0.5f * 6 * 4 / 2);
}

/// tensorpack 0.11 gives 60 and 12 for the same layer: the loss of the activity counts per sample.
TEST_F(RegularizeTest, CollectsTheRegularizersOfBiasesAndActivities) {
  TowerContext tower("", {.is_training = true});
  auto times = [](double factor) { return [=](const Tensor& x) { return sum(x) * factor; }; };
  FullyConnected("fc", ones({4, 2}),
                 {.units = 3,
                  .activation = relu,
                  .kernel_initializer = ones_initializer(),
                  .bias_initializer = constant_initializer(2.0),
                  .bias_regularizer = times(10),
                  .activity_regularizer = times(1)});
  ASSERT_EQ(graph.collection(kRegularizationLosses).size(), 2u);
  EXPECT_EQ(value(graph.collection(kRegularizationLosses)[0]), 60);
  EXPECT_EQ(value(graph.collection(kRegularizationLosses)[1]), 12);
  EXPECT_EQ(value(regularize_cost_from_collection()), 72);
}

TEST_F(RegularizeTest, ATowerThatDoesNotTrainHasNoLossOfItsActivities) {
  TowerContext tower("", {.is_training = false});
  FullyConnected("fc", ones({4, 2}), {.units = 3, .activity_regularizer = l2_regularizer(1)});
  EXPECT_TRUE(graph.collection(kRegularizationLosses).empty());
}

TEST_F(RegularizeTest, ATowerWithVariablesOfItsOwnAnswersForThoseOnly) {
  for (int index : {0, 1}) {
    const std::string name = index == 0 ? "" : "tower1";
    TowerContext tower(name, {.is_training = true, .variable_scope = name, .index = index, .total = 2});
    build(l2_regularizer(0.5));
    EXPECT_FLOAT_EQ(value(regularize_cost("fc.*/W", l2_regularizer(0.1))), 0.1f * (6 * 4 + 3 * 4) / 2);
    EXPECT_FLOAT_EQ(value(regularize_cost_from_collection()), 0.5f * 6 * 4 / 2);
  }
}

TEST_F(RegularizeTest, ATowerThatSharesVariablesAnswersForAll) {
  for (int index : {0, 1}) {
    VariableScope scope("", {.reuse = Reuse::kAuto});
    TowerContext tower(index == 0 ? "" : "tower1", {.is_training = true, .index = index, .total = 2});
    build(l2_regularizer(0.5));
    EXPECT_FLOAT_EQ(value(regularize_cost("fc.*/W", l2_regularizer(0.1))), 0.1f * (6 * 4 + 3 * 4) / 2);
    EXPECT_FLOAT_EQ(value(regularize_cost_from_collection()), 0.5f * 6 * 4 / 2);
  }
}

TEST_F(RegularizeTest, IsZeroOutsideOfTraining) {
  TowerContext tower("", {.is_training = false});
  build(l2_regularizer(0.5));
  EXPECT_EQ(value(regularize_cost("W", l2_regularizer(0.1))), 0);
  EXPECT_EQ(value(regularize_cost_from_collection()), 0);
}

TEST_F(RegularizeTest, AMalformedPatternIsAnError) {
  TowerContext tower("", {.is_training = true});
  EXPECT_THROW(regularize_cost("(", l2_regularizer(0.1)), UsageError);
  EXPECT_THROW(regularize_cost("", l2_regularizer(0.1)), UsageError);
}

}  // namespace
}  // namespace belfry
