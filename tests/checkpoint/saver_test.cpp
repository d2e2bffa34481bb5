#include "belfry/checkpoint/saver.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

#include "belfry/base/atomic_file.h"
#include "belfry/checkpoint/checkpoint_files.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/restore.h"
#include "belfry/formats/bundle_reader.h"
#include "belfry/formats/checkpoint_state.h"
#include "tests/checkpoint/fixture.h"
#include "tests/support/fault_file_system.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class SaverTest : public test::CheckpointTest {
 protected:
  std::string save(Saver& saver, int64_t step) {
    return saver.save(session, dir / "model", {.global_step = step});
  }
  /// The checkpoints on disk.
  std::vector<std::string> on_disk() {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(dir.path())) {
      if (file.path().extension() == ".index") names.push_back(file.path().stem().string());
    }
    return names;
  }
  std::vector<std::string> listed() { return read_checkpoint_state(dir.path()).all; }
  std::string lock_file() const { return dir / "checkpoint.lock"; }
};

TEST_F(SaverTest, SavesUnderTheStepAndRestores) {
  variable("W", {3, 4}, 5), variable("global_step", {}, 1000, kInt64);
  Saver saver;
  EXPECT_EQ(save(saver, 1000), dir / "model-1000");
  set("W", 0), set("global_step", 0);
  saver.restore(session, dir / "model-1000");
  EXPECT_EQ(get("W"), 5);
  EXPECT_EQ(get("global_step"), 1000);
  EXPECT_EQ(read_checkpoint_state(dir.path()).newest, "model-1000");
}

TEST_F(SaverTest, GoesOnWithTheListOfAnotherMachine) {
  variable("W", {3}, 5);
  for (const char* listed : {"C:\\\\run\\\\model-1", "/elsewhere/run/model-1"}) {
    Saver first;
    save(first, 1);
    std::ofstream(dir / "checkpoint")
        << "model_checkpoint_path: \"" << listed << "\"\nall_model_checkpoint_paths: \"" << listed << "\"\n";
    Saver next({.max_to_keep = 2});
    save(next, 2);
    EXPECT_THAT(read_checkpoint_state(dir.path()).all, ElementsAre("model-1", "model-2")) << listed;
  }
}

TEST_F(SaverTest, WithoutAStepThePathIsThePrefix) {
  variable("W", {3}, 5);
  Saver saver;
  EXPECT_EQ(saver.save(session, dir / "final"), dir / "final");
  EXPECT_TRUE(is_complete_checkpoint(dir / "final"));
}

TEST_F(SaverTest, SavesValuesInLogicalOrderWhateverTheMemoryOrder) {
  const Variable kernel = get_variable("W", {3, 3, 2, 4}, {.memory_order = {3, 0, 1, 2}});
  const at::Tensor value = at::arange(72).reshape({3, 3, 2, 4}).to(kFloat32);
  session.set_value(kernel, value);
  Saver saver;
  EXPECT_TRUE(at::equal(load_checkpoint(save(saver, 1)).at("W"), value));
  session.set_value(kernel, value.neg());
  saver.restore(session, dir / "model-1");
  EXPECT_TRUE(at::equal(session.value(kernel), value));
}

TEST_F(SaverTest, RestoreListsAllThatIsWrongAndChangesNothing) {
  save_checkpoint(dir / "model-7", {{"a", at::full({2}, 5.0f)}, {"b", at::full({3}, 5.0f)}});
  variable("a", {2}, 1), variable("b", {2}, 1), variable("c", {2}, 1);
  EXPECT_THROW_WITH(Saver().restore(session, dir / "model-7"), UsageError, "'b' is float32 [2]");
  EXPECT_THROW_WITH(Saver().restore(session, dir / "model-7"), UsageError, "'c' is not in the file");
  EXPECT_EQ(get("a"), 1);
}

TEST_F(SaverTest, SavesOnlyTheVariablesAskedFor) {
  const Variable a = variable("a", {2}, 1);
  variable("b", {2}, 1);
  Saver only_a({.variables = {a}});
  EXPECT_EQ(load_checkpoint(save(only_a, 1)).size(), 1u);
  Saver both({.collections = {kTrainableVariables, kGlobalVariables}});
  EXPECT_EQ(load_checkpoint(save(both, 2)).size(), 2u);
}

