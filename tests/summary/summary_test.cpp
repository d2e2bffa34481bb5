#include "belfry/summary/summary.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "belfry/base/error.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/summary/merge_all_summaries.h"
#include "belfry/summary/moving_average_summary.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::RecordingMonitor;
using test::TinyTrainer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr double kFloatTolerance = 1e-5;

struct SummaryTest : testing::Test {
  void train(Trainer& trainer, Callbacks callbacks, LoopOptions loop) {
    trainer.train({.callbacks = std::move(callbacks), .monitors = {monitor}, .loop = loop});
  }

  std::vector<std::string> lines;
  std::shared_ptr<RecordingMonitor> monitor = std::make_shared<RecordingMonitor>(lines);
};

Tensor constant(const at::Tensor& value, const std::string& name) {
  return default_graph()
      .add_special(NodeKind::kConstant, "belfry::constant", {}, {{"value", value}}, name,
                   {{value.scalar_type(), value.sizes().vec()}})
      .output();
}

TEST_F(SummaryTest, ScalarsAreShownWithTheLastStepOfEachEpoch) {
  TinyTrainer trainer({1, 2, 3, 4, 5, 6});
  trainer.build([&] { scalar_summary("loss", trainer.cost()); });
  train(trainer, callbacks(MergeAllSummaries()), {.steps_per_epoch = 3, .max_epoch = 2});
  EXPECT_THAT(lines, ElementsAre("loss=3@3", "loss=6@6"));
}

TEST_F(SummaryTest, APeriodShowsThemInBetweenToo) {
  TinyTrainer trainer({1, 2, 3, 4, 5});
  trainer.build([&] { scalar_summary("loss", trainer.cost()); });
  train(trainer, callbacks(MergeAllSummaries({.period = 2})), {.steps_per_epoch = 5, .max_epoch = 1});
  EXPECT_THAT(lines, ElementsAre("loss=2@2", "loss=4@4", "loss=5@5"));
}

TEST_F(SummaryTest, TagsFollowNameScopesWithoutTowers) {
  TinyTrainer trainer({7});
  trainer.build([&] {
    TowerContext tower("tower0", {.is_training = true});
    NameScope scope("losses");
    scalar_summary("cost", trainer.cost());
  });
  train(trainer, callbacks(MergeAllSummaries()), {.steps_per_epoch = 1, .max_epoch = 1});
  EXPECT_THAT(lines, ElementsAre("losses/cost=7@1"));
}

TEST_F(SummaryTest, OtherTowersAddNothing) {
  for (TowerContext::Options options : {TowerContext::Options{.is_training = false},
                                        TowerContext::Options{.is_training = true, .index = 1, .total = 2}}) {
    TinyTrainer trainer;
    const size_t before = trainer.graph().nodes().size();
    trainer.build([&] {
      TowerContext tower("tower1", options);
      scalar_summary("a", trainer.cost());
      add_tensor_summary(trainer.cost(), {"histogram", "rms"});
      add_moving_summary({trainer.cost()});
    });
    EXPECT_EQ(trainer.graph().nodes().size(), before);
  }
}

TEST_F(SummaryTest, HistogramsAndImagesReachTheMonitors) {
  TinyTrainer trainer;
  trainer.build([&] {
    histogram_summary("weights", constant(at::zeros({3, 4}), "w"));
    image_summary("pictures", constant(at::zeros({5, 2, 2, 3}), "x"), {.max_images = 2});
  });
  train(trainer, callbacks(MergeAllSummaries()), {.steps_per_epoch = 1, .max_epoch = 1});
  EXPECT_THAT(lines, ElementsAre("weights: 12 numbers@1", "pictures: 2 images@1"));
}

TEST_F(SummaryTest, PixelsAreScaledAsTensorFlowDoes) {
  struct Case {
    std::vector<float> pixels;
    std::vector<int> shown;
  };
  for (const Case& c : {Case{{0, 0.5, 1, 2}, {0, 63, 127, 255}}, Case{{-1, 0, 0.5, 1}, {1, 128, 191, 255}},
                        Case{{NAN, 0, 1, INFINITY}, {0, 0, 255, 0}}, Case{{0, 0, 0, 0}, {0, 0, 0, 0}}}) {
    TinyTrainer trainer;
    trainer.build([&] { image_summary("x", constant(at::tensor(c.pixels).reshape({1, 2, 2, 1}), "x")); });
    train(trainer, callbacks(MergeAllSummaries()), {.steps_per_epoch = 1, .max_epoch = 1});
    const at::Tensor shown = monitor->images().reshape({4}).to(at::kInt);
    EXPECT_TRUE(shown.equal(at::tensor(c.shown))) << shown;
  }
}

