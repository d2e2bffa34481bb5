#include "belfry/train/launch.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

#include "belfry/base/error.h"
#include "belfry/callbacks/model_saver.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/dataflow/map_data.h"
#include "belfry/dataflow/repeated_data.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/input/feed_input.h"
#include "belfry/input/queue_input.h"
#include "belfry/summary/json_writer.h"
#include "tests/support/message_of.h"
#include "tests/train/launch_fixture.h"

namespace belfry::test {
namespace {

using testing::HasSubstr;

TEST_F(LaunchTest, ASimpleTrainerLearns) {
  train(100);
  EXPECT_EQ(trainer.global_step(), 300);
  auto predictor = trainer.get_predictor({"x"}, {"predicted"});
  EXPECT_NEAR(predict(*predictor, 3), 7, 1e-2);
}

TEST_F(LaunchTest, ADataflowIsEnoughAndDefaultsShowTheTraining) {
  launch_train_with_config(
      {.model = model, .dataflow = toy_data(), .max_epoch = 2, .log_dir = folder / "log"}, trainer);
  EXPECT_EQ(trainer.global_step(), 6);
  EXPECT_THAT(log, HasSubstr("Training has finished!"));
}

TEST_F(LaunchTest, APredictorOfSetupGraphSeesTheCurrentWeights) {
  std::shared_ptr<Predictor> predictor;
  std::vector<float> seen;
  AtHook hooks;
  hooks.at_setup = [&](Trainer& t) { predictor = t.get_predictor({"x"}, {"predicted"}); };
  hooks.at_step = [&](Trainer&) { seen.push_back(predict(*predictor, 3)); };
  train(100, hooks);
  EXPECT_NE(seen.front(), seen.back());
  EXPECT_NEAR(seen.back(), 7, 1e-2);
}

TEST_F(LaunchTest, APredictorMayBeAskedForInTheMiddleOfTraining) {
  std::vector<std::shared_ptr<Predictor>> predictors;
  AtHook hooks;
  hooks.at_step = [&](Trainer& t) { predictors.push_back(t.get_predictor({"x"}, {"predicted"})); };
  train(2, hooks);
  EXPECT_EQ(predict(*predictors.front(), 3), predict(*predictors.back(), 3));
  EXPECT_TRUE(trainer.graph().finalized());
  EXPECT_EQ(trainer.tower_func()->towers().size(), 2u);
}

TEST_F(LaunchTest, APredictorThatOutlivesItsTrainerSaysSo) {
  auto trainer = std::make_unique<SimpleTrainer>();
  launch_train_with_config(
      {.model = model, .dataflow = toy_data(), .max_epoch = 1, .log_dir = folder / "log"}, *trainer);
  const auto predictor = trainer->get_predictor({"x"}, {"predicted"});
  predict(*predictor, 3);
  trainer.reset();
  EXPECT_THAT(message_of<UsageError>([&] { predict(*predictor, 3); }), HasSubstr("keep the trainer"));
}

TEST_F(LaunchTest, DropoutDropsInTrainingOnly) {
  train(1);
  const at::Tensor x = at::ones({1000, 1});
  auto predictor = trainer.get_predictor({"x"}, {"dropped"});
  EXPECT_TRUE((*predictor)(x)[0].equal(at::ones({1000, 1})));
  EXPECT_FALSE(trainer.session().run("dropped", {{"x", x}}).equal(at::ones({1000, 1})));
}

TEST_F(LaunchTest, InferenceMayNotCreateVariables) {
  struct Unequal : ToyModel {
    Tensor build_graph(const TowerInputs& in) override {
      if (!current_tower_context().is_training()) FullyConnected("late", in["x"], {.units = 1});
      return ToyModel::build_graph(in);
    }
  } unequal;
  TrainConfig wanted = config(1);
  wanted.model = unequal;
  launch_train_with_config(wanted, trainer);
  try {
    trainer.get_predictor({"x"}, {"predicted"});
    ADD_FAILURE() << "expected a UsageError";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("late/W"));
  }
}

TEST_F(LaunchTest, ATensorThatOnlyTrainingHasIsNoOutput) {
  struct LessInInference : ToyModel {
    Tensor build_graph(const TowerInputs& in) override {
      if (current_tower_context().is_training()) return ToyModel::build_graph(in);
      return identity(FullyConnected("fc", in["x"], {.units = 1}), "predicted");
    }
  } less;
  TrainConfig wanted = config(1);
  wanted.model = less;
  launch_train_with_config(wanted, trainer);
  EXPECT_NO_THROW(trainer.get_predictor({"x"}, {"predicted", "fc/W", "global_step"}));
  try {
    trainer.get_predictor({"x"}, {"dropped"});
    ADD_FAILURE() << "expected a UsageError";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("[tower 'tower-pred-cpu'] expected a tensor of this tower"));
  }
}

TEST_F(LaunchTest, TheModelIsBuiltOnTheCurrentDevice) {
  const DeviceScope on(c10::Device(c10::kCUDA, 1));
  trainer.setup_graph(AnyModel(model).tower_func(), QueueInput(toy_data()),
                      [&] { return model.optimizer(); });
  for (const char* name : {"cost", "fc/W", "train_op"})
    EXPECT_EQ(trainer.graph().tensor(name).node().device(), c10::Device(c10::kCUDA, 1)) << name;
}

