#include "belfry/callbacks/model_saver.h"

#include <ATen/ops/full.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "belfry/base/error.h"
#include "belfry/callbacks/min_saver.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/restore.h"
#include "belfry/loop/periodic_trigger.h"
#include "belfry/summary/json_writer.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::AtEpochEnd;
using test::TinyTrainer;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Tensor zeros(const Shape& shape, DType dtype) {
  return default_graph().add("aten::zeros", {}, {{"size", shape}, {"dtype", dtype}}).output();
}

/// Trains epochs of two steps with a weight "w", so that epoch n ends at global step 2n.
struct SaverTest : testing::Test {
  void train(Callbacks callbacks, int64_t epochs, int64_t first_epoch = 1) {
    TinyTrainer trainer;
    trainer.build([] { get_variable("w", {2}, {.initializer = zeros}); });
    AnySessionInit init;
    if (first_epoch > 1) init = SaverRestore(folder.path());
    trainer.train({.callbacks = std::move(callbacks),
                   .monitors = {std::make_shared<JSONWriter>()},
                   .session_init = init,
                   .loop = {.steps_per_epoch = 2, .starting_epoch = first_epoch, .max_epoch = epochs},
                   .log_dir = folder.path()});
    steps = trainer.global_step();
  }

  /// Puts the values, one an epoch, as "val-error".
  AtEpochEnd put(std::vector<double> values) {
    return AtEpochEnd([values](Trainer& t) {
      t.monitors().put_scalar("val-error", values.at(static_cast<size_t>(t.epoch_num()) - 1));
    });
  }

  std::vector<int64_t> saved_steps() const {
    std::vector<int64_t> result;
    for (const CheckpointFile& file : checkpoints_in(folder.path())) result.push_back(file.step);
    return result;
  }
  int64_t step_of(const std::string& name) const {
    return load_checkpoint(folder / name).at("global_step").item<int64_t>();
  }

  test::TempDir folder;
  test::LogLines log;
  int64_t steps = 0;
};

TEST_F(SaverTest, ModelSaverSavesAtTheEndOfEachEpoch) {
  train(callbacks(ModelSaver()), 3);
  EXPECT_THAT(saved_steps(), ElementsAre(2, 4, 6));
  EXPECT_EQ(latest_checkpoint(folder.path()), folder / "model-6");
  EXPECT_EQ(step_of("model-4"), 4);
}

TEST_F(SaverTest, ModelSaverKeepsTheNewest) {
  train(callbacks(ModelSaver({.max_to_keep = 2})), 4);
  EXPECT_THAT(saved_steps(), ElementsAre(6, 8));
}

TEST_F(SaverTest, ModelSaverSavesWhenTrainingIsAskedToStop) {
  struct StopsInside : Callback {
    std::string name() const override { return "StopsInside"; }
    void trigger_step() override {
      if (trainer().global_step() == 3) trainer().request_stop();
    }
  };
  train(callbacks(StopsInside(), ModelSaver()), 9);
  EXPECT_THAT(saved_steps(), ElementsAre(2, 3));
}

TEST_F(SaverTest, ModelSaverDoesNotSaveAfterAStepThatFailed) {
  struct StopsAndFails : Callback {
    std::string name() const override { return "StopsAndFails"; }
    void trigger_step() override {
      if (trainer().global_step() != 3) return;
      trainer().request_stop();
      throw std::runtime_error("no memory");
    }
  };
  EXPECT_THROW(train(callbacks(StopsAndFails(), ModelSaver()), 9), std::runtime_error);
  EXPECT_THAT(saved_steps(), ElementsAre(2));
}

TEST_F(SaverTest, WeightsThatAreNotFiniteAreNotSaved) {
  auto poison = AtEpochEnd([](Trainer& t) {
    if (t.epoch_num() != 2) return;
    t.session().set_value(Variable(t.graph().find_variable("w")), at::full({2}, NAN));
  });
  train(callbacks(poison, ModelSaver()), 3);
  EXPECT_THAT(saved_steps(), ElementsAre(2));
  EXPECT_EQ(latest_checkpoint(folder.path()), folder / "model-2");
  EXPECT_THAT(log.text(), HasSubstr("[ModelSaver]"));
}

TEST_F(SaverTest, ASaveThatFailsDoesNotEndTraining) {
  std::filesystem::create_directories(folder / "model-2.index/in the way");
  train(callbacks(ModelSaver(), put({1, 2}), MinSaver("val-error")), 2);
  EXPECT_EQ(latest_checkpoint(folder.path()), folder / "model-4");
  EXPECT_THAT(log.text(), HasSubstr("training goes on"));
  EXPECT_EQ(step_of("min-val-error"), 4) << "1 is not saved, so 2 is the best of what is";
}

TEST_F(SaverTest, AFolderThatCannotBeMadeEndsTrainingAtItsStart) {
  std::ofstream(folder / "file") << "no folder";
  EXPECT_THROW(train(callbacks(ModelSaver({.checkpoint_dir = folder / "file"})), 1), DataError);
}

TEST_F(SaverTest, AnotherTrainingInTheFolderEndsThisOneAtItsStart) {
  const int lock = ::open((folder / "checkpoint.lock").c_str(), O_RDWR | O_CREAT, 0666);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  EXPECT_THROW(train(callbacks(ModelSaver()), 1), DataError);
  ::close(lock);
  EXPECT_THAT(log.lines(), Not(Contains(HasSubstr("Start Epoch"))));
  EXPECT_NO_THROW(train(callbacks(ModelSaver()), 1));
}

