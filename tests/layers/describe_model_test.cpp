#include "belfry/layers/describe_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"

namespace belfry {
namespace {

constexpr char kTable[] =
    "name         layer           output           parameters\n"
    "conv0        Conv2D          [?, 28, 28, 32]         288\n"
    "conv0/bn     BatchNorm       [?, 28, 28, 32]          64\n"
    "pool0        MaxPooling      [?, 14, 14, 32]            \n"
    "fc0          FullyConnected  [?, 10]               62730\n"
    "temperature                  []                        1\n"
    "6 trainable variables of 63083 elements, 0.24 MB";

class DescribeModelTest : public testing::Test {
 protected:
  void build(const char* tower_name, bool is_training) {
    VariableScope scope("", {.reuse = Reuse::kAuto});
    TowerContext tower(tower_name, {.is_training = is_training});
    Tensor x = placeholder("image", {kDynamic, 28, 28, 1});
    x = Conv2D("conv0", x, {.filters = 32, .kernel = 3, .activation = BNReLU, .use_bias = false});
    x = MaxPooling("pool0", x, {.pool = 2});
    FullyConnected("fc0", x, {.units = 10});
    get_variable("temperature", {});
  }

  Graph graph;
  GraphScope as_default{graph};
};

TEST_F(DescribeModelTest, ListsLayersAndParameters) {
  build("", true);
  EXPECT_EQ(describe_model(graph), kTable);
}

TEST_F(DescribeModelTest, ListsALayerOfSeveralTowersOnce) {
  build("", true);
  build("tower-pred", false);
  EXPECT_EQ(describe_model(graph), kTable);
}

TEST_F(DescribeModelTest, AFailedLayerIsNotListed) {
  EXPECT_THROW(FullyConnected("fc0", placeholder("x", {2, 2})), UsageError);
  EXPECT_THAT(describe_model(graph), testing::Not(testing::HasSubstr("fc0")));
}

}  // namespace
}  // namespace belfry
