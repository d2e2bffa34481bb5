#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>

#include "belfry/base/bounded_queue.h"
#include "belfry/callbacks/model_saver.h"
#include "belfry/callbacks/stop_on_nan.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/training_state.h"
#include "belfry/dataflow/data_from_queue.h"
#include "belfry/dataflow/map_data.h"
#include "belfry/dataflow/shuffle_data.h"
#include "belfry/input/feed_input.h"
#include "belfry/loop/periodic_trigger.h"
#include "belfry/optim/adam.h"
#include "belfry/summary/json_writer.h"
#include "belfry/summary/summary.h"
#include "tests/support/python.h"
#include "tests/train/launch_fixture.h"

namespace belfry::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Two layers with dropout between them, Adam, and a moving average of the cost.
class NoisyModel : public ModelDesc {
 public:
  std::vector<TensorSpec> inputs() const override {
    return {{"x", {kDynamic, 4}, kFloat32}, {"y", {kDynamic, 1}, kFloat32}};
  }
  Tensor build_graph(const TowerInputs& in) override {
    auto [x, y] = in.get<2>();
    const Tensor hidden = Dropout(FullyConnected("hidden", x, {.units = 8}), {.rate = 0.4});
    const Tensor error = FullyConnected("out", hidden, {.units = 1}) - y;
    const Tensor cost = mean(error * error, "cost");
    add_moving_summary({cost});
    return cost;
  }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<Adam>(AdamOptions{.learning_rate = 0.01});
  }
};

/// 38 samples in a new order each pass: 7 batches of 5, and 3 samples that are left out.
AnyDataFlow noisy_data() {
  at::Tensor x = at::arange(38 * 4, at::kFloat).reshape({38, 4}).sin();
  at::Tensor y = x.sum(1, /*keepdim=*/true);
  return BatchData(ShuffleData(DataFromTensors({x, y}), {.seed = 3}), 5);
}

struct Kill : std::runtime_error {
  Kill() : std::runtime_error("killed") {}
};

using Values = std::map<std::string, at::Tensor>;

Values values_of(Trainer& trainer) {
  Values values;
  for (const Variable& variable : variables_in(trainer.graph(), kGlobalVariables))
    values[variable.name()] = trainer.session().value(variable);
  return values;
}

void expect_same_bits(const Values& values, const Values& expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (const auto& [name, value] : expected) EXPECT_TRUE(values.at(name).equal(value)) << name;
}

class ResumeTest : public LaunchTest {
 protected:
  /// 4 epochs of 6 steps, which are not the 7 of a pass over the data; saves every 4 steps.
  TrainConfig noisy_config(const std::string& log_dir, AtHook hook, bool queue) {
    TrainConfig wanted{.model = NoisyModel(),
                       .steps_per_epoch = 6,
                       .max_epoch = 4,
                       .callbacks = callbacks(PeriodicTrigger(ModelSaver(), {.every_k_steps = 4}), hook),
                       .monitors = std::vector<std::shared_ptr<Monitor>>{std::make_shared<JSONWriter>()},
                       .log_dir = folder / log_dir};
    wanted.data = queue ? Shared<InputSource>(QueueInput(noisy_data(), {.capacity = 3}))
                        : Shared<InputSource>(FeedInput(noisy_data()));
    return wanted;
  }

