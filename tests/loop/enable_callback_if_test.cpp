#include "belfry/loop/enable_callback_if.h"

#include <ATen/ops/scalar_tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/loop/callback_factory.h"
#include "belfry/loop/no_op_trainer.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::LogLines;
using test::TinyTrainer;
using testing::ElementsAre;
using testing::HasSubstr;

/// Notes its hooks of epochs and steps, with the number of the epoch and of the step under way.
class Noted : public Callback {
 public:
  explicit Noted(std::vector<std::string>& calls) : calls_(&calls) {}
  std::string name() const override { return "Noted"; }
  void before_train() override { note("before_train"); }
  void before_epoch() override { note("before_epoch"); }
  std::vector<Tensor> before_run() override { return {trainer().graph().tensor("cost")}; }
  void after_run(const std::vector<at::Tensor>& values) override {
    note("run " + std::to_string(values.at(0).item<int>()));
  }
  void trigger_step() override { note("trigger_step"); }
  void trigger() override { note("trigger"); }

 private:
  void note(const std::string& what) {
    calls_->push_back(fmt::format("{} {}.{}", what, trainer().epoch_num(), trainer().local_step()));
  }
  std::vector<std::string>* calls_;
};

struct EnableCallbackIfTest : testing::Test {
  void train(Callbacks callbacks, LoopOptions loop) {
    TinyTrainer trainer({1, 2, 3, 4});
    trainer.train({.callbacks = std::move(callbacks), .loop = loop});
  }
  std::vector<std::string> calls;
};

TEST_F(EnableCallbackIfTest, HooksOfEpochsAndStepsRunWhereThePredicateHolds) {
  const auto second_epoch = [](Trainer& t) { return t.epoch_num() == 2; };
  train(callbacks(EnableCallbackIf(Noted(calls), second_epoch)), {.steps_per_epoch = 1, .max_epoch = 2});
  EXPECT_THAT(calls, ElementsAre("before_train 0.-1", "before_epoch 2.0", "run 2 2.0", "trigger_step 2.0",
                                 "trigger 2.0"));
}

/// The predicate of a step is that of before_run, where global_step has not counted it yet.
TEST_F(EnableCallbackIfTest, EveryKSteps) {
  train(callbacks(PeriodicCallback(Noted(calls), {.every_k_steps = 2})),
        {.steps_per_epoch = 4, .max_epoch = 1});
  EXPECT_THAT(calls, ElementsAre("before_train 0.-1", "before_epoch 1.-1", "run 1 1.0", "trigger_step 1.1",
                                 "run 3 1.2", "trigger_step 1.3", "trigger 1.3"));
}

TEST_F(EnableCallbackIfTest, EveryKEpochsAndInTheLastStep) {
  train(callbacks(PeriodicCallback(Noted(calls), {.every_k_epochs = 2})),
        {.steps_per_epoch = 1, .max_epoch = 3});
  EXPECT_THAT(calls,
              ElementsAre("before_train 0.-1", "before_epoch 2.0", "run 2 2.0", "trigger_step 2.0",
                          "trigger 2.0", "before_epoch 3.0", "run 3 3.0", "trigger_step 3.0", "trigger 3.0"));
}

TEST_F(EnableCallbackIfTest, WhatWouldNeverRunIsAnError) {
  EXPECT_THROW(PeriodicCallback(Noted(calls), {}), UsageError);
  EXPECT_THROW(PeriodicCallback(Noted(calls), {.every_k_steps = 0}), UsageError);
  EXPECT_THROW(EnableCallbackIf(Noted(calls), {}), UsageError);
}

TEST(CallbackFactory, CallsTheFunctionsThatItHas) {
  std::vector<int64_t> epochs;
  NoOpTrainer trainer;
  trainer.train({.callbacks = callbacks(CallbackFactory(
                     {.trigger = [&](Callback& self) { epochs.push_back(self.trainer().epoch_num()); }})),
                 .loop = {.steps_per_epoch = 2, .max_epoch = 2}});
  EXPECT_THAT(epochs, ElementsAre(1, 2));
  EXPECT_EQ(trainer.global_step(), 4);
}

/// Feeds "cost" with the step's number, and another placeholder in every second step.
class Feeding : public Callback {
 public:
  explicit Feeding(std::vector<double>& seen) : seen_(&seen) {}
  std::string name() const override { return "Feeding"; }
  void setup_graph() override { extra_ = build_or_reuse_placeholder({"extra", {}, kFloat32}); }
  std::vector<Tensor> before_run() override {
    if (is_second()) return {trainer().graph().tensor("cost"), extra_};
    return {trainer().graph().tensor("cost")};
  }
  std::vector<std::pair<Tensor, at::Tensor>> feeds_of_run() override {
    const auto step = static_cast<double>(trainer().global_step());
    std::vector<std::pair<Tensor, at::Tensor>> feeds = {
        {trainer().graph().tensor("cost"), at::scalar_tensor(10 * step)}};
    if (is_second()) feeds.emplace_back(extra_, at::scalar_tensor(7));
    return feeds;
  }
  void after_run(const std::vector<at::Tensor>& values) override {
    for (const at::Tensor& value : values) seen_->push_back(value.item<double>());
  }

 private:
  bool is_second() const { return trainer().global_step() % 2 == 1; }
  std::vector<double>* seen_;
  Tensor extra_;
};

TEST(FeedsOfRun, ReplaceTheBatchsAndAddOthers) {
  std::vector<double> seen;
  TinyTrainer trainer({1, 2, 3});
  trainer.train({.callbacks = callbacks(Feeding(seen)), .loop = {.steps_per_epoch = 3, .max_epoch = 1}});
  EXPECT_THAT(seen, ElementsAre(0, 10, 7, 20));
}

TEST(ChiefOnly, AnObjectMaySayOtherwise) {
  struct Worker : TinyTrainer {
    bool is_chief() const override { return false; }
  };
  LogLines log;
  std::vector<std::string> calls;
  auto chief = std::make_shared<Noted>(calls), everywhere = std::make_shared<Noted>(calls);
  everywhere->set_chief_only(false);
  Worker worker;
  EXPECT_FALSE(worker.register_callback(chief));
  EXPECT_TRUE(worker.register_callback(everywhere));
}

TEST(TrainOp, AStepRunsItUnlessOverridden) {
  struct Plain : Trainer {
    using Trainer::set_train_op;
  };
  Plain trainer;
  {
    GraphScope as_default(trainer.graph());
    const Variable v = get_variable("v", {}, {.dtype = kInt64, .trainable = false});
    trainer.set_train_op(default_graph().add("aten::add_.Scalar", {v}, {{"other", 2}}, "two").output());
  }
  trainer.train({.loop = {.steps_per_epoch = 3, .max_epoch = 1}});
  EXPECT_EQ(trainer.session().run("v").item<int64_t>(), 6);
  LogLines log;
  EXPECT_THROW(Plain().train({.loop = {.steps_per_epoch = 1, .max_epoch = 1}}), UsageError);
}

}  // namespace
}  // namespace belfry