TEST_F(SummaryTest, BytesAreShownAsTheyAre) {
  TinyTrainer trainer;
  const at::Tensor bytes = at::tensor({1, 2, 3, 255}, at::kByte).reshape({1, 2, 2, 1});
  trainer.build([&] { image_summary("x", constant(bytes, "x")); });
  train(trainer, callbacks(MergeAllSummaries()), {.steps_per_epoch = 1, .max_epoch = 1});
  EXPECT_TRUE(monitor->images().equal(bytes));
}

TEST_F(SummaryTest, ATensorCanBeSummarizedInSeveralWays) {
  TinyTrainer trainer;
  trainer.build([&] {
    add_tensor_summary(constant(at::tensor({0.f, 3.f, 0.f, 4.f}), "x"),
                       {"histogram", "sparsity", "mean", "rms"});
  });
  train(trainer, callbacks(MergeAllSummaries()), {.steps_per_epoch = 1, .max_epoch = 1});
  EXPECT_THAT(lines,
              ElementsAre("x-histogram: 4 numbers@1", "x-sparsity=0.5@1", "x-mean=1.75@1", "x-rms=2.5@1"));
}

TEST_F(SummaryTest, ParametersAreChosenByTheirWholeName) {
  TinyTrainer trainer;
  trainer.build([&] {
    for (const char* name : {"conv0/W", "conv0/b", "conv0/WW"}) get_variable(name, {2, 2});
    add_param_summary({{".*/W", {"histogram"}}, {"conv0/b", {"histogram"}}});
  });
  train(trainer, callbacks(MergeAllSummaries()), {.steps_per_epoch = 1, .max_epoch = 1});
  EXPECT_THAT(lines, ElementsAre("param-summary/conv0/W-histogram: 4 numbers@1",
                                 "param-summary/conv0/b-histogram: 4 numbers@1"));
}

TEST_F(SummaryTest, MovingAveragesAreThoseOfTensorFlow) {
  std::vector<double> values, averages;
  std::ifstream file("tests/summary/moving_average.txt");
  for (double value, average; file >> value >> average;) values.push_back(value), averages.push_back(average);
  ASSERT_EQ(values.size(), 40u);
  TinyTrainer trainer(values);
  trainer.build([&] { add_moving_summary({trainer.cost()}); });
  train(trainer, callbacks(MovingAverageSummary({.period = 1})), {.steps_per_epoch = 40, .max_epoch = 1});
  const auto& shown = trainer.monitors().get_history("cost");
  ASSERT_EQ(shown.size(), 40u);
  for (size_t i = 0; i < 40; ++i)
    EXPECT_NEAR(shown[i].value, averages[i], kFloatTolerance) << "at value " << i;
}

TEST_F(SummaryTest, MovingAveragesCountEveryStepAndShowTheLast) {
  TinyTrainer trainer({0, 0, 1});
  trainer.build([&] { add_moving_summary({trainer.cost()}, {.decay = 0.5}); });
  train(trainer, callbacks(MovingAverageSummary()), {.steps_per_epoch = 3, .max_epoch = 1});
  EXPECT_THAT(lines, ElementsAre("cost=0.571429@3"));  // 0.5 / (1 - 0.5^3)
}

/// Each step runs "train_a" twice, each of its third steps "train_b" too.
class TwoOpsTrainer : public Trainer {
 public:
  TwoOpsTrainer() {
    GraphScope as_default(graph());
    cost_ = build_or_reuse_placeholder({"cost", {}, kFloat32});
    add_moving_summary({cost_}, {.decay = 0.5});
    const Tensor a = default_graph().add("aten::neg", {cost_}, {}, "train_a").output();
    const ControlDependencies after({a});
    default_graph().add("aten::abs", {cost_}, {}, "train_b");
  }
  void run_step() override {
    const at::Tensor one = at::scalar_tensor(1.0f), two = at::scalar_tensor(2.0f);
    run({graph().tensor("train_a")}, {one});
    run_hooked({graph().tensor(local_step() == 2 ? "train_b" : "cost")}, {two});
  }
  std::vector<Tensor> feed_tensors() const override { return {cost_}; }