TEST_F(SaverTest, ACollectionWithoutVariablesEndsTrainingAtItsStart) {
  EXPECT_THROW(train(callbacks(ModelSaver({.var_collections = {"typo"}})), 1), UsageError);
  EXPECT_THAT(log.lines(), Not(Contains(HasSubstr("Start Epoch"))));
}

TEST_F(SaverTest, MinSaverKeepsTheBest) {
  train(callbacks(ModelSaver({.max_to_keep = 1}), put({3, 1, 2, 1}), MinSaver("val-error")), 4);
  EXPECT_EQ(step_of("min-val-error"), 4);
  EXPECT_THAT(saved_steps(), ElementsAre(8));
}

TEST_F(SaverTest, MaxSaverKeepsTheLargest) {
  train(callbacks(ModelSaver(), put({1, 3, 2}), MaxSaver("val-error", {.filename = "best"})), 3);
  EXPECT_EQ(step_of("best"), 4);
}

TEST_F(SaverTest, NotANumberIsNeverTheBest) {
  train(callbacks(ModelSaver(), put({NAN, 2, NAN, 1}), MinSaver("val-error")), 4);
  EXPECT_EQ(step_of("min-val-error"), 8);
}

TEST_F(SaverTest, ACheckpointOfAnotherStepIsNotCopied) {
  train(callbacks(PeriodicTrigger(ModelSaver(), {.every_k_epochs = 2}), put({9, 3, 1, 2}),
                  MinSaver("val-error")),
        4);
  EXPECT_EQ(step_of("min-val-error"), 8) << "1 is not saved, so 2 is the best of what is";
  EXPECT_THAT(log.text(), HasSubstr("New minimum 'val-error' found at global_step=6"));
}

TEST_F(SaverTest, AResumedRunKnowsTheBest) {
  train(callbacks(ModelSaver(), put({1, 3}), MinSaver("val-error")), 2);
  train(callbacks(ModelSaver(), put({0, 0, 2}), MinSaver("val-error")), 3, 3);
  EXPECT_EQ(step_of("min-val-error"), 2);
  train(callbacks(ModelSaver(), put({0, 0, 0, 0.5}), MinSaver("val-error")), 4, 4);
  EXPECT_EQ(step_of("min-val-error"), 8);
}

TEST_F(SaverTest, AResumedRunKnowsTheBestOfWhatWasCopied) {
  auto every_second = [] { return PeriodicTrigger(ModelSaver(), {.every_k_epochs = 2}); };
  train(callbacks(every_second(), put({1, 3}), MinSaver("val-error")), 2);
  EXPECT_EQ(step_of("min-val-error"), 4);
  train(callbacks(every_second(), put({0, 0, 4, 2}), MinSaver("val-error")), 4, 3);
  EXPECT_EQ(step_of("min-val-error"), 8);
}

TEST_F(SaverTest, TheHistoryIsInTheLogFolderWhereverCheckpointsAre) {
  const std::string elsewhere = folder / "checkpoints";
  auto savers = [&](std::vector<double> values) {
    return callbacks(ModelSaver(), ModelSaver({.checkpoint_dir = elsewhere}), put(values),
                     MinSaver("val-error", {.checkpoint_dir = elsewhere}));
  };
  train(savers({1, 3}), 2);
  train(savers({0, 0, 2}), 3, 3);
  EXPECT_EQ(step_of("checkpoints/min-val-error"), 2);
}

TEST_F(SaverTest, AStatisticWithASlashMakesNoFolder) {
  auto put_nested = AtEpochEnd([](Trainer& t) { t.monitors().put_scalar("few/val-error", 1); });
  train(callbacks(ModelSaver(), put_nested, MinSaver("few/val-error")), 1);
  EXPECT_EQ(step_of("min-few-val-error"), 2);
}

TEST_F(SaverTest, AStatisticThatNeverComesIsFine) {
  train(callbacks(ModelSaver(), MinSaver("unknown")), 1);
  EXPECT_FALSE(is_complete_checkpoint(folder / "min-unknown"));
}

TEST_F(SaverTest, MinSaverNeedsAModelSaver) {
  try {
    train(callbacks(put({1}), MinSaver("val-error")), 1);
    ADD_FAILURE() << "expected a UsageError";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("register a ModelSaver before it"));
  }
}

TEST_F(SaverTest, ModelSaverNeedsAFolder) {
  TinyTrainer trainer;
  EXPECT_THROW(trainer.train({.callbacks = callbacks(ModelSaver())}), UsageError);
  TinyTrainer other;
  EXPECT_THROW(other.train({.callbacks = callbacks(MinSaver("val-error"))}), UsageError);
}

TEST_F(SaverTest, AMisspeltStatisticIsNamedWithThoseThatComeClose) {
  train(callbacks(ModelSaver(), put({1, 2, 3}), MinSaver("val-eror")), 3);
  const std::string missing =
      "[MinSaver] expected a statistic 'val-eror', which nobody has put so far; closest: 'val-error'.";
  EXPECT_THAT(log.lines(), testing::Contains(HasSubstr(missing + " Is it misspelt")).Times(1));
  EXPECT_THAT(log.lines(), testing::Contains(HasSubstr(missing + " Nothing was saved")).Times(1));
}

TEST_F(SaverTest, AStatisticThatComesLaterIsNoError) {
  auto every_second = PeriodicTrigger(put({1, 2}), {.every_k_epochs = 2});
  train(callbacks(ModelSaver(), every_second, MaxSaver("val-error")), 2);
  EXPECT_EQ(step_of("max-val-error"), 4);
  EXPECT_THAT(log.text(), Not(HasSubstr("Nothing was saved")));
}

}  // namespace
}  // namespace belfry
