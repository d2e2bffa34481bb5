#include <ATen/ops/full_like.h>
#include <ATen/ops/isfinite.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <latch>
#include <thread>

#include "belfry/base/file_system.h"
#include "belfry/callbacks/inference_runner.h"
#include "belfry/callbacks/model_saver.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/saver.h"
#include "belfry/loop/stop_on_signal.h"
#include "tests/support/stalled_flow.h"
#include "tests/train/launch_fixture.h"

namespace belfry::test {
namespace {

/// Trainings that end before their time, and what they leave behind.
class InterruptionTest : public LaunchTest {
 protected:
  /// Raises a signal and waits until the trainer has heard of it.
  static void raise_and_wait(int number, Trainer& trainer) {
    ::raise(number);
    while (!trainer.stop_requested()) std::this_thread::yield();
  }

  void train_until_signal(Callbacks callbacks) {
    TrainConfig wanted = config(3);
    wanted.callbacks = std::move(callbacks);
    StopOnSignal guard(trainer);
    launch_train_with_config(wanted, trainer);
  }

  /// The epoch of each step that the same command does when it is started again.
  std::vector<int64_t> epochs_of_the_rest() {
    std::vector<int64_t> epochs;
    AtHook watch;
    watch.at_step = [&](Trainer& t) { epochs.push_back(t.epoch_num()); };
    TrainConfig again = config(3);
    again.callbacks = callbacks(ModelSaver(), watch);
    SimpleTrainer resumed;
    launch_train_with_config(AutoResumeTrainConfig(again), resumed);
    EXPECT_EQ(resumed.global_step(), 9);
    return epochs;
  }
};

TEST_F(InterruptionTest, CtrlCSavesAndTheNextRunGoesOnFromThere) {
  AtHook hooks;
  hooks.at_step = [](Trainer& t) {
    if (t.global_step() == 4) raise_and_wait(SIGINT, t);
  };
  train_until_signal(callbacks(ModelSaver(), hooks));
  EXPECT_EQ(trainer.global_step(), 4);
  EXPECT_THAT(epochs_of_the_rest(), testing::ElementsAre(2, 2, 3, 3, 3));
}

TEST_F(InterruptionTest, ASignalDuringAnEvaluationDoesToo) {
  struct RaisesAtStep6 : Inferencer {
    explicit RaisesAtStep6(Trainer& t) : trainer(t) {}
    std::vector<std::string> get_fetches() const override { return {}; }
    void on_fetches(const std::vector<at::Tensor>&, int64_t) override {
      if (trainer.global_step() == 6) raise_and_wait(SIGTERM, trainer);
      ++batches;
    }
    std::map<std::string, double> after_inference() override { return {}; }
    Trainer& trainer;
    int batches = 0;
  };
  auto inferencer = std::make_shared<RaisesAtStep6>(trainer);
  train_until_signal(callbacks(InferenceRunner(toy_data(), {inferencer}), ModelSaver()));
  EXPECT_EQ(inferencer->batches, 3 + 1);
  EXPECT_THAT(epochs_of_the_rest(), testing::ElementsAre(3, 3, 3));
}

/// The real files; a rename raises SIGTERM, once.
class RaisesInRename : public FileSystem {
 public:
  explicit RaisesInRename(std::function<void()> raise) : raise_(std::move(raise)) {}
  void rename(const std::string& from, const std::string& to) override {
    if (raise_) std::exchange(raise_, nullptr)();
    posix().rename(from, to);
  }
  std::unique_ptr<WritableFile> create(const std::string& path) override { return posix().create(path); }
  std::unique_ptr<WritableFile> create_private(const std::string& path) override {
    return posix().create_private(path);
  }
  std::unique_ptr<ReadableFile> open(const std::string& path) override { return posix().open(path); }
  bool exists(const std::string& path) override { return posix().exists(path); }
  std::filesystem::file_time_type modified(const std::string& path) override {
    return posix().modified(path);
  }
  std::string follow_links(const std::string& path) override { return posix().follow_links(path); }
  void copy_mode(const std::string& from, const std::string& to) override { posix().copy_mode(from, to); }
  void remove(const std::string& path) override { posix().remove(path); }
  void remove_tree(const std::string& path) override { posix().remove_tree(path); }
  std::vector<std::string> list(const std::string& folder) override { return posix().list(folder); }
  void make_dirs(const std::string& folder) override { posix().make_dirs(folder); }
  void sync_file(const std::string& path) override { posix().sync_file(path); }
  void sync_dir(const std::string& folder) override { posix().sync_dir(folder); }

 private:
  std::function<void()> raise_;
};

TEST_F(InterruptionTest, ASignalDuringASaveLetsItFinish) {
  RaisesInRename files([&] { raise_and_wait(SIGTERM, trainer); });
  std::optional<Saver> saver;
  AtHook hooks;
  hooks.at_setup = [&](Trainer&) { saver.emplace(SaverOptions{.files = &files}); };
  hooks.at_step = [&](Trainer& t) {
    if (t.global_step() == 4) saver->save(t.session(), t.log_dir() + "/model", {.global_step = 4});
  };
  train_until_signal(callbacks(hooks));
  EXPECT_EQ(trainer.global_step(), 4);
  saver.reset();
  EXPECT_THAT(epochs_of_the_rest(), testing::ElementsAre(2, 2, 3, 3, 3));
}

TEST_F(InterruptionTest, AStopWhileTheDataStallsSavesWithoutWaitingForTheData) {
  const at::Tensor ones = at::full({13, 1}, 1.0);
  auto flow = std::make_shared<StalledFlow>(Datapoint{ones, ones}, 4);
  std::latch fourth_step(1);
  std::jthread stopper([&] {
    fourth_step.wait();
    flow->wait_until_waited_for();
    trainer.request_stop();
  });
  AtHook hooks;
  hooks.at_step = [&](Trainer& t) {
    if (t.global_step() == 4) fourth_step.count_down();
  };
  TrainConfig wanted = config(3);
  wanted.data = QueueInput(flow);
  wanted.steps_per_epoch = 100;
  wanted.callbacks = callbacks(ModelSaver(), hooks);
  launch_train_with_config(wanted, trainer);
  EXPECT_EQ(latest_checkpoint(trainer.log_dir()), trainer.log_dir() + "/model-4");
  flow->release();
}

TEST_F(InterruptionTest, ByDefaultACostThatIsNotANumberEndsTrainingAndTheLastGoodCheckpointStays) {
  AtHook poison;
  poison.at_step = [](Trainer& t) {
    const Variable weight(t.graph().find_variable("fc/W"));
    if (t.global_step() == 4) t.session().set_value(weight, at::full_like(t.session().value(weight), NAN));
  };
  TrainConfig wanted = config(3);
  wanted.callbacks = callbacks(ModelSaver(), poison);
  wanted.extra_callbacks = {};
  launch_train_with_config(wanted, trainer);
  EXPECT_EQ(trainer.global_step(), 5);
  EXPECT_THAT(log, testing::HasSubstr("'cost:0' is not finite"));
  EXPECT_EQ(latest_checkpoint(trainer.log_dir()), trainer.log_dir() + "/model-3");
  EXPECT_TRUE(
      at::isfinite(load_checkpoint(*latest_checkpoint(trainer.log_dir())).at("fc/W")).all().item<bool>());
}

}  // namespace
}  // namespace belfry::test
