// The steps that a graph becomes, before last uses are marked.

#include "belfry/runtime/internal/make_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/ops.h"

namespace belfry::internal {
namespace {

using testing::ElementsAre;

class MakeStepsTest : public testing::Test {
 protected:
  PlanData steps(const std::vector<Tensor>& fetches, const std::vector<Tensor>& feeds = {}) {
    const Fed fed = fed_tensors(feeds);
    const Order order = order_nodes(find_needed(fetches, fed), fed);
    return make_steps(order, find_recordings(order, fed), feeds, fetches, store);
  }
  /// "leaf v", "mul (recorded)": the lines of describe without what stands behind the name.
  std::vector<std::string> lines(const std::vector<Tensor>& fetches, const std::vector<Tensor>& feeds = {}) {
    std::istringstream text(describe(steps(fetches, feeds)));
    std::vector<std::string> result;
    for (std::string line; std::getline(text, line);) result.push_back(line.substr(0, line.find(" = ")));
    return result;
  }
  static const CallStep& call(const PlanData& plan, size_t index) {
    return std::get<CallStep>(plan.steps.at(index));
  }
  template <typename Kind>
  static const Kind& argument(const CallStep& step, size_t index) {
    return std::get<Kind>(std::get<Source>(step.arguments.at(index)));
  }

  Graph graph;
  GraphScope as_default{graph};
  VariableStore store;
  Variable v = get_variable("v", {});
};

TEST_F(MakeStepsTest, AnArgumentIsReadFromASlotAVariableOrTheGraph) {
  const Tensor x = placeholder("x", {});
  const PlanData plan = steps({(x + v) + constant(2.0)}, {x});
  ASSERT_EQ(plan.steps.size(), 2u);
  EXPECT_EQ(argument<SlotValue>(call(plan, 0), 0).slot, plan.feed_slots[0]);
  EXPECT_EQ(argument<VariableValue>(call(plan, 0), 1).cell, &store.cell(v.tensor().node()));
  EXPECT_EQ(argument<SlotValue>(call(plan, 1), 0).slot, call(plan, 0).outputs[0]);
  EXPECT_TRUE(argument<ConstantValue>(call(plan, 1), 1).value->isTensor());
  EXPECT_EQ(slot_of(plan.fetch_sources[0]), call(plan, 1).outputs[0]);
}

TEST_F(MakeStepsTest, NotesTheVariablesAndConstantsThatAreRead) {
  const PlanData plan = steps({v * constant(2.0)});
  EXPECT_THAT(plan.variables, ElementsAre(&store.cell(v.tensor().node())));
  EXPECT_EQ(plan.constants.size(), 1u);
}

TEST_F(MakeStepsTest, AnIdentityAndAGroupAreNoSteps) {
  const PlanData plan = steps({identity(v), group({identity(v)})});
  EXPECT_TRUE(plan.steps.empty());
  EXPECT_TRUE(std::holds_alternative<VariableValue>(plan.fetch_sources[0]));
  EXPECT_TRUE(std::holds_alternative<NoValue>(plan.fetch_sources[1]));
}

TEST_F(MakeStepsTest, AListIsAListOfSources) {
  const PlanData plan = steps({stack({v, v}, 0)});
  const auto& list = std::get<CallStep::List>(call(plan, 0).arguments[0]);
  EXPECT_EQ(list.elements.size(), 2u);
  EXPECT_FALSE(list.may_have_gaps);
}

TEST_F(MakeStepsTest, AnXIsALeafAndWhatIsComputedFromItIsRecorded) {
  EXPECT_THAT(lines({gradients(v * 2.0, {v})[0], identity(v) + 1.0}),
              ElementsAre("leaf v", "mul (recorded)", "gradients", "add"));
  EXPECT_TRUE(steps({gradients(v * 2.0, {v})[0]}).has_gradients);
}

TEST_F(MakeStepsTest, AFedXIsALeafToo) {
  const Tensor x = placeholder("x", {});
  EXPECT_THAT(lines({gradients(x * 2.0, {x})[0]}, {x}), ElementsAre("leaf x", "mul (recorded)", "gradients"));
}

TEST_F(MakeStepsTest, ADifferentiatedIdentityIsATensorOfItsOwn) {
  const Tensor same = identity(v, "same"), loss = same * v;
  EXPECT_THAT(lines({gradients(loss, {v, same})[0]}),
              ElementsAre("leaf v", "alias same (recorded)", "mul (recorded)", "gradients"));
}

TEST_F(MakeStepsTest, AVariableIsCopiedOnlyWhereItIsWrittenBeforeItsGradients) {
  const Tensor loss = v * v;
  const Tensor write = assign_add(v, constant(1.0), "write");
  EXPECT_THAT(lines({write, gradients(loss, {v})[0]}),
              ElementsAre("leaf v", "mul (recorded)", "gradients", "write", "leaf v"));
  ControlDependencies after({write});
  EXPECT_THAT(lines({gradients(loss, {v})[0]}),
              ElementsAre("copy v", "leaf v", "mul (recorded)", "write", "leaf v", "gradients_1"));
}

TEST_F(MakeStepsTest, ARecordingIsKeptForTheNextGradientsThatNeedIt) {
  const Tensor loss = v * 2.0;
  const PlanData plan = steps({gradients(loss, {v})[0], gradients(loss, {v})[0]});
  EXPECT_TRUE(std::get<GradientsStep>(plan.steps.at(2)).keeps_recording);
  EXPECT_FALSE(std::get<GradientsStep>(plan.steps.at(3)).keeps_recording);
}

TEST_F(MakeStepsTest, AFeedOfAVariableThatIsWrittenIsAnError) {
  const Tensor write = assign_add(v, constant(1.0));
  EXPECT_THROW(steps({write}, {v.tensor()}), UsageError);
}

}  // namespace
}  // namespace belfry::internal