  /// Trains until step `kill_at`, where it ends without saving; -1: to the end. Returns the variables.
  Values run(const std::string& log_dir, uint64_t seed, int64_t kill_at, bool queue) {
    AtHook hook;
    hook.at_step = [&](Trainer& t) {
      if (t.global_step() == kill_at) throw Kill();
    };
    SimpleTrainer any;
    any.graph().set_seed(seed);
    try {
      launch_train_with_config(AutoResumeTrainConfig(noisy_config(log_dir, hook, queue)), any);
      EXPECT_EQ(kill_at, -1);
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("killed"));
    }
    return values_of(any);
  }

  /// The steps of each epoch that a resumed training does.
  std::map<int64_t, int> steps_by_epoch(TrainConfig wanted) {
    std::map<int64_t, int> steps;
    AtHook count;
    count.at_step = [&](Trainer& t) { ++steps[t.epoch_num()]; };
    wanted.data = QueueInput(toy_data());
    wanted.callbacks = callbacks(ModelSaver(), count);
    SimpleTrainer any;
    launch_train_with_config(AutoResumeTrainConfig(wanted), any);
    return steps;
  }

  /// 5 epochs of 3 steps with statistics.
  TrainConfig five_epochs() {
    TrainConfig wanted = config(5);
    AtHook put;
    put.at_step = [](Trainer& t) {
      if (t.global_step() % 3 == 0) t.monitors().put_scalar("a", 1);
    };
    wanted.callbacks = callbacks(ModelSaver(), put);
    wanted.monitors = {std::make_shared<JSONWriter>()};
    SimpleTrainer any;
    launch_train_with_config(AutoResumeTrainConfig(wanted), any);
    log.clear();
    return wanted;
  }

  void remove_states() {
    for (const auto& file : std::filesystem::directory_iterator(folder / "log")) {
      if (file.path().extension() == kTrainingStateSuffix) std::filesystem::remove(file);
    }
  }
};

TEST_F(ResumeTest, AnInterruptedTrainingEndsWithTheBitsOfOneThatWasNot) {
  for (const bool queue : {false, true}) {
    const std::string name = queue ? "queue" : "feed";
    const Values expected = run(name + "-whole", 1, -1, queue);
    ASSERT_TRUE(expected.contains("hidden/W/Adam"));
    // Other seeds: initial values come from the checkpoint, and dropout goes on where it was.
    int64_t seed = 2;
    for (const int64_t kill_at : {5, 6, 10, 15, 21}) {
      const std::string log_dir = fmt::format("{}-{}", name, kill_at);
      run(log_dir, 1, kill_at, queue);
      expect_same_bits(run(log_dir, ++seed, -1, queue), expected);
    }
  }
}

TEST_F(ResumeTest, SoDoesOneThatWasInterruptedManyTimes) {
  const Values expected = run("whole", 1, -1, true);
  for (const int64_t kill_at : {5, 6, 9, 9, 13, 17, 22}) run("parts", 1, kill_at, true);
  expect_same_bits(run("parts", 1, -1, true), expected);
}

TEST_F(ResumeTest, AStopAtAnyStepGoesOnToTheSameBits) {
  const Values expected = run("whole", 1, -1, true);
  for (const int64_t stop_at : {1, 6, 7, 11}) {
    const std::string log_dir = fmt::format("stop-{}", stop_at);
    AtHook hook;
    hook.at_step = [&](Trainer& t) {
      if (t.global_step() == stop_at) t.request_stop();
    };
    SimpleTrainer any;
    any.graph().set_seed(1);
    const TrainingEnd end = launch_train_with_config(noisy_config(log_dir, hook, true), any);
    EXPECT_EQ(end.reason, EndReason::kStopRequested);
    expect_same_bits(run(log_dir, 5, -1, true), expected);
  }
}

TEST_F(ResumeTest, TheStateIsKeptAndRemovedWithItsCheckpoint) {
  TrainConfig wanted = config(4);
  wanted.callbacks = callbacks(ModelSaver({.max_to_keep = 2}));
  launch_train_with_config(wanted, trainer);
  std::vector<std::string> states;
  for (const std::string& file : FileSystem::posix().list(folder / "log")) {
    if (file.ends_with(kTrainingStateSuffix)) states.push_back(file);
  }
  EXPECT_THAT(states, ElementsAre("model-12.training", "model-9.training"));
  const TrainingState state = read_training_state(folder / "log/model-9").value();
  EXPECT_EQ(state.epoch, 3);
  EXPECT_EQ(state.steps_done, 3);
  EXPECT_EQ(state.data->pass, 2);
  EXPECT_EQ(state.data->index, 3);
}

