#include "belfry/summary/gradient_summaries.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/graph/tower.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/runtime/session.h"
#include "belfry/summary/merge_all_summaries.h"
#include "belfry/summary/moving_average_summary.h"
#include "belfry/summary/print_stat.h"
#include "belfry/summary/summary.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::LogLines;
using test::RecordingMonitor;
using test::TinyTrainer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

/// Runs an operation with each step.
class Step : public Callback {
 public:
  explicit Step(Tensor update) : update_(std::move(update)) {}
  std::string name() const override { return "Step"; }
  std::vector<Tensor> before_run() override { return {update_}; }

 private:
  Tensor update_;
};

struct GradientSummariesTest : testing::Test {
  /// Trains w and b, whose gradients are [3, 4] and 5, with `processor`.
  void train(std::shared_ptr<const GradientProcessor> processor) {
    Tensor update;
    trainer.build([&] {
      const Variable w = get_variable("fc/W", {2}, {.initializer = zeros_initializer()});
      const Variable b = get_variable("fc/b", {}, {.initializer = zeros_initializer()});
      const Tensor loss = sum(w * constant({3.0, 4.0})) + b * 5.0;
      update = apply_grad_processors(std::make_unique<GradientDescent>(GradientDescentOptions{}),
                                     GradientProcessors{std::move(processor)})
                   ->minimize(loss);
    });
    trainer.train({.callbacks = callbacks(Step(update), MergeAllSummaries(), MovingAverageSummary()),
                   .monitors = {monitor},
                   .loop = {.steps_per_epoch = 2, .max_epoch = 1}});
  }

  TinyTrainer trainer;
  std::vector<std::string> lines;
  std::shared_ptr<RecordingMonitor> monitor = std::make_shared<RecordingMonitor>(lines);
};

TEST_F(GradientSummariesTest, GradientsAreShown) {
  train(std::make_shared<SummaryGradient>(".*/W"));
  EXPECT_THAT(lines, UnorderedElementsAre("fc/W-grad: 2 numbers@2", "fc/W/rms=3.53553@2"));
}

TEST_F(GradientSummariesTest, GradientsArePrinted) {
  LogLines log;
  train(std::make_shared<PrintGradient>());
  EXPECT_THAT(log.text(), HasSubstr("fc/W-grad [1] 2 [] 3.5 [] 3.53553"));
  EXPECT_THAT(log.text(), HasSubstr("fc/b-grad"));
}

TEST_F(GradientSummariesTest, IntegersHaveAMeanOnly) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = print_stat(constant({1, 2}, {2}), "x");
  LogLines log;
  EXPECT_TRUE(Session(graph).run(x).equal(at::tensor({1, 2}, at::kLong)));
  EXPECT_THAT(log.lines(), ElementsAre("x [1] 2 [] 1.5"));
}

TEST(Rms, IsNamedAfterItsTensor) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = constant(at::tensor({3.f, 4.f}), "x");
  EXPECT_EQ(rms(x).op_name(), "x/rms");
  EXPECT_EQ(rms(x, "mine").op_name(), "mine");
  EXPECT_FLOAT_EQ(Session(graph).run("mine").item<float>(), std::sqrt(12.5f));
}

TEST_F(GradientSummariesTest, ActivationsHaveAScopeOfTheirOwn) {
  trainer.build([&] {
    const Tensor x = constant(at::tensor({0.f, 3.f, 0.f, 4.f}).reshape({2, 2}), "relu");
    add_activation_summary(x);
    LogLines log;
    add_activation_summary(trainer.cost());
    EXPECT_THAT(log.text(), HasSubstr("expected an activation of 2 dimensions or more"));
  });
  trainer.train({.callbacks = callbacks(MergeAllSummaries()),
                 .monitors = {monitor},
                 .loop = {.steps_per_epoch = 1, .max_epoch = 1}});
  EXPECT_THAT(lines, UnorderedElementsAre("activation-summary/relu-sparsity=0.5@1",
                                          "activation-summary/relu-rms=2.5@1",
                                          "activation-summary/relu-histogram: 4 numbers@1"));
}

TEST_F(GradientSummariesTest, CollectionsAreShownAtTimesOfTheirOwn) {
  trainer.build([&] {
    scalar_summary("often", trainer.cost(), {.collections = {"often"}});
    add_tensor_summary(trainer.cost(), {"scalar"}, "both", {.collections = {"often", kSummaries}});
  });
  trainer.train(
      {.callbacks = callbacks(MergeAllSummaries(), MergeAllSummaries({.period = 1, .collection = "often"})),
       .monitors = {monitor},
       .loop = {.steps_per_epoch = 2, .max_epoch = 1}});
  EXPECT_THAT(lines, UnorderedElementsAre("often=0@1", "both=0@1", "often=0@2", "both=0@2", "both=0@2"));
}

TEST_F(GradientSummariesTest, OtherTowersAreShownWhenAsked) {
  trainer.build([&] {
    const TowerContext tower("tower1", {.is_training = true, .index = 1, .total = 2});
    add_tensor_summary(trainer.cost(), {"scalar"}, "hidden");
    add_tensor_summary(trainer.cost(), {"scalar"}, "shown",
                       {.collections = {"of_towers"}, .main_tower_only = false});
  });
  trainer.train({.callbacks = callbacks(MergeAllSummaries({.collection = "of_towers"})),
                 .monitors = {monitor},
                 .loop = {.steps_per_epoch = 1, .max_epoch = 1}});
  EXPECT_THAT(lines, ElementsAre("shown=0@1"));
}

TEST(MovingSummary, GivesTheAveragesAsTensors) {
  TinyTrainer trainer({1, 2, 4});
  std::vector<std::string> lines;
  std::vector<Tensor> averages;
  trainer.build([&] {
    averages = add_moving_summary({trainer.cost()},
                                  {.decay = 0.5, .collection = "", .summary_collections = {kSummaries}});
  });
  ASSERT_EQ(averages.size(), 1u);
  EXPECT_TRUE(trainer.graph().find_variable("EMA/cost"));
  EXPECT_THAT(variables_in(trainer.graph(), kGlobalVariables), IsEmpty());
  trainer.train({.callbacks = callbacks(MergeAllSummaries({.period = 1})),
                 .monitors = {std::make_shared<RecordingMonitor>(lines)},
                 .loop = {.steps_per_epoch = 3, .max_epoch = 1}});
  EXPECT_THAT(lines, ElementsAre("cost=1@1", "cost=1.66667@2", "cost=3@3"));
}

}  // namespace
}  // namespace belfry
