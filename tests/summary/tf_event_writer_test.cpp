#include "belfry/summary/tf_event_writer.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <sstream>

#include "belfry/base/error.h"
#include "belfry/checkpoint/restore.h"
#include "belfry/graph/scope.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::AtEpochEnd;
using test::TinyTrainer;
using testing::ElementsAre;
using testing::HasSubstr;

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// What TensorBoard shows of a folder, line by line.
std::vector<std::string> tensorboard_shows(const std::string& folder) {
  std::istringstream out(test::run_python("tests/summary/read_events.py", {folder}));
  std::vector<std::string> lines;
  for (std::string line; std::getline(out, line);) lines.push_back(line);
  return lines;
}

void train_with_events(const std::string& folder, std::function<void(Trainer&)> at_epoch_end, int64_t epochs,
                       AnySessionInit init = {}) {
  TinyTrainer trainer;
  trainer.train({.callbacks = callbacks(AtEpochEnd(std::move(at_epoch_end))),
                 .monitors = {std::make_shared<TFEventWriter>()},
                 .session_init = std::move(init),
                 .loop = {.steps_per_epoch = 10, .max_epoch = epochs},
                 .log_dir = folder});
}

TEST(TFEventWriter, TensorBoardShowsTheGraphAndTexts) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir folder;
  TinyTrainer trainer;
  trainer.build([&] {
    const Tensor doubled =
        default_graph().add("aten::add.Tensor", {trainer.cost(), trainer.cost()}, {}, "twice").output();
    const ControlDependencies after({doubled});
    default_graph().add("aten::neg", {doubled}, {}, "negative");
  });
  trainer.train(
      {.callbacks = callbacks(AtEpochEnd([](Trainer& t) { t.monitors().put_text("notes", "# a\nb"); })),
       .monitors = {std::make_shared<TFEventWriter>()},
       .loop = {.steps_per_epoch = 2, .max_epoch = 1},
       .log_dir = folder.path()});
  std::istringstream out(
      test::run_python("tests/summary/read_graph.py", {folder.path(), "twice", "negative"}));
  std::vector<std::string> lines;
  for (std::string line; std::getline(out, line);) lines.push_back(line);
  EXPECT_THAT(lines, ElementsAre("twice aten::add.Tensor cost cost float32 []",
                                 "negative aten::neg twice ^twice float32 []", "text notes 2 '# a\\nb'"));
}

TEST(TFEventWriter, TensorBoardShowsScalarsHistogramsAndImages) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir folder;
  const at::Tensor images =
      at::tensor({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, at::kByte).reshape({2, 1, 2, 3});
  train_with_events(
      folder.path(),
      [&](Trainer& trainer) {
        trainer.monitors().put_scalar("val-error", 0.5 / static_cast<double>(trainer.epoch_num()));
        if (trainer.epoch_num() == 1) return;
        trainer.monitors().put_histogram("conv0/W", at::tensor({-1.f, 0.f, 0.5f, 2.f, NAN}));
        trainer.monitors().put_image("digits", images);
        trainer.monitors().put_image("one", images.slice(0, 0, 1));
      },
      2);
  EXPECT_THAT(tensorboard_shows(folder.path()),
              ElementsAre("scalar val-error 10:0.5 20:0.25",
                          "histogram conv0/W 20 min=-1 max=2 num=4 sum=1.5 counts 4.0",
                          "image digits/0 20 1 2 3 1 2 3 4 5 6", "image digits/1 20 1 2 3 7 8 9 10 11 12",
                          "image one 20 1 2 3 1 2 3 4 5 6"));
}

TEST(TFEventWriter, EachRunWritesAFileOfItsOwn) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir folder;
  train_with_events(
      folder.path(), [](Trainer& t) { t.monitors().put_scalar("a", 1); }, 1);
  train_with_events(
      folder.path(), [](Trainer& t) { t.monitors().put_scalar("b", NAN); }, 1);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2);
  EXPECT_THAT(tensorboard_shows(folder.path()), ElementsAre("scalar a 10:1", "scalar b 10:nan"));
}

TEST(TFEventWriter, AResumedRunHidesWhatTheLastShowedBeyondItsStart) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir folder;
  auto put = [](double value) { return [value](Trainer& t) { t.monitors().put_scalar("a", value); }; };
  train_with_events(folder.path(), put(1), 3);
  train_with_events(folder.path(), put(2), 1, DictRestore({{"global_step", at::tensor(10)}}));
  EXPECT_THAT(tensorboard_shows(folder.path()), ElementsAre("scalar a 10:1 20:2"));
}

