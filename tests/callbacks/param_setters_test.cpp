#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "belfry/base/error.h"
#include "belfry/callbacks/human_hyper_param_setter.h"
#include "belfry/callbacks/hyper_param_setter.h"
#include "belfry/callbacks/stat_monitor_param_setter.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::AtEpochEnd;
using test::LogLines;
using test::TinyTrainer;
using testing::ElementsAre;
using testing::HasSubstr;

struct Agent {
  double exploration = 1;
  int steps = 4;
};

struct ParamSettersTest : testing::Test {
  void train(Callbacks callbacks, int64_t epochs, const std::string& log_dir = "") {
    TinyTrainer trainer;
    callbacks.push_back(std::make_shared<AtEpochEnd>([&](Trainer&) { values.push_back(agent.exploration); }));
    trainer.train({.callbacks = std::move(callbacks),
                   .loop = {.steps_per_epoch = 1, .max_epoch = epochs},
                   .log_dir = log_dir});
  }
  ObjAttrParam param() { return {agent, &Agent::exploration, "exploration"}; }
  /// Puts "error" at the end of each epoch.
  AtEpochEnd put(std::vector<double> errors) {
    return AtEpochEnd([errors = std::move(errors)](Trainer& t) {
      const auto epoch = static_cast<size_t>(t.epoch_num() - 1);
      if (epoch < errors.size()) t.monitors().put_scalar("error", errors[epoch]);
    });
  }

  Agent agent;
  std::vector<double> values;
  LogLines log;
};

TEST_F(ParamSettersTest, AFunctionOfTheEpochAndTheOldValueSetsIt) {
  const auto halved = [](int64_t epoch, double old) { return epoch % 2 == 0 ? old / 2 : old; };
  train(callbacks(HyperParamSetterWithFunc(param(), halved)), 4);
  EXPECT_THAT(values, ElementsAre(0.5, 0.25, 0.25, 0.125));
  EXPECT_THROW(HyperParamSetterWithFunc("a", {}), UsageError);
}

TEST_F(ParamSettersTest, AnAttributeIsANumberOfAnyType) {
  ObjAttrParam steps(agent, &Agent::steps, "steps");
  steps.set_value(7);
  EXPECT_EQ(agent.steps, 7);
  EXPECT_EQ(steps.value(), 7);
  EXPECT_THROW(ObjAttrParam("a", {}, {}), UsageError);
}

TEST_F(ParamSettersTest, AFileIsReadWhenTriggered) {
  test::TempDir folder;
  const auto write = [&](Trainer& t) {
    std::ofstream file(folder / "hyper.txt");
    if (t.epoch_num() == 1) file << "other: 3\n\nexploration:0.25 \n";
    if (t.epoch_num() == 2) file << "other: 3\n";
    if (t.epoch_num() == 3) file << "exploration: a lot\n";
  };
  train(callbacks(AtEpochEnd(write), HumanHyperParamSetter(param())), 3, folder.path());
  EXPECT_THAT(values, ElementsAre(0.25, 0.25, 0.25));
  EXPECT_THAT(log.text(), HasSubstr("expected 'name:number' in"));
  EXPECT_THROW(train(callbacks(HumanHyperParamSetter(param())), 1), UsageError);
}

/// tensorpack's rule: changed when min(history) >= history[0] - threshold.
TEST_F(ParamSettersTest, AStatisticThatDoesNotImproveChangesIt) {
  const auto halve = [](double old) { return old / 2; };
  train(
      callbacks(put({5, 4, 4, 4, 4, 3, 3.5}), StatMonitorParamSetter(param(), "error", halve, {.last_k = 3})),
      7);
  EXPECT_THAT(values, ElementsAre(1, 1, 1, 0.5, 0.5, 0.5, 0.5));
}

TEST_F(ParamSettersTest, AThresholdAsksForMore) {
  const auto halve = [](double old) { return old / 2; };
  train(callbacks(put({5, 4.5}),
                  StatMonitorParamSetter(param(), "error", halve, {.threshold = 1, .last_k = 2})),
        2);
  EXPECT_THAT(values, ElementsAre(1, 0.5));
}

TEST_F(ParamSettersTest, ReversedItAsksForLargerValues) {
  const auto halve = [](double old) { return old / 2; };
  train(callbacks(put({1, 2, 2}),
                  StatMonitorParamSetter(param(), "error", halve, {.last_k = 2, .reverse = true})),
        3);
  EXPECT_THAT(values, ElementsAre(1, 1, 0.5));
}

TEST_F(ParamSettersTest, AMissingStatisticIsAWarning) {
  train(callbacks(StatMonitorParamSetter(param(), "error", [](double) { return 0.0; }, {.last_k = 1})), 1);
  EXPECT_THAT(values, ElementsAre(1));
  EXPECT_THAT(log.text(), HasSubstr("no history is there for 'error'"));
  EXPECT_THROW(StatMonitorParamSetter("a", "b", {}, {.last_k = 1}), UsageError);
  EXPECT_THROW(StatMonitorParamSetter("a", "b", [](double v) { return v; }, {}), UsageError);
}

}  // namespace
}  // namespace belfry