 private:
  Tensor cost_;
};

TEST_F(SummaryTest, MovingAveragesJoinTheOperationThatIsNamed) {
  struct Case {
    const char* op;
    const char* shown;
  };
  // a runs with 1, 1, 1 and, before b, 2: (0.5 * 2 + 0.25 * 1 + 0.125 + 0.0625) / (1 - 0.5^4).
  for (const Case& c : {Case{"train_a", "cost=1.53333@3"}, Case{"train_b", "cost=2@3"}}) {
    lines.clear();
    TwoOpsTrainer trainer;
    train(trainer, callbacks(MovingAverageSummary({.train_op = c.op})),
          {.steps_per_epoch = 3, .max_epoch = 1});
    EXPECT_THAT(lines, ElementsAre(c.shown));
  }
  TwoOpsTrainer trainer;
  EXPECT_THROW(train(trainer, callbacks(MovingAverageSummary({.train_op = "train_c"})), {}), UsageError);
}

TEST_F(SummaryTest, SummariesRunAloneAfterTheEpochAndBetween) {
  TinyTrainer trainer;
  trainer.build([&] { scalar_summary("step", get_global_step(), {.collections = {"alone"}}); });
  train(trainer, callbacks(MergeAllSummaries({.period = 2, .collection = "alone", .run_alone = true})),
        {.steps_per_epoch = 4, .max_epoch = 2});
  EXPECT_THAT(lines, ElementsAre("step=2@2", "step=4@4", "step=6@6", "step=8@8"));
}

TEST_F(SummaryTest, SummariesOfTheInputsCannotRunAlone) {
  TinyTrainer trainer;
  trainer.build([&] { scalar_summary("loss", trainer.cost()); });
  EXPECT_THROW(train(trainer, callbacks(MergeAllSummaries({.run_alone = true})),
                     {.steps_per_epoch = 1, .max_epoch = 1}),
               UsageError);
}

TEST_F(SummaryTest, MovingSummariesUnderReuseAreIgnored) {
  TinyTrainer trainer;
  test::LogLines log;
  trainer.build([&] {
    VariableScope scope("", {.reuse = Reuse::kReuse});
    add_moving_summary({trainer.cost()});
  });
  EXPECT_THAT(trainer.graph().collection(kMovingSummaries), IsEmpty());
  EXPECT_THAT(log.text(), HasSubstr("ignored"));
}

TEST_F(SummaryTest, MisuseIsExplained) {
  struct Case {
    std::function<void(const Tensor& matrix)> action;
    const char* message;
  };
  const Case cases[] = {
      {[](const Tensor& m) { scalar_summary("m", m); }, "[scalar_summary] expected a scalar, got m:0"},
      {[](const Tensor& m) { add_moving_summary({m}); }, "[add_moving_summary] expected a scalar, got m:0"},
      {[](const Tensor& m) { image_summary("m", m); }, "expected images [N, H, W, C]"},
      {[](const Tensor& m) { add_tensor_summary(m, {"median"}); }, "or rms, got 'median'"},
      {[](const Tensor&) { MergeAllSummaries({.period = -1}); },
       "expected a period of 0 or more steps, got -1"},
  };
  for (const Case& c : cases) {
    TinyTrainer trainer;
    try {
      trainer.build([&] { c.action(constant(at::zeros({2, 2}), "m")); });
      ADD_FAILURE() << c.message;
    } catch (const UsageError& e) {
      EXPECT_THAT(e.what(), HasSubstr(c.message));
    }
  }
}

TEST_F(SummaryTest, APlainTensorAmongTheSummariesIsAnError) {
  TinyTrainer trainer;
  trainer.graph().add_to_collection(kSummaries, trainer.cost());
  EXPECT_THROW(train(trainer, callbacks(MergeAllSummaries()), {}), UsageError);
}

}  // namespace
}  // namespace belfry
