#include "belfry/loop/trainer.h"

#include <ATen/ops/scalar_tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/scope.h"
#include "belfry/loop/periodic_trigger.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TestTrainer : public Trainer {
 public:
  void run_step() override { run_hooked({}); }
};

class NamedCallback : public Callback {
 public:
  std::string name() const override { return "Named"; }
};

/// Puts a scalar after every step.
class Scalar : public NamedCallback {
 public:
  void trigger_step() override { trainer().monitors().put_scalar("cost", trainer().global_step() * 10); }
};

class Screen : public Monitor {
 public:
  explicit Screen(std::vector<std::string>& lines) : lines_(&lines) {}
  std::string name() const override { return "Screen"; }
  void put_scalar(const std::string& tag, double value, int64_t step) override {
    lines_->push_back(fmt::format("{} {} {}", tag, value, step));
  }

 private:
  std::vector<std::string>* lines_;
};

class SetStep : public SessionInit {
 public:
  void init(Session& session) const override {
    session.set_value(Variable(session.graph().find_variable("global_step")),
                      at::scalar_tensor(7, at::kLong));
  }
};

void expect_usage_error(const std::function<void()>& action, const std::string& message) {
  try {
    action();
    ADD_FAILURE() << "expected a UsageError";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr(message));
  }
}

TEST(TrainerTest, TheVariableGlobalStepCountsSteps) {
  TestTrainer trainer;
  trainer.train({.loop = {.steps_per_epoch = 3, .max_epoch = 2}});
  EXPECT_EQ(trainer.session().run("global_step").item<int64_t>(), 6);
}

TEST(TrainerTest, CountsOnFromTheStepThatSessionInitSets) {
  TestTrainer trainer;
  trainer.train({.session_init = SetStep(), .loop = {.steps_per_epoch = 3, .max_epoch = 1}});
  EXPECT_EQ(trainer.global_step(), 10);
}

TEST(TrainerTest, AStartingStepShortensTheFirstEpochOnly) {
  TestTrainer trainer;
  trainer.train({.loop = {.steps_per_epoch = 10, .starting_epoch = 2, .max_epoch = 3, .starting_step = 4}});
  EXPECT_EQ(trainer.global_step(), 6 + 10);
}

TEST(TrainerTest, EpochsWithoutStepsRunTheCallbacks) {
  TestTrainer trainer;
  trainer.train({.callbacks = callbacks(NamedCallback()), .loop = {.steps_per_epoch = 0, .max_epoch = 3}});
  EXPECT_EQ(trainer.epoch_num(), 3);
}

TEST(TrainerTest, HasFailedOnlyWhenAnErrorEndedIt) {
  struct Throws : NamedCallback {
    explicit Throws(bool stops) : stops(stops) {}
    void trigger_step() override {
      if (stops) throw StopTraining("enough");
      throw std::runtime_error("oops");
    }
    void after_train() override { failed_after_train = trainer().failed(); }
    bool stops, failed_after_train = false;
  };
  auto stops = std::make_shared<Throws>(true), fails = std::make_shared<Throws>(false);
  TestTrainer().train({.callbacks = callbacks(stops), .loop = {.steps_per_epoch = 3}});
  EXPECT_FALSE(stops->failed_after_train);
  EXPECT_THROW(TestTrainer().train({.callbacks = callbacks(fails), .loop = {.steps_per_epoch = 3}}),
               std::runtime_error);
  EXPECT_TRUE(fails->failed_after_train);
}

TEST(TrainerTest, ATriggerableDoesItsThingAtTheEndOfEachEpochOrWhenTriggered) {
  struct Counts : Triggerable {
    std::string name() const override { return "Counts"; }
    void trigger() override { ++count; }
    int count = 0;
  };
  auto each_epoch = std::make_shared<Counts>(), each_step = std::make_shared<Counts>();
  TestTrainer().train({.callbacks = callbacks(each_epoch, PeriodicTrigger(each_step, {.every_k_steps = 1})),
                       .loop = {.steps_per_epoch = 5, .max_epoch = 2}});
  EXPECT_EQ(each_epoch->count, 2);
  EXPECT_EQ(each_step->count, 10);
}

TEST(TrainerTest, CallbacksFindTensorsInTheTrainingTowerOrElseInTheGraph) {
  struct Looks : NamedCallback {
    void before_train() override {
      found = get_tensors_maybe_in_tower({"cost", "double", "global_step:0"});
      EXPECT_THROW(get_tensors_maybe_in_tower({"half"}), UsageError);
    }
    std::vector<Tensor> found;
  };
  test::TinyTrainer trainer;
  trainer.set_tower_func(
      [](const TowerInputs& in) {
        return default_graph().add("aten::add.Tensor", {in["cost"], in["cost"]}, {}, "double").output();
      },
      {{"cost", {}}});
  auto looks = std::make_shared<Looks>();
  trainer.train({.callbacks = callbacks(looks), .loop = {.steps_per_epoch = 0, .max_epoch = 1}});
  EXPECT_THAT(looks->found, ElementsAre(trainer.cost(), trainer.tower_func()->towers()[0].output(),
                                        trainer.graph().tensor("global_step")));
}

TEST(TrainerTest, MonitorsGetScalarsWithTheGlobalStepAndKeepTheirHistory) {
  TestTrainer trainer;
  std::vector<std::string> lines;
  trainer.train({.callbacks = callbacks(Scalar()),
                 .monitors = {std::make_shared<Screen>(lines)},
                 .loop = {.steps_per_epoch = 2, .max_epoch = 1}});
  EXPECT_THAT(lines, ElementsAre("cost 10 1", "cost 20 2"));
  EXPECT_EQ(trainer.monitors().get_latest("cost")->step, 2);
  EXPECT_EQ(trainer.monitors().get_history("cost")[0].value, 10);
  EXPECT_FALSE(trainer.monitors().get_latest("unknown"));
}

