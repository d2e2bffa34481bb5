#include "belfry/callbacks/stop_on_nan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "belfry/base/error.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::AtEpochEnd;
using test::TinyTrainer;
using testing::AllOf;
using testing::HasSubstr;

Tensor zeros(const Shape& shape, DType dtype) {
  return default_graph().add("aten::zeros", {}, {{"size", shape}, {"dtype", dtype}}).output();
}

/// A trainer whose tower function returns the cost.
std::unique_ptr<TinyTrainer> trainer_with_costs(std::vector<double> costs) {
  auto trainer = std::make_unique<TinyTrainer>(std::move(costs));
  trainer->set_tower_func([](const TowerInputs& in) { return in["cost"]; }, {{"cost", {}}});
  return trainer;
}

TEST(StopOnNaN, StopsWithTheFirstBadCostAndSaysWhere) {
  for (double bad : {double(NAN), double(INFINITY), -double(INFINITY)}) {
    test::LogLines log;
    auto trainer = trainer_with_costs({1, 2, 3, 4, bad});
    trainer->build([] { get_variable("learning_rate", {}, {.initializer = zeros, .trainable = false}); });
    int finished_epochs = 0;
    trainer->train({.callbacks = callbacks(StopOnNaN(), AtEpochEnd([&](Trainer&) { ++finished_epochs; })),
                    .loop = {.steps_per_epoch = 3, .max_epoch = 9}});
    EXPECT_EQ(finished_epochs, 1);
    EXPECT_THAT(log.text(), AllOf(HasSubstr("'cost:0' is not finite"), HasSubstr("at global_step=5"),
                                  HasSubstr("learning_rate=0")));
  }
}

TEST(StopOnNaN, FiniteCostsPass) {
  auto trainer = trainer_with_costs({1, 1e30});
  trainer->train({.callbacks = callbacks(StopOnNaN()), .loop = {.steps_per_epoch = 3, .max_epoch = 2}});
  EXPECT_EQ(trainer->global_step(), 6);
}

TEST(StopOnNaN, WatchesTheTensorsItIsTold) {
  TinyTrainer trainer({1, NAN});
  trainer.train({.callbacks = callbacks(StopOnNaN({.names = {"cost"}})), .loop = {.steps_per_epoch = 9}});
  EXPECT_EQ(trainer.global_step(), 2);
}

TEST(StopOnNaN, WithoutACostThereIsNothingToWatch) {
  TinyTrainer trainer({NAN});
  trainer.train({.callbacks = callbacks(StopOnNaN()), .loop = {.steps_per_epoch = 3, .max_epoch = 1}});
  EXPECT_EQ(trainer.global_step(), 3);
}

TEST(StopOnNaN, ATensorThatDoesNotExistIsAnError) {
  TinyTrainer trainer;
  EXPECT_THROW(
      trainer.train({.callbacks = callbacks(StopOnNaN({.names = {"loss"}})), .loop = {.steps_per_epoch = 1}}),
      UsageError);
}

}  // namespace
}  // namespace belfry