TEST_F(SaverTest, RefusesAValueThatIsNotFinite) {
  variable("W", {100}, 1);
  Saver saver;
  save(saver, 1);
  for (double value : {std::nan(""), HUGE_VAL}) {
    set("W", value);
    EXPECT_THROW_WITH(save(saver, 2), UsageError, "'W'");
  }
  EXPECT_THAT(on_disk(), ElementsAre("model-1"));
  set("W", 3e38);  // the sum overflows, the values are finite
  EXPECT_NO_THROW(save(saver, 3));
  set("W", std::nan(""));
  Saver careless({.check_finite = false});
  EXPECT_NO_THROW(save(careless, 4));
}

TEST_F(SaverTest, RefusesAnAverageOfTheModelThatIsNotFinite) {
  get_variable("mean/EMA", {2}, {.trainable = false, .collections = {kGlobalVariables, kModelVariables}});
  variable("W", {2}, 1), set("mean/EMA", std::nan(""));
  Saver saver;
  EXPECT_THROW_WITH(save(saver, 1), NotFiniteError, "'mean/EMA'");
}

TEST_F(SaverTest, PreparingFindsOutWhatSavingWouldSuffer) {
  Saver saver;
  EXPECT_THROW_WITH(saver.prepare(session, dir / "model"), UsageError,
                    "expected variables in the collections");
  variable("W", {2}, 1);
  std::ofstream(dir / "file") << "no folder";
  EXPECT_THROW_WITH(saver.prepare(session, dir / "file/model"), DataError, "file");
  saver.prepare(session, dir / "new/folder/model");
  EXPECT_TRUE(std::filesystem::exists(dir / "new/folder/checkpoint.lock"));
}

TEST_F(SaverTest, RefusesAVariableWithoutValue) {
  get_variable("W", {2});
  Saver saver;
  EXPECT_THROW_WITH(save(saver, 1), UsageError, "W");
  EXPECT_THAT(on_disk(), ElementsAre());
}

TEST_F(SaverTest, KeepsTheNewest) {
  variable("W", {3}, 1);
  Saver saver({.max_to_keep = 3});
  for (int64_t step = 1; step <= 13; ++step) save(saver, step);
  EXPECT_THAT(on_disk(), UnorderedElementsAre("model-11", "model-12", "model-13"));
  EXPECT_THAT(listed(), ElementsAre("model-11", "model-12", "model-13"));
  EXPECT_EQ(saver.last_checkpoints().front(), dir / "model-11");
}

TEST_F(SaverTest, KeepsAllWhenTheLimitIsZero) {
  variable("W", {3}, 1);
  Saver saver({.max_to_keep = 0});
  for (int64_t step = 1; step <= 7; ++step) save(saver, step);
  EXPECT_EQ(on_disk().size(), 7u);
  EXPECT_THAT(listed(), ElementsAre("model-7"));
}

TEST_F(SaverTest, KeepsForGoodOneEverySoManyHours) {
  variable("W", {3}, 1);
  const double hour = 3600, start = 1e9;
  {
    Saver saver;
    for (int64_t step = 1; step <= 4; ++step) save(saver, step);
  }
  write_checkpoint_state(dir.path(),
                         {.newest = "model-4",
                          .all = {"model-1", "model-2", "model-3", "model-4"},
                          .timestamps = {start, start + hour, start + 2.5 * hour, start + 3 * hour},
                          .last_preserved_timestamp = start - hour});
  Saver saver({.max_to_keep = 1, .keep_checkpoint_every_n_hours = 2});
  save(saver, 5);
  EXPECT_THAT(listed(), ElementsAre("model-5"));
  EXPECT_THAT(on_disk(), UnorderedElementsAre("model-2", "model-4", "model-5"));
}