TEST_F(LaunchTest, AnUnknownOutputIsNamed) {
  train(1);
  EXPECT_THROW(trainer.get_predictor({"x"}, {"probability"}), UsageError);
}

TEST_F(LaunchTest, AnErrorInTheDataEndsTrainingCleanlyAndSoon) {
  auto fail = [](Datapoint point) -> Datapoint {
    if (point[0][0].item<float>() > 0) throw std::runtime_error("cannot decode");
    return point;
  };
  bool after_train = false;
  AtHook hooks;
  hooks.at_end = [&](Trainer&) { after_train = true; };
  TrainConfig wanted = config(1000);
  wanted.data = QueueInput(MapData(toy_data(), fail));
  wanted.callbacks = callbacks(hooks);
  EXPECT_THAT(error_of(wanted), HasSubstr("cannot decode"));
  EXPECT_TRUE(after_train);
}

TEST_F(LaunchTest, DataThatEndsEndsTrainingCleanly) {
  TrainConfig wanted = config(1000);
  wanted.data = FeedInput(toy_data(), {.infinite = false});
  wanted.steps_per_epoch = 100;
  launch_train_with_config(wanted, trainer);
  EXPECT_EQ(trainer.global_step(), 3);
  EXPECT_THAT(log, HasSubstr("the data of FeedInput is at its end"));
}

TEST_F(LaunchTest, EmptyDataIsAnErrorUnlessNoStepsAreWanted) {
  auto error_with = [&](std::optional<int64_t> steps_per_epoch) {
    TrainConfig wanted = config(1);
    wanted.data = QueueInput(DataFromTensors({at::ones({0, 1}), at::ones({0, 1})}));
    wanted.steps_per_epoch = steps_per_epoch;
    return error_of(wanted);
  };
  EXPECT_THAT(error_with({}), HasSubstr("expected data, got none: the size of QueueInput is 0"));
  EXPECT_THAT(error_with(1), HasSubstr("expected data, got a dataflow that is empty"));
  EXPECT_EQ(error_with(0), "");
}

TEST_F(LaunchTest, AnIncompleteConfigIsExplained) {
  TrainConfig no_model = config(1), no_data = config(1), both = config(1), no_size = config(1);
  no_model.model = {};
  no_data.data = {};
  both.dataflow = toy_data();
  no_size.data = QueueInput(RepeatedData(toy_data(), -1));
  EXPECT_THAT(error_of(no_model), HasSubstr("expected .model"));
  EXPECT_THAT(error_of(no_data), HasSubstr("got neither"));
  EXPECT_THAT(error_of(both), HasSubstr("got both"));
  EXPECT_THAT(error_of(no_size), HasSubstr("expected .steps_per_epoch"));
}

TEST_F(LaunchTest, TheCostMustBeAScalar) {
  struct Vector : ToyModel {
    Tensor build_graph(const TowerInputs& in) override { return in["x"]; }
  } vector;
  struct Nothing : ToyModel {
    Tensor build_graph(const TowerInputs&) override { return {}; }
  } nothing;
  TrainConfig wanted = config(1);
  wanted.model = vector;
  EXPECT_THAT(error_of(wanted), HasSubstr("expected a scalar cost"));
  wanted = config(1);
  wanted.model = nothing;
  EXPECT_THAT(error_of(wanted), HasSubstr("expected a cost"));
}

TEST_F(LaunchTest, ForgottenRegularizationGivesAWarning) {
  struct Regularized : ToyModel {
    Tensor build_graph(const TowerInputs& in) override {
      get_variable("w", {3}, {.regularizer = [](const Tensor& v) { return l2_loss(v, "forgotten"); }});
      return ToyModel::build_graph(in);
    }
  } regularized;
  TrainConfig wanted = config(1);
  wanted.model = regularized;
  launch_train_with_config(wanted, trainer);
  EXPECT_THAT(log, HasSubstr("forgotten"));
}

// As after a kill between the last entry of stats.json and the last checkpoint.
TEST_F(LaunchTest, ResumingGoesOnFromTheCheckpointWhereStatisticsAreAheadOfIt) {
  const std::string log_dir = config(1).log_dir;
  const auto train = [&](int64_t epochs) {
    AtHook put;
    put.at_step = [](Trainer& t) { t.monitors().put_scalar("step", static_cast<double>(t.global_step())); };
    TrainConfig wanted = config(epochs);
    wanted.callbacks = callbacks(put, ModelSaver());
    wanted.monitors = {std::make_shared<JSONWriter>()};
    SimpleTrainer any;
    launch_train_with_config(AutoResumeTrainConfig(wanted), any);
  };
  train(2);
  remove_checkpoint(log_dir + "/model-6");
  train(3);
  std::vector<int64_t> steps;
  for (const auto& entry : JSONWriter::load_existing(log_dir)) steps.push_back(entry.global_step);
  EXPECT_THAT(steps, testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST_F(LaunchTest, ResumingACompleteTrainingDoesNothing) {
  TrainConfig wanted = config(2);
  wanted.callbacks = callbacks(ModelSaver());
  launch_train_with_config(AutoResumeTrainConfig(wanted), trainer);
  SimpleTrainer second;
  TrainConfig again = config(2);
  launch_train_with_config(AutoResumeTrainConfig(again), second);
  EXPECT_EQ(second.global_step(), 6);
  EXPECT_TRUE(second.session().run("fc/W").equal(trainer.session().run("fc/W")));
}

}  // namespace
}  // namespace belfry::test
