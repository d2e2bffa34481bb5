// Plans made by hand: only who reads and writes which slot matters.

#include "belfry/runtime/internal/last_uses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/graph/graph.h"

namespace belfry::internal {
namespace {

using testing::ElementsAre;

class LastUsesTest : public testing::Test {
 protected:
  CallStep call(const std::vector<int>& inputs, std::vector<int> outputs) const {
    CallStep step{.node = &node, .op = node.op(), .outputs = std::move(outputs)};
    for (int slot : inputs) step.arguments.push_back(Source(SlotValue{slot}));
    return step;
  }
  AliasStep alias(int input, int output) const { return {{&node, SlotValue{input}, output}}; }
  void fetch(int slot) { plan.fetch_sources.push_back(SlotValue{slot}); }
  /// Whether each argument of a call is moved.
  static std::vector<bool> moved(const Step& step) {
    std::vector<bool> result;
    for (const auto& argument : std::get<CallStep>(step).arguments)
      result.push_back(is_moved(std::get<Source>(argument)));
    return result;
  }
  static bool is_moved(const Source& source) { return std::get<SlotValue>(source).is_last_use; }

  Graph graph;
  GraphScope as_default{graph};
  const Node& node = graph.add("aten::zeros", {}, {{"size", Shape{2}}});
  PlanData plan{.num_slots = 4};
};

TEST_F(LastUsesTest, AValueIsMovedAtItsLastUse) {
  plan.steps = {call({0}, {1}), call({0, 1}, {2})};
  fetch(2);
  mark_last_uses(plan);
  EXPECT_THAT(moved(plan.steps[0]), ElementsAre(false));
  EXPECT_THAT(moved(plan.steps[1]), ElementsAre(true, true));
}

TEST_F(LastUsesTest, OfAValueThatACallReadsTwiceTheSecondIsMoved) {
  plan.steps = {call({0, 0}, {1})};
  mark_last_uses(plan);
  EXPECT_THAT(moved(plan.steps[0]), ElementsAre(false, true));
}

TEST_F(LastUsesTest, AFetchedValueStaysToTheEnd) {
  plan.steps = {call({0}, {1})};
  fetch(0);
  fetch(0);
  mark_last_uses(plan);
  EXPECT_THAT(moved(plan.steps[0]), ElementsAre(false));
  EXPECT_FALSE(is_moved(plan.fetch_sources[0]));
  EXPECT_TRUE(is_moved(plan.fetch_sources[1]));
}

TEST_F(LastUsesTest, TheElementsOfAListAreMovedToo) {
  CallStep step = call({}, {1});
  step.arguments.push_back(CallStep::List{.elements = {SlotValue{0}, NoValue(), SlotValue{0}}});
  plan.steps = {step};
  mark_last_uses(plan);
  const auto& elements = std::get<CallStep::List>(std::get<CallStep>(plan.steps[0]).arguments[0]).elements;
  EXPECT_FALSE(is_moved(elements[0]));
  EXPECT_TRUE(is_moved(elements[2]));
}

TEST_F(LastUsesTest, AnOutputThatNobodyUsesHasNoSlot) {
  plan.steps = {call({}, {0, 1})};
  fetch(1);
  mark_last_uses(plan);
  EXPECT_THAT(std::get<CallStep>(plan.steps[0]).outputs, ElementsAre(-1, 1));
}

TEST_F(LastUsesTest, AnAliasThatNobodyUsesIsDroppedAndItsSourceMovedBefore) {
  plan.steps = {call({0}, {1}), alias(0, 2), alias(2, 3)};
  fetch(1);
  mark_last_uses(plan);
  ASSERT_EQ(plan.steps.size(), 1u);
  EXPECT_THAT(moved(plan.steps[0]), ElementsAre(true));
}

TEST_F(LastUsesTest, GradientsMoveTheirLossAndXs) {
  plan.steps = {GradientsStep{.node = &node, .loss = SlotValue{0}, .xs = {SlotValue{1}, SlotValue{0}}}};
  mark_last_uses(plan);
  const auto& step = std::get<GradientsStep>(plan.steps[0]);
  EXPECT_FALSE(is_moved(step.loss));
  EXPECT_TRUE(is_moved(step.xs[0]));
  EXPECT_TRUE(is_moved(step.xs[1]));
}

}  // namespace
}  // namespace belfry::internal
