#include "belfry/train/tower_trainer.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/input/tensor_input.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/predict/predictor.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

Tensor scalar_variable(const std::string& name, double value) {
  return get_variable(name, {}, {.initializer = constant_initializer(value)});
}

/// Two players, two costs: `left` wants to be at `right` + x, `right` at half of `left`.
Tensor build_game(const TowerInputs& in) {
  const Tensor left = scalar_variable("left", 0), right = scalar_variable("right", 0);
  const Tensor left_error = left - (right + in["x"]), right_error = right - left * 0.5;
  identity(left_error * left_error, "left_cost");
  identity(right_error * right_error, "right_cost");
  return {};
}

class GameTrainer : public TowerTrainer {
 public:
  explicit GameTrainer(Shared<InputSource> input) {
    set_tower_func(TowerFunc(build_game, {{"x", {}, kFloat32}}));
    set_input(std::move(input));
    build_training_tower();
    GraphScope as_default(graph());
    left_step_ = minimize("left");
    right_step_ = minimize("right");
  }

 private:
  Tensor minimize(const std::string& player) {
    GradientDescent optimizer({.learning_rate = 0.2});
    return optimizer.minimize(graph().tensor(player + "_cost"), {Variable(graph().find_variable(player))},
                              {.global_step = {}, .name = player + "_step"});
  }
  void run_step() override {
    const std::vector<at::Tensor> batch = next_batch();
    run({left_step_}, batch);
    run_hooked({right_step_}, batch);
  }

  Tensor left_step_, right_step_;
};

TensorInput ones_input() {
  return TensorInput([] { return std::vector<Tensor>{ones({})}; }, 10);
}

TEST(TowerTrainerTest, TwoCostsAndTwoOptimizersNeedNoChangeOfTheLibrary) {
  GameTrainer trainer(ones_input());
  trainer.train({.loop = {.steps_per_epoch = 100, .max_epoch = 2}});
  EXPECT_NEAR(trainer.session().run("left").item<float>(), 2, 1e-3);
  EXPECT_NEAR(trainer.session().run("right").item<float>(), 1, 1e-3);
  EXPECT_EQ(trainer.global_step(), 200);
}

TEST(TowerTrainerTest, PredictorsOfSuchATrainerWorkToo) {
  GameTrainer trainer(ones_input());
  trainer.train({.loop = {.steps_per_epoch = 100, .max_epoch = 2}});
  auto predictor = trainer.get_predictor({"x"}, {"left_cost"});
  EXPECT_NEAR((*predictor)(at::full({}, 4.0f))[0].item<float>(), 9, 1e-2);
}

TEST(TowerTrainerTest, TheModelIsLoggedWhenTrainingStarts) {
  GameTrainer trainer(ones_input());
  const test::LogLines log;
  trainer.train({.loop = {.steps_per_epoch = 1, .max_epoch = 1}});
  EXPECT_NE(log.text().find("2 trainable variables of 2 elements"), std::string::npos) << log.text();
}

TEST(TowerTrainerTest, MisuseIsExplained) {
  struct Bare : TowerTrainer {
    using TowerTrainer::build_training_tower;
    using TowerTrainer::next_batch;
    using TowerTrainer::set_input;
    using TowerTrainer::set_tower_func;
    void run_step() override { run_hooked({}); }
  } trainer;
  EXPECT_THROW(trainer.get_predictor({"x"}, {"y"}), UsageError);
  EXPECT_THROW(trainer.set_input(ones_input()), UsageError);
  trainer.set_tower_func(TowerFunc(build_game, {{"x", {}, kFloat32}}));
  EXPECT_THROW(trainer.set_tower_func(TowerFunc(build_game, {})), UsageError);
  EXPECT_THROW(trainer.build_training_tower(), UsageError);
  EXPECT_THROW(trainer.next_batch(), UsageError);
  trainer.set_input(ones_input());
  EXPECT_THROW(trainer.set_input(ones_input()), UsageError);
}

TEST(TowerTrainerTest, AStopRequestEndsTheWaitForTheNextBatch) {
  struct Bare : TowerTrainer {
    Bare() {
      set_tower_func(TowerFunc(build_game, {{"x", {}, kFloat32}}));
      set_input(ones_input());
    }
    using TowerTrainer::next_batch;
    void run_step() override {}
  } trainer;
  EXPECT_TRUE(trainer.next_batch().empty());
  trainer.request_stop();
  try {
    trainer.next_batch();
    FAIL();
  } catch (const StopTraining& e) {
    EXPECT_EQ(e.reason(), EndReason::kStopRequested);
  }
}

}  // namespace
}  // namespace belfry
