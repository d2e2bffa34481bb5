#include "belfry/checkpoint/training_state.h"

#include <ATen/ops/arange.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/saver.h"
#include "belfry/formats/checkpoint_state.h"
#include "tests/checkpoint/fixture.h"
#include "tests/support/fault_file_system.h"

namespace belfry {
namespace {

TrainingState some_state(int64_t step) {
  return {.global_step = step,
          .epoch = 3,
          .steps_done = 7,
          .steps_per_epoch = 20,
          .data = TrainingState::Data{.source = "QueueInput", .pass = 2, .index = 5},
          .random = {{"dropout", at::arange(40, at::kByte)}, {"noise/normal", at::arange(3, at::kByte)}}};
}

TEST(TrainingState, ComesBackAsItWas) {
  test::FaultFileSystem disk;
  write_training_state("log/model-47", some_state(47), disk);
  const TrainingState state = read_training_state("log/model-47", disk).value();
  EXPECT_EQ(state.global_step, 47);
  EXPECT_EQ(state.epoch, 3);
  EXPECT_EQ(state.steps_done, 7);
  EXPECT_EQ(state.steps_per_epoch, 20);
  EXPECT_EQ(state.data->source, "QueueInput");
  EXPECT_EQ(state.data->pass, 2);
  EXPECT_EQ(state.data->index, 5);
  ASSERT_EQ(state.random.size(), 2u);
  for (const auto& [name, numbers] : some_state(47).random)
    EXPECT_TRUE(state.random.at(name).equal(numbers)) << name;

  TrainingState less = some_state(48);
  less.data.reset();
  less.random.clear();
  write_training_state("log/model-48", less, disk);
  EXPECT_FALSE(read_training_state("log/model-48", disk)->data);
  EXPECT_FALSE(read_training_state("log/model-49", disk)) << "there is none";
}

TEST(TrainingState, EveryChangedByteAndEveryTruncationIsAnError) {
  test::FaultFileSystem disk;
  write_training_state("m", some_state(1), disk);
  const std::string whole = disk.content("m.training");
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    disk.put("m.training", changed);
    EXPECT_THROW(read_training_state("m", disk), DataError) << i;
    disk.put("m.training", whole.substr(0, i));
    EXPECT_THROW(read_training_state("m", disk), DataError) << i;
  }
}

class SaverWithState : public test::CheckpointTest {
 protected:
  void save(Saver& saver, int64_t step) {
    saver.save(session, "log/model", {.global_step = step, .training = some_state(step)});
  }
  test::FaultFileSystem disk;
};

TEST_F(SaverWithState, WhateverCheckpointIsListedHasItsState) {
  variable("W", {1}, 1);
  for (int fail_at = 0;; ++fail_at) {
    disk = test::FaultFileSystem();
    {
      Saver saver({.max_to_keep = 1, .files = &disk});
      save(saver, 1);
      disk.fail_at = disk.calls + fail_at;
      disk.stay_broken = true;
      try {
        save(saver, 2);
      } catch (const DataError&) {
      }
    }
    const bool failed = disk.calls > disk.fail_at;
    disk.fail_at = -1;
    disk.crash();
    const std::string newest = read_checkpoint_state("log", disk).newest;
    const auto state = read_training_state("log/" + newest, disk);
    ASSERT_TRUE(state) << fail_at;
    EXPECT_EQ(newest, fmt::format("model-{}", state->global_step)) << fail_at;
    // The next run clears up.
    Saver next({.max_to_keep = 1, .files = &disk});
    save(next, 3);
    save(next, 4);
    int states = 0;
    for (const std::string& file : disk.list("log")) states += file.ends_with(kTrainingStateSuffix);
    // A checkpoint that was complete but not yet listed stays, as documented.
    EXPECT_EQ(states, static_cast<int>(checkpoints_in("log", "model", disk).size())) << fail_at;
    if (!failed) break;
  }
}

TEST_F(SaverWithState, WeightsThatAreNotSavedLeaveNoState) {
  get_variable("W", {1});
  session.set_value(Variable(graph.find_variable("W")), at::full({1}, NAN));
  Saver saver({.files = &disk});
  EXPECT_THROW(save(saver, 1), NotFiniteError);
  EXPECT_FALSE(read_training_state("log/model-1", disk));
}

TEST_F(SaverWithState, SavingAStepAgainWithoutAStateRemovesTheOldOne) {
  variable("W", {1}, 1);
  Saver saver({.files = &disk});
  save(saver, 1);
  saver.save(session, "log/model", {.global_step = 1});
  EXPECT_FALSE(read_training_state("log/model-1", disk));
}

}  // namespace
}  // namespace belfry