TEST_F(ResumeTest, TensorFlowAndTensorpackReadTheCheckpointBesideIt) {
  if (!python_available()) GTEST_SKIP() << kNoPython;
  TrainConfig wanted = config(2);
  wanted.callbacks = callbacks(ModelSaver());
  launch_train_with_config(wanted, trainer);
  ASSERT_TRUE(read_training_state(folder / "log/model-6"));
  const std::string shown = run_python("tests/train/read_checkpoint.py", {folder / "log"});
  EXPECT_EQ(shown, "tensorflow model-6 6 3\ntensorpack model-6 6 3\n");
}

TEST_F(ResumeTest, ADamagedStateIsALineInTheLog) {
  const std::string name = "damaged";
  run(name, 1, 9, true);
  {
    std::fstream file(folder / name + "/model-8.training", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20);
    file.put('!');
  }
  log.clear();
  run(name, 1, -1, true);
  EXPECT_THAT(log, HasSubstr("the data and random numbers start anew: "));
  EXPECT_THAT(log, HasSubstr("model-8.training"));
}

TEST_F(ResumeTest, AMissingStateIsALineInTheLog) {
  run("missing", 1, 9, true);
  std::filesystem::remove(folder / "missing/model-8.training");
  log.clear();
  run("missing", 1, -1, true);
  EXPECT_THAT(log, HasSubstr("no state of the training lies beside the checkpoint of step 8"));
}

TEST_F(ResumeTest, DataThatCannotGoOnIsALineInTheLog) {
  auto queue = std::make_shared<BoundedQueue<Datapoint>>(100);
  for (int i = 0; i < 20; ++i) queue->push({at::full({2, 1}, 0.1 * i), at::full({2, 1}, 0.2 * i)});
  TrainConfig wanted = config(1);
  wanted.data = QueueInput(MapData(DataFromQueue(queue), [](Datapoint d) { return d; }), {.capacity = 1});
  wanted.steps_per_epoch = 3;
  wanted.callbacks = callbacks(ModelSaver());
  launch_train_with_config(wanted, trainer);
  EXPECT_FALSE(read_training_state(folder / "log/model-3").value().data);
  wanted.data = QueueInput(DataFromQueue(queue), {.capacity = 1});
  wanted.max_epoch = 2;
  SimpleTrainer second;
  launch_train_with_config(AutoResumeTrainConfig(wanted), second);
  EXPECT_EQ(second.global_step(), 6);
  EXPECT_THAT(log, HasSubstr("the data starts anew: its source could not say where it was"));
  queue->cancel();
}

TEST_F(ResumeTest, DataThatHasBecomeShorterBeginsItsNextPass) {
  run("shorter", 1, 5, true);
  TrainConfig wanted = noisy_config("shorter", {}, true);
  const at::Tensor few = at::ones({5, 4});
  wanted.data = QueueInput(BatchData(DataFromTensors({few, few.sum(1, true)}), 5));
  SimpleTrainer any;
  launch_train_with_config(AutoResumeTrainConfig(wanted), any);
  EXPECT_EQ(any.global_step(), 24);
  EXPECT_THAT(log, HasSubstr("cannot go on where it was, with datapoint 4 of pass 0"));
}

TEST_F(ResumeTest, OtherStepsPerEpochGoOnWithTheNextEpoch) {
  TrainConfig wanted = five_epochs();
  wanted.steps_per_epoch = 2;
  wanted.max_epoch = 7;
  EXPECT_THAT(steps_by_epoch(wanted), ElementsAre(std::pair(6, 2), std::pair(7, 2)));
  EXPECT_THAT(log, HasSubstr("steps_per_epoch was 3 and is 2"));
}

TEST_F(ResumeTest, ThatIsSoFromStatisticsAloneToo) {
  TrainConfig wanted = five_epochs();
  remove_states();
  wanted.steps_per_epoch = 2;
  wanted.max_epoch = 7;
  EXPECT_THAT(steps_by_epoch(wanted), ElementsAre(std::pair(6, 2), std::pair(7, 2)));
  EXPECT_THAT(log, HasSubstr("does not fit steps_per_epoch = 2"));
}