TEST_F(SaverTest, AResumedRunGoesOnWithTheListOfTheLast) {
  variable("W", {3}, 1);
  for (int64_t step = 1; step <= 6; ++step) {
    Saver saver({.max_to_keep = 3});
    save(saver, step);
  }
  EXPECT_THAT(on_disk(), UnorderedElementsAre("model-4", "model-5", "model-6"));
}

TEST_F(SaverTest, NeverRemovesWhatIsNotItsOwn) {
  variable("W", {3}, 1);
  Saver saver({.max_to_keep = 1});
  copy_checkpoint(save(saver, 1), dir / "min-val-error");
  std::ofstream(dir / "checkpoint") << "model_checkpoint_path: \"model-1\"\n"
                                       "all_model_checkpoint_paths: \"pretrained-9\"\n"
                                       "all_model_checkpoint_paths: \"model-1\"\n";
  save_checkpoint(dir / "pretrained-9", {{"W", at::full({3}, 1.0f)}});
  for (int64_t step = 2; step <= 4; ++step) save(saver, step);
  EXPECT_THAT(on_disk(), UnorderedElementsAre("min-val-error", "pretrained-9", "model-4"));
  EXPECT_THAT(listed(), ElementsAre("pretrained-9", "model-4"));
}

TEST_F(SaverTest, SavingAStepAgainReplacesItInOneStep) {
  variable("W", {3}, 1);
  Saver saver;
  save(saver, 1), save(saver, 2);
  set("W", 5);
  save(saver, 1);
  EXPECT_THAT(listed(), ElementsAre("model-2", "model-1"));
  EXPECT_EQ(load_checkpoint(dir / "model-1").at("W")[0].item<float>(), 5);
}

TEST_F(SaverTest, TwoSaversOfOneProcessShareAFolder) {
  variable("W", {3}, 1);
  Saver models({.max_to_keep = 2}), others({.max_to_keep = 1});
  for (int64_t step = 1; step <= 3; ++step) {
    save(models, step);
    others.save(session, dir / "other", {.global_step = step});
  }
  EXPECT_THAT(on_disk(), UnorderedElementsAre("model-2", "model-3", "other-3"));
  EXPECT_THAT(listed(), ElementsAre("model-2", "model-3", "other-3"));
}

TEST_F(SaverTest, LocksTheFolderUntilItDies) {
  variable("W", {3}, 1);
  const std::string try_lock = "flock --nonblock '" + lock_file() + "' true";
  {
    Saver saver;
    save(saver, 1);
    EXPECT_NE(std::system(try_lock.c_str()), 0);
  }
  EXPECT_EQ(std::system(try_lock.c_str()), 0);
}

TEST_F(SaverTest, ASecondTrainingInAFolderIsToldWhoseItIs) {
  variable("W", {3}, 1);
  const std::string other_training =
      "flock '" + lock_file() + "' sh -c 'echo 4711 > \"$0\"; read line' '" + lock_file() + "'";
  FILE* other = popen(other_training.c_str(), "w");
  std::error_code ignored;
  while (std::filesystem::file_size(lock_file(), ignored) + 1 <= 1) std::this_thread::yield();
  Saver saver;
  EXPECT_THROW_WITH(save(saver, 1), DataError, "process 4711");
  pclose(other);
  EXPECT_NO_THROW(save(saver, 1));
}

TEST_F(SaverTest, RemovesTheTemporariesOfKilledProcesses) {
  variable("W", {3}, 1);
  const std::string stale = dir / "model-3.data-00000-of-00001.tempstate123", fresh = dir / "x.tempstate77",
                    foreign = dir / "notes.tempstate";
  for (const std::string& path : {stale, fresh, foreign}) std::ofstream(path) << "x";
  const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  std::filesystem::last_write_time(stale, long_ago);
  std::filesystem::last_write_time(foreign, long_ago);
  Saver saver;
  save(saver, 4);
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_TRUE(std::filesystem::exists(fresh));
  EXPECT_TRUE(std::filesystem::exists(foreign));
}