TEST(TFEventWriter, TensorBoardReadsOnAfterARecordThatAKillTore) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir folder;
  auto put = [](Trainer& t) { t.monitors().put_scalar("a", t.epoch_num()); };
  train_with_events(folder.path(), put, 2);
  for (const auto& file : std::filesystem::directory_iterator(folder.path()))
    std::filesystem::resize_file(file, file.file_size() - 3);
  train_with_events(folder.path(), put, 1, DictRestore({{"global_step", at::tensor(10)}}));
  EXPECT_THAT(tensorboard_shows(folder.path()), ElementsAre("scalar a 10:1 20:1"));
}

/// How many files there are after each of three steps of two epochs that put a scalar, and whether they have
/// grown ("+") since the last.
std::vector<std::string> growth_by_steps(TFEventWriterOptions options) {
  struct Puts : Callback {
    Puts(const std::string& folder, std::vector<std::string>& growth) : folder(folder), growth(growth) {}
    std::string name() const override { return "Puts"; }
    void trigger_step() override {
      trainer().monitors().put_scalar("a", 1);
      size_t files = 0, bytes = 0;
      for (const auto& file : std::filesystem::directory_iterator(folder)) ++files, bytes += file.file_size();
      growth.push_back(fmt::format("{}{}", files, bytes == last ? "=" : "+"));
      last = bytes;
    }
    std::string folder;
    std::vector<std::string>& growth;
    size_t last = 0;
  };
  test::TempDir folder;
  std::vector<std::string> growth;
  TinyTrainer trainer;
  trainer.train({.callbacks = callbacks(Puts(folder.path(), growth)),
                 .monitors = {std::make_shared<TFEventWriter>(folder.path(), options)},
                 .loop = {.steps_per_epoch = 3, .max_epoch = 2}});
  return growth;
}

TEST(TFEventWriter, EventsWaitForOthersIfAsked) {
  EXPECT_THAT(growth_by_steps({}), ElementsAre("1+", "1+", "1+", "1+", "1+", "1+"));
  // The end of an epoch writes what waits.
  EXPECT_THAT(growth_by_steps({.max_queue = 10}), ElementsAre("1+", "1=", "1=", "1+", "1=", "1="));
  EXPECT_THAT(growth_by_steps({.max_queue = 10, .flush_secs = 0}),
              ElementsAre("1+", "1+", "1+", "1+", "1+", "1+"));
  EXPECT_THROW(TFEventWriter("log", {.max_queue = -1}), UsageError);
}

TEST(TFEventWriter, EachEpochHasAFileIfAsked) {
  EXPECT_THAT(growth_by_steps({.split_files = true}), ElementsAre("1+", "1+", "1+", "2+", "2+", "2+"));
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  test::TempDir folder;
  for (int run = 0; run < 2; ++run) {
    TinyTrainer trainer;
    trainer.train({.callbacks = callbacks(AtEpochEnd(
                       [&](Trainer& t) { t.monitors().put_scalar(run ? "b" : "a", t.epoch_num()); })),
                   .monitors = {std::make_shared<TFEventWriter>(folder.path(),
                                                                TFEventWriterOptions{.split_files = true})},
                   .loop = {.steps_per_epoch = 10, .max_epoch = 3}});
  }
  EXPECT_THAT(tensorboard_shows(folder.path()),
              ElementsAre("scalar a 10:1 20:2 30:3", "scalar b 10:1 20:2 30:3"));
}

TEST(TFEventWriter, AFileThatWasRemovedIsFollowedByANewOne) {
  test::TempDir folder;
  test::LogLines log;
  train_with_events(
      folder / "log",
      [&](Trainer& t) {
        t.monitors().put_scalar("a", 1);
        if (t.epoch_num() == 2) std::filesystem::remove_all(folder / "log");
      },
      4);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "log"), {}), 1);
  EXPECT_EQ(count(log.text(), "[TFEventWriter]"), 1) << log.text();
}

TEST(TFEventWriter, AFullDiskIsOneWarningAndTrainingGoesOn) {
  test::FaultFileSystem files;
  files.fail_at = 5;
  files.stay_broken = true;
  test::LogLines log;
  TinyTrainer trainer;
  trainer.train({.callbacks = callbacks(AtEpochEnd([](Trainer& t) { t.monitors().put_scalar("a", 1); })),
                 .monitors = {std::make_shared<TFEventWriter>("log", files)},
                 .loop = {.steps_per_epoch = 2, .max_epoch = 6}});
  EXPECT_EQ(trainer.global_step(), 12);
  EXPECT_EQ(count(log.text(), "[TFEventWriter]"), 1) << log.text();
}