TEST_F(ResumeTest, LongerEpochsToo) {
  TrainConfig wanted = five_epochs();
  remove_states();
  wanted.steps_per_epoch = 4;  // 15 steps would be the middle of epoch 4
  wanted.max_epoch = 6;
  EXPECT_THAT(steps_by_epoch(wanted), ElementsAre(std::pair(6, 4)));
}

TEST_F(ResumeTest, WithoutHistoryTheEpochIsReckonedAndTheLogSaysSo) {
  TrainConfig wanted = five_epochs();
  remove_states();
  std::filesystem::remove(folder / "log/stats.json");
  wanted.steps_per_epoch = 2;
  wanted.max_epoch = 9;
  EXPECT_THAT(steps_by_epoch(wanted), ElementsAre(std::pair(8, 1), std::pair(9, 2)));
  EXPECT_THAT(log, HasSubstr("nothing tells the epoch of step 15"));
}

TEST_F(ResumeTest, StatisticsAheadOfTheCheckpointAreNamed) {
  TrainConfig wanted = five_epochs();
  remove_checkpoint(folder / "log/model-15");
  EXPECT_THAT(steps_by_epoch(wanted), ElementsAre(std::pair(5, 3)));
  EXPECT_THAT(log, HasSubstr("stats.json is ahead of the checkpoint"));
}

TEST_F(ResumeTest, NothingToTrainIsNamed) {
  TrainConfig wanted = five_epochs();
  EXPECT_TRUE(steps_by_epoch(wanted).empty());
  EXPECT_THAT(log, HasSubstr("Nothing to train: it would begin with epoch 6, and max_epoch is 5"));
}

TEST_F(ResumeTest, AStartingEpochThatIsNotUsedIsNamed) {
  TrainConfig wanted = five_epochs();
  wanted.starting_epoch = 2;
  wanted.max_epoch = 6;
  EXPECT_THAT(steps_by_epoch(wanted), ElementsAre(std::pair(6, 3)));
  EXPECT_THAT(log, HasSubstr("training goes on at its epoch, not at starting_epoch = 2"));
}

TEST_F(ResumeTest, LaunchTellsWhyTrainingEnded) {
  EXPECT_EQ(launch_train_with_config(config(1), trainer).reason, EndReason::kMaxEpoch);
  EXPECT_EQ(trainer.end().reason, EndReason::kMaxEpoch);

  TrainConfig ends = config(5);
  ends.data = FeedInput(toy_data(), {.infinite = false});
  EXPECT_EQ(launch_train_with_config(ends, SimpleTrainer()).reason, EndReason::kEndOfData);

  TrainConfig diverges = config(5);
  diverges.data = QueueInput(MapData(toy_data(), [](Datapoint d) { return Datapoint{d[0] * NAN, d[1]}; }));
  diverges.callbacks = callbacks(StopOnNaN());
  const TrainingEnd end = launch_train_with_config(diverges, SimpleTrainer());
  EXPECT_EQ(end.reason, EndReason::kNotFinite);
  EXPECT_THAT(end.message, HasSubstr("'cost:0' is not finite"));
}

TEST_F(ResumeTest, AModelWithoutAnOptimizerIsAnError) {
  struct None : ToyModel {
    std::unique_ptr<Optimizer> optimizer() override { return nullptr; }
  } none;
  TrainConfig wanted = config(1);
  wanted.model = none;
  EXPECT_THAT(error_of(wanted), HasSubstr("expected an optimizer from the model, got null"));
}

TEST_F(ResumeTest, AnInputThatIsNotThereIsComparedWithThoseThatAre) {
  launch_train_with_config(config(1), trainer);
  try {
    trainer.get_predictor({"xx"}, {"predicted"});
    ADD_FAILURE() << "expected a UsageError";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("inputs of the tower: x, y"));
  }
}

}  // namespace
}  // namespace belfry::test
