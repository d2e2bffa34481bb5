#include "belfry/graph/tower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/input/input_source.h"
#include "belfry/ops/ops.h"

namespace belfry {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;

/// y = x * W; a training tower has a cost too.
Tensor build(const TowerInputs& in) {
  const Tensor y = identity(in["x"] * get_variable("W", {2}), "y");
  return current_tower_context().is_training() ? sum(y, "cost") : y;
}

struct TowerTest : testing::Test {
  const TowerTensorHandle& call(const std::string& name, TowerContext::Options options) {
    VariableScope reuse("", {.reuse = options.is_training ? Reuse::kInherit : Reuse::kReuse});
    TowerContext context(name, std::move(options));
    function({{"x", build_or_reuse_placeholder({"x", {kDynamic, 2}, kFloat32})}});
    return function.towers().back();
  }

  Graph graph;
  GraphScope as_default{graph};
  TowerFunc function{build, {{"x", {kDynamic, 2}}}};
};

TEST_F(TowerTest, AnInferenceTowerDoesNotGiveWhatOnlyTheTrainingTowerHas) {
  call("", {.is_training = true});
  const Tensor outside = ones({2});
  const TowerTensorHandle& tower = call("pred", {.is_training = false});
  try {
    tower.tensor("cost");
    ADD_FAILURE() << "expected a UsageError";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("[tower 'pred']"), HasSubstr("'cost:0'")));
  }
  EXPECT_EQ(tower.tensor("y").name(), "pred/y:0");
  EXPECT_EQ(tower.tensor("W").name(), "W:0");
  EXPECT_EQ(tower.tensor(outside.name()), outside);
}

TEST_F(TowerTest, AnInputIsFoundByItsNameWhateverItsTensorIsCalled) {
  build_or_reuse_placeholder({"x", {}, kFloat32});
  const Tensor given = ones({4, 2});
  TowerContext context("", {.is_training = true});
  function({{"x", given}});
  EXPECT_EQ(function.towers()[0].tensor("x"), given);
  EXPECT_EQ(function.towers()[0].tensor("x:0"), given);
}

TEST_F(TowerTest, VariablesAreThoseOfTheTowersOwnScope) {
  call("tower0", {.is_training = true, .index = 0, .total = 2});
  const auto& tower = call("tower1", {.is_training = true, .variable_scope = "own", .index = 1, .total = 2});
  EXPECT_EQ(tower.variable("W").name(), "own/W");
  EXPECT_EQ(tower.tensor("W").name(), "own/W:0");
  EXPECT_EQ(function.towers()[0].variable("W").name(), "W");
  EXPECT_THROW(tower.variable("V"), UsageError);
  EXPECT_THROW(function.towers()[0].variable("tower0/y"), UsageError);
}

TEST_F(TowerTest, AFunctionMayReturnSeveralTensors) {
  TowerFunc several(
      [](const TowerInputs& in) -> TowerOutputs {
        return {in["x"] * 2, in["x"] * 3};
      },
      {{"x", {2}}});
  TowerFunc list([](const TowerInputs& in) { return std::vector<Tensor>{in["x"]}; }, {{"x", {2}}});
  TowerContext context("", {.is_training = true});
  const Tensor first = several({{"x", ones({2})}});
  EXPECT_EQ(several.towers()[0].output(), first);
  EXPECT_THAT(several.towers()[0].outputs(), SizeIs(2));
  EXPECT_THAT(list({{"x", ones({2})}}).list(), SizeIs(1));
}

TEST_F(TowerTest, AHandleGivesListsAndWhatWasAddedToCollections) {
  function = TowerFunc(
      [](const TowerInputs& in) {
        default_graph().add_to_collection(kUpdateOps, no_op());
        return build(in);
      },
      {{"x", {kDynamic, 2}}});
  default_graph().add_to_collection(kUpdateOps, no_op());
  const TowerTensorHandle tower = call("", {.is_training = true});
  const TowerTensorHandle again = call("pred", {.is_training = false});
  EXPECT_THAT(tower.tensors({"y", "x"}), SizeIs(2));
  EXPECT_EQ(tower.variables({"W"})[0].name(), "W");
  EXPECT_THAT(tower.collection(kUpdateOps), SizeIs(1));
  EXPECT_THAT(again.collection(kUpdateOps), SizeIs(1));
  EXPECT_THAT(graph.collection(kUpdateOps), SizeIs(2));
  EXPECT_THAT(tower.collection("none"), SizeIs(0));
}

TEST_F(TowerTest, TowersAreListedByWhatTheyAreFor) {
  call("", {.is_training = true});
  call("pred", {.is_training = false});
  EXPECT_THAT(function.towers(), SizeIs(2));
  ASSERT_THAT(function.towers().training(), SizeIs(1));
  ASSERT_THAT(function.towers().inference(), SizeIs(1));
  EXPECT_EQ(function.towers().inference()[0].name(), "pred");
}

TEST_F(TowerTest, ATowerIsBuiltOnTheCurrentDeviceUnlessItHasOne) {
  const c10::Device first(c10::kCUDA, 0), second(c10::kCUDA, 1);
  DeviceScope on(first);
  call("a", {.is_training = true});
  call("b", {.is_training = false, .device = second});
  EXPECT_EQ(graph.tensor("a/y").node().device(), first);
  EXPECT_EQ(graph.tensor("b/y").node().device(), second);
}

TEST_F(TowerTest, BuildGivesTheFunctionItsInputsInTheOrderOfTheSignature) {
  const Tensor x = placeholder("x", {kDynamic, 2});
  TowerContext context("a", {.is_training = true});
  const TowerTensorHandle& tower = function.build(context, {x});
  EXPECT_EQ(tower.inputs()["x"], x);
  EXPECT_EQ(tower.output(), graph.tensor("a/cost"));
  EXPECT_THROW(function.build(context, {}), UsageError);
  EXPECT_THROW(function.build(context, {placeholder("y", {kDynamic, 3})}), UsageError);
}

TEST_F(TowerTest, AGraphIsEnteredOnTheCpuUnlessADeviceIsGiven) {
  const c10::Device second(c10::kCUDA, 1);
  DeviceScope on(second);
  Graph inner;
  {
    GraphScope scope(inner);
    EXPECT_EQ(current_device(), c10::Device(c10::kCPU));
  }
  GraphScope scope(inner, current_device());
  EXPECT_EQ(current_device(), second);
}

}  // namespace
}  // namespace belfry