TEST_F(SaverTest, ATemporaryThatCannotBeRemovedIsAWarning) {
  std::filesystem::create_directories(dir / "model-1.index.tempstate5/inside");
  std::filesystem::last_write_time(dir / "model-1.index.tempstate5", std::filesystem::file_time_type::min());
  variable("W", {1}, 1);
  Saver saver;
  save(saver, 2);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("tempstate5")));
}

TEST_F(SaverTest, RemovesDataThatAKilledProcessLeftWithoutAnIndex) {
  variable("W", {3}, 1);
  const std::string unfinished = dir / "model-3.data-00000-of-00001",
                    arriving = dir / "model-99.data-00000-of-00001",
                    foreign = dir / "pretrained-3.data-00000-of-00001";
  for (const std::string& path : {unfinished, arriving, foreign}) std::ofstream(path) << "x";
  const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  for (const std::string& path : {unfinished, foreign}) std::filesystem::last_write_time(path, long_ago);
  Saver saver;
  save(saver, 4);
  EXPECT_FALSE(std::filesystem::exists(unfinished));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("model-3, whose saving was interrupted")));
  EXPECT_TRUE(std::filesystem::exists(arriving)) << "somebody copies a checkpoint here, its data first";
  EXPECT_TRUE(std::filesystem::exists(foreign));
  EXPECT_TRUE(is_complete_checkpoint(dir / "model-4"));
}

TEST_F(SaverTest, WhatIsNoLockOfOursStaysAsItIs) {
  variable("W", {3}, 1);
  std::ofstream(dir / "precious") << "precious";
  std::filesystem::create_symlink("precious", lock_file());
  Saver saver;
  EXPECT_THROW(save(saver, 1), DataError);
  std::filesystem::remove(lock_file());
  std::ofstream(lock_file()) << "precious";
  save(saver, 2);
  for (const std::string& path : {dir / "precious", lock_file()})
    EXPECT_EQ(read_file(FileSystem::posix(), path, 100), "precious");
}

TEST_F(SaverTest, SaversOfTwoThreadsComeAndGoInOneFolder) {
  variable("W", {3}, 1);
  auto come_and_go = [&] {
    for (int i = 0; i < 500; ++i) Saver().prepare(session, dir / "model");
  };
  std::thread other(come_and_go);
  EXPECT_NO_THROW(come_and_go());
  other.join();
}

TEST_F(SaverTest, AFolderThatWasRemovedIsMadeAgain) {
  variable("W", {3}, 1);
  Saver saver;
  saver.save(session, dir / "log/model", {.global_step = 1});
  std::filesystem::remove_all(dir / "log");
  saver.save(session, dir / "log/model", {.global_step = 2});
  EXPECT_EQ(latest_checkpoint(dir / "log"), dir / "log/model-2");
}

// The child's disk takes no file of more than 16 KiB.
TEST_F(SaverTest, AFileTooLargeForTheDiskLeavesTheCheckpointBeforeAndNoTemporary) {
  variable("W", {16, 1024}, 1);
  {
    Saver saver;
    save(saver, 1);
  }
  auto save_on_a_small_disk = [&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{16 << 10, 16 << 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Saver saver;
    EXPECT_THROW_WITH(save(saver, 2), DataError, "File too large");
    ::_exit(HasFailure());
  };
  EXPECT_EXIT(save_on_a_small_disk(), testing::ExitedWithCode(0), "");
  EXPECT_THAT(listed(), ElementsAre("model-1"));
  for (const auto& file : std::filesystem::directory_iterator(dir.path())) {
    EXPECT_THAT(file.path().filename().string(),
                testing::AnyOf(HasSubstr("model-1."), HasSubstr("checkpoint")));
  }
}

// The child saves without end, each step with its own number as value; it is killed at some moment.
TEST_F(SaverTest, AKilledProcessLeavesACompleteNewestCheckpoint) {
  variable("W", {16, 1024}, 0);  // small enough for one thread, as threads do not survive fork
  const auto start = std::chrono::steady_clock::now();
  Saver().save(session, dir / "model", {.global_step = 0});
  const auto time_of_save = std::chrono::steady_clock::now() - start;
  int64_t last = 0;
  for (int round = 0; round < 200; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      Saver saver({.max_to_keep = 2});
      for (int64_t step = last + 1;; ++step) {
        set("W", static_cast<double>(step));
        saver.save(session, dir / "model", {.global_step = step});
      }
    }
    // Up to three saves, and more and more until the first, as a fork may take longer than those.
    std::this_thread::sleep_for(time_of_save * (round * 37 % 100) / 33 +
                                std::chrono::milliseconds(last == 0 ? round : 0));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string newest = dir / read_checkpoint_state(dir.path()).newest;
    ASSERT_TRUE(is_complete_checkpoint(newest)) << newest;
    SaverRestore(newest).init(session);
    const int64_t step = std::stoll(newest.substr(newest.rfind('-') + 1));
    ASSERT_EQ(get("W"), static_cast<double>(step));
    ASSERT_GE(step, last);
    last = step;
  }
  EXPECT_GT(last, 0) << "the child never got to save";
}