TEST(TrainerTest, TheGraphIsFinalOnceTrainingStarts) {
  struct Late : NamedCallback {
    void trigger_step() override { default_graph().add("aten::zeros", {}, {{"size", Shape{2}}}); }
  };
  TestTrainer trainer;
  expect_usage_error([&] { trainer.train({.callbacks = callbacks(Late()), .loop = {.steps_per_epoch = 1}}); },
                     "the graph is final");
}

TEST(TrainerTest, NodesOfACallbackAreNamedAfterIt) {
  struct Builds : NamedCallback {
    void setup_graph() override { default_graph().add("aten::zeros", {}, {{"size", Shape{2}}}, "z"); }
  };
  TestTrainer trainer;
  trainer.setup_callbacks(
      {.callbacks = callbacks(Builds(), PeriodicTrigger(Builds(), {.every_k_steps = 1}))});
  EXPECT_TRUE(trainer.graph().find_tensor("Named/z"));
  EXPECT_TRUE(trainer.graph().find_tensor("Named_1/z"));
}

TEST(TrainerTest, GlobalStepIsTheSameInEveryScope) {
  Graph graph;
  GraphScope as_default(graph);
  Variable outside;
  {
    VariableScope scope("layer");
    outside = get_global_step();
  }
  EXPECT_EQ(outside.name(), "global_step");
  EXPECT_EQ(outside, get_global_step());
}

TEST(TrainerTest, MisuseIsExplained) {
  TestTrainer trainer;
  expect_usage_error([&] { NamedCallback().trainer(); }, "[Named] expected to be registered");
  expect_usage_error([&] { PeriodicTrigger(NamedCallback(), {}); }, "it would never trigger");
  expect_usage_error([&] { PeriodicTrigger(NamedCallback(), {.every_k_steps = 0}); }, "a positive period");
  expect_usage_error([&] { trainer.register_callback(nullptr); }, "got null");
  expect_usage_error([&] { trainer.get_predictor({"x"}, {"y"}); }, "knows its tower function");
  expect_usage_error([&] { trainer.main_loop({}); }, "expected setup_callbacks");
  expect_usage_error([&] { trainer.train({.loop = {.steps_per_epoch = -1}}); }, "steps_per_epoch >= 0");
  expect_usage_error([&] { TestTrainer().train({.loop = {.max_epoch = 3}}); }, "steps_per_epoch >= 0");
}

TEST(TrainerTest, AnExceptionOfACallbackHasItsName) {
  struct Throws : NamedCallback {
    Throws(std::string hook, std::function<void()> action)
        : hook(std::move(hook)), action(std::move(action)) {}
    void at(const std::string& now) {
      if (now == hook) action();
    }
    void setup_graph() override { at("setup_graph"); }
    void before_train() override { at("before_train"); }
    void before_epoch() override { at("before_epoch"); }
    std::vector<Tensor> before_run() override { return at("before_run"), std::vector<Tensor>(); }
    void after_run(const std::vector<at::Tensor>&) override { at("after_run"); }
    void trigger_step() override { at("trigger_step"); }
    void after_epoch() override { at("after_epoch"); }
    void trigger_epoch() override { at("trigger_epoch"); }
    std::string hook;
    std::function<void()> action;
  };
  for (const char* hook : {"setup_graph", "before_train", "before_epoch", "before_run", "after_run",
                           "trigger_step", "after_epoch", "trigger_epoch"}) {
    TestTrainer trainer;
    try {
      trainer.train({.callbacks = callbacks(Throws(hook, [] { throw std::out_of_range("no such key"); })),
                     .loop = {.steps_per_epoch = 1, .max_epoch = 1}});
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& e) {
      EXPECT_EQ(e.what(), fmt::format("[Named] {}: no such key", hook));
      EXPECT_THROW(std::rethrow_if_nested(e), std::out_of_range);
    }
  }
}

struct OfAProgram {
  int code;
};

TEST(TrainerTest, AnExceptionOfAnotherClassArrivesAsItIsAndTheLogNamesTheCallback) {
  struct Throws : NamedCallback {
    void trigger_step() override { throw OfAProgram{7}; }
  };
  test::LogLines log;
  TestTrainer trainer;
  try {
    trainer.train({.callbacks = callbacks(Throws()), .loop = {.steps_per_epoch = 1, .max_epoch = 1}});
    ADD_FAILURE() << "expected the exception";
  } catch (const OfAProgram& e) {
    EXPECT_EQ(e.code, 7);
  }
  EXPECT_THAT(log.text(), HasSubstr("[Named] trigger_step: an exception of unknown type"));
  EXPECT_EQ(trainer.end().reason, EndReason::kFailed);
}

TEST(TrainerTest, TellsHowTrainingEnded) {
  struct Stops : NamedCallback {
    void trigger_step() override { throw StopTraining("enough"); }
  };
  TestTrainer trainer;
  EXPECT_EQ(trainer.end().reason, EndReason::kNone);
  const TrainingEnd end =
      trainer.train({.callbacks = callbacks(Stops()), .loop = {.steps_per_epoch = 1, .max_epoch = 1}});
  EXPECT_EQ(end.reason, EndReason::kStopTraining);
  EXPECT_EQ(end.message, "enough");
  EXPECT_FALSE(trainer.failed());
}

}  // namespace
}  // namespace belfry