TEST(TFEventWriter, WritesANewFileWhenTheDiskWorksAgain) {
  test::FaultFileSystem files;
  files.fail_at = 5;
  test::LogLines log;
  TinyTrainer trainer;
  trainer.train({.callbacks = callbacks(AtEpochEnd([](Trainer& t) { t.monitors().put_scalar("a", 1); })),
                 .monitors = {std::make_shared<TFEventWriter>("log", files)},
                 .loop = {.steps_per_epoch = 2, .max_epoch = 6}});
  EXPECT_EQ(files.list("log").size(), 2u);
}

TEST(TFEventWriter, WithoutAFolderItWarnsAndWritesNothing) {
  test::LogLines log;
  train_with_events(
      "", [](Trainer& t) { t.monitors().put_scalar("a", 1); }, 1);
  EXPECT_THAT(log.text(), HasSubstr("TFEventWriter writes nothing"));
}

/// Runs in one folder, one after the other, each of which ends as by a kill: "a" is put at each step, "b" at
/// every second.
class CrashingRuns {
 public:
  /// From `step`, where the last checkpoint is, up to `killed_at`; one that is not killed ends as it should.
  void run(int64_t step, int64_t killed_at, bool is_killed = true) {
    auto trainer = std::make_unique<TinyTrainer>();
    AnySessionInit init;
    if (step > 0) init = DictRestore({{"global_step", at::tensor(step)}});
    struct Puts : Callback {
      explicit Puts(int64_t end) : end(end) {}
      std::string name() const override { return "Puts"; }
      void trigger_step() override {
        const int64_t now = trainer().global_step();
        trainer().monitors().put_scalar("a", 1);
        if (now % 2 == 0) trainer().monitors().put_scalar("b", 1);
        if (now == end) throw std::runtime_error("killed");
      }
      int64_t end;
    };
    const auto train = [&] {
      trainer->train({.callbacks = callbacks(Puts(is_killed ? killed_at : -1)),
                      .monitors = {std::make_shared<TFEventWriter>()},
                      .session_init = init,
                      .loop = {.steps_per_epoch = killed_at - step, .max_epoch = 1},
                      .log_dir = folder_.path()});
    };
    if (is_killed) {
      EXPECT_THROW(train(), std::runtime_error);
    } else {
      train();
    }
  }

  /// Every way to load them shows 1, 2, ..., `steps`.
  void expect_steps(int64_t steps) {
    std::string a = "a", b = "b";
    for (int64_t step = 1; step <= steps; ++step) {
      a += fmt::format(" {}", step);
      if (step % 2 == 0) b += fmt::format(" {}", step);
    }
    const std::string shown = test::run_python("tests/summary/read_steps.py", {folder_.path()});
    EXPECT_EQ(shown, fmt::format("plugin {0}\nplugin {1}\nolder {0}\nolder {1}\nprovider {0}\nprovider {1}\n",
                                 a, b));
  }

  const std::string& folder() { return folder_.path(); }

 private:
  test::TempDir folder_;
};

TEST(TFEventWriter, StepsRiseAfterACrash) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  CrashingRuns runs;
  runs.run(0, 11);
  runs.run(6, 16, /*is_killed=*/false);
  runs.expect_steps(16);
}

TEST(TFEventWriter, StepsRiseAfterManyCrashes) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  CrashingRuns runs;
  runs.run(0, 5);   // before the first checkpoint
  runs.run(0, 11);  // after one at 6
  runs.run(6, 9);
  runs.run(6, 14);
  runs.run(12, 13);
  runs.run(12, 20, /*is_killed=*/false);
  runs.expect_steps(20);
}

TEST(TFEventWriter, StepsRiseAfterTheFilesOfAHostWhoseClockIsAhead) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  CrashingRuns runs;
  runs.run(0, 11);
  const std::string file = std::filesystem::directory_iterator(runs.folder())->path();
  std::filesystem::rename(file, runs.folder() + "/events.out.tfevents.4102444800.ahead.1.0");
  runs.run(6, 12, /*is_killed=*/false);
  runs.expect_steps(12);
}

}  // namespace
}  // namespace belfry