class SaverOnBadDisk : public SaverTest {
 protected:
  test::FaultFileSystem disk;

  /// What is saved as the newest checkpoint, or -1 when there is none.
  double newest_value() {
    const auto latest = latest_checkpoint("log", disk);
    if (!latest) return -1;
    // The file `checkpoint` must not need the fallback.
    EXPECT_EQ("log/" + read_checkpoint_state("log", disk).newest, *latest);
    BundleReader reader(*latest, disk);
    float value = -2;
    reader.read("W", std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
};

TEST_F(SaverOnBadDisk, AFailureAtAnyMomentLeavesTheCheckpointBefore) {
  variable("W", {1}, 1);
  for (int64_t second_step : {1, 2}) {  // the same step again, and a new one
    for (int fail_at = 0;; ++fail_at) {
      disk = test::FaultFileSystem();
      Saver saver({.max_to_keep = 1, .files = &disk});
      set("W", 1);
      saver.save(session, "log/model", {.global_step = 1});
      disk.fail_at = disk.calls + fail_at;
      disk.stay_broken = true;
      set("W", 2);
      bool saved = true;
      try {
        saver.save(session, "log/model", {.global_step = second_step});
      } catch (const DataError&) {
        saved = false;
      }
      const bool failed = disk.calls > disk.fail_at;
      disk.fail_at = -1;
      disk.crash();
      const double value = newest_value();
      if (saved) {
        EXPECT_EQ(value, 2) << fail_at;
      } else {
        EXPECT_TRUE(value == 1 || value == 2) << value << " at " << fail_at;
      }
      if (!failed) break;
    }
  }
}

TEST_F(SaverOnBadDisk, ASaveThatFailsLeavesNoCheckpointThatIsNotListed) {
  variable("W", {1}, 1);
  for (int fail_at = 0;; ++fail_at) {
    disk = test::FaultFileSystem();
    Saver saver({.files = &disk});
    saver.save(session, "log/model", {.global_step = 1});
    disk.fail_at = disk.calls + fail_at;
    try {
      saver.save(session, "log/model", {.global_step = 2});
      if (disk.calls <= disk.fail_at) break;
    } catch (const DataError&) {
    }
    const std::vector<std::string> listed = read_checkpoint_state("log", disk).all;
    EXPECT_EQ(checkpoints_in("log", "model", disk).size(), listed.size()) << fail_at;
    EXPECT_EQ(saver.last_checkpoints().size(), listed.size()) << fail_at;
  }
}

TEST_F(SaverOnBadDisk, AFullDiskDoesNotRotateTheOldAwayAndSavesAgainLater) {
  variable("W", {1}, 1);
  Saver saver({.max_to_keep = 1, .files = &disk});
  saver.save(session, "log/model", {.global_step = 1});
  disk.fail_at = disk.calls + 1;
  EXPECT_THROW(saver.save(session, "log/model", {.global_step = 2}), DataError);
  EXPECT_EQ(newest_value(), 1);
  set("W", 3);
  saver.save(session, "log/model", {.global_step = 3});
  EXPECT_EQ(newest_value(), 3);
  EXPECT_EQ(checkpoints_in("log", "model", disk).size(), 1u);
}

}  // namespace
}  // namespace belfry
