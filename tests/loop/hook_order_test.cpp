#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>

#include "belfry/base/log.h"
#include "belfry/loop/periodic_trigger.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

using Lines = std::vector<std::string>;

/// The calls that tensorpack makes, by scenario; written by hook_order.py.
std::map<std::string, Lines> tensorpack_order() {
  std::ifstream file("tests/loop/hook_order.txt");
  std::map<std::string, Lines> scenarios;
  Lines* current = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("# ")) {
      current = &scenarios[line.substr(2)];
    } else {
      current->push_back(line);
    }
  }
  return scenarios;
}

/// Does something at a hook, when global_step is `step`.
struct Action {
  std::string hook;
  int64_t step;
  std::function<void()> run;
};

/// Notes every call of a hook with epoch_num, global_step and local_step. `Base` is Callback or Monitor.
template <typename Base>
class Recorder : public Base {
 public:
  Recorder(std::string label, Lines& lines, std::optional<Action> action = {}, bool fetches = true)
      : label_(std::move(label)), lines_(&lines), action_(std::move(action)), fetches_(fetches) {}

  std::string name() const override { return "Recorder"; }
  void setup_graph() override { note("setup_graph"); }
  void before_train() override { note("before_train"); }
  void before_epoch() override { note("before_epoch"); }
  std::vector<Tensor> before_run() override {
    note("before_run");
    if (!fetches_) return {};
    return {this->trainer().graph().tensor("global_step")};
  }
  void after_run(const std::vector<at::Tensor>&) override { note("after_run"); }
  void trigger_step() override { note("trigger_step"); }
  void after_epoch() override { note("after_epoch"); }
  void trigger_epoch() override {
    note("trigger_epoch");
    this->trigger();
  }
  void trigger() override { note("trigger"); }
  void after_train() override { note("after_train"); }

 protected:
  void note(const std::string& hook) {
    const Trainer& t = this->trainer();
    lines_->push_back(
        fmt::format("{} {} {} {} {}", hook, label_, t.epoch_num(), t.global_step(), t.local_step()));
    if (action_ && action_->hook == hook && action_->step == t.global_step()) action_->run();
  }

 private:
  std::string label_;
  Lines* lines_;
  std::optional<Action> action_;
  bool fetches_;
};

class RecorderMonitor : public Recorder<Monitor> {
 public:
  using Recorder::Recorder;
  void put_scalar(const std::string&, double, int64_t) override {}
};

class EmptyStepTrainer : public Trainer {
  void run_step() override { run_hooked({}); }
};

class HookOrderTest : public testing::Test {
 protected:
  HookOrderTest() {
    set_log_sink([](LogLevel, std::string_view) {});
  }
  ~HookOrderTest() override { set_log_sink({}); }

  /// The scenario of hook_order.py with that action of the callback `first`.
  void train(std::optional<Action> action = {}, int64_t starting_epoch = 1) {
    trainer.register_callback(std::make_shared<Recorder<Callback>>("input", lines));
    try {
      trainer.train({.callbacks = callbacks(
                         Recorder<Callback>("first", lines, std::move(action)),
                         Recorder<Callback>("idle", lines, std::nullopt, /*fetches=*/false),
                         PeriodicTrigger(Recorder<Callback>("periodic", lines),
                                         {.every_k_steps = 2, .every_k_epochs = 2, .before_train = true})),
                     .monitors = {std::make_shared<RecorderMonitor>("monitor", lines)},
                     .loop = {.steps_per_epoch = 3, .starting_epoch = starting_epoch, .max_epoch = 2}});
    } catch (const std::runtime_error&) {
      lines.push_back("thrown");
    }
  }

  const std::map<std::string, Lines> expected = tensorpack_order();
  EmptyStepTrainer trainer;
  Lines lines;
};

TEST_F(HookOrderTest, AWholeTrainingCallsHooksAsTensorpackDoes) {
  train();
  EXPECT_EQ(lines, expected.at("whole"));
}

TEST_F(HookOrderTest, AResumedTrainingDoesToo) {
  train({}, 2);
  EXPECT_EQ(lines, expected.at("resumed"));
}

TEST_F(HookOrderTest, StopTrainingEndsItAndReturns) {
  train(Action{"trigger_step", 2, [] { throw StopTraining("enough"); }});
  EXPECT_EQ(lines, expected.at("stopped"));
}

TEST_F(HookOrderTest, AnErrorEndsItAndIsThrown) {
  train(Action{"after_run", 1, [] { throw std::runtime_error("oops"); }});
  EXPECT_EQ(lines, expected.at("failed"));
}

TEST_F(HookOrderTest, AnErrorBeforeTrainingStillRunsAfterTrain) {
  train(Action{"before_train", 0, [] { throw std::runtime_error("oops"); }});
  EXPECT_EQ(lines, expected.at("failed before training"));
}

TEST_F(HookOrderTest, ARequestToStopFinishesTheStep) {
  train(Action{"before_run", 1, [this] { trainer.request_stop(); }});
  EXPECT_EQ(trainer.global_step(), 2);
  EXPECT_EQ(lines.back(), "after_train monitor 1 2 1");
}

TEST_F(HookOrderTest, AFailingAfterTrainDoesNotKeepTheOthersFromTheirs) {
  train(Action{"after_train", 6, [] { throw std::runtime_error("oops"); }});
  EXPECT_EQ(lines.back(), "after_train monitor 2 6 2");
}

}  // namespace
}  // namespace belfry
