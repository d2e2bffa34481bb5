#include "belfry/layers/regularize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
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
