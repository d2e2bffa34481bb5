#include "belfry/summary/json_writer.h"

#include <ATen/ops/scalar_tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "belfry/base/error.h"
#include "tests/support/peak_memory.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::AtEpochEnd;
using test::TinyTrainer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SetStep : public SessionInit {
 public:
  explicit SetStep(int64_t step) : step_(step) {}
  void init(Session& session) const override {
    session.set_value(Variable(session.graph().find_variable("global_step")),
                      at::scalar_tensor(step_, at::kLong));
  }

 private:
  int64_t step_;
};

struct JSONWriterTest : testing::Test {
  std::string path() const { return folder / "stats.json"; }

  /// Trains epochs of two steps; each puts its number as "epoch".
  void train(int64_t first_epoch, int64_t last_epoch, int64_t global_step) {
    TinyTrainer trainer;
    auto put = [](Trainer& t) { t.monitors().put_scalar("epoch", static_cast<double>(t.epoch_num())); };
    trainer.train({.callbacks = callbacks(AtEpochEnd(put)),
                   .monitors = {std::make_shared<JSONWriter>()},
                   .session_init = SetStep(global_step),
                   .loop = {.steps_per_epoch = 2, .starting_epoch = first_epoch, .max_epoch = last_epoch},
                   .log_dir = folder.path()});
  }

  void write(const std::string& text) { std::ofstream(path()) << text; }

  /// "epoch_num/global_step" of each entry.
  std::vector<std::string> history() const {
    std::vector<std::string> result;
    for (const auto& entry : JSONWriter::load_existing(folder.path()))
      result.push_back(fmt::format("{}/{}", entry.epoch_num, entry.global_step));
    return result;
  }

  size_t number_of_files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
  }

  test::TempDir folder;
};

TEST_F(JSONWriterTest, WritesAnEntryForEachStepWithScalars) {
  train(1, 2, 0);
  std::ifstream file(path());
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(text,
            R"([{"epoch":1.0,"epoch_num":1,"global_step":2},{"epoch":2.0,"epoch_num":2,"global_step":4}])");
}

TEST_F(JSONWriterTest, AResumedRunContinuesTheHistory) {
  train(1, 2, 0);
  train(3, 3, 4);
  EXPECT_THAT(history(), ElementsAre("1/2", "2/4", "3/6"));
  EXPECT_EQ(JSONWriter::load_existing_epoch_number(folder.path()), 3);
}

TEST_F(JSONWriterTest, EntriesBeyondTheResumedStepAreDropped) {
  train(1, 3, 0);
  train(2, 2, 2);
  EXPECT_THAT(history(), ElementsAre("1/2", "2/4"));
  EXPECT_EQ(number_of_files(), 1u);
}

TEST_F(JSONWriterTest, TheHistoryOfAnotherTrainingIsKeptAside) {
  train(1, 3, 0);
  train(1, 1, 0);
  EXPECT_THAT(history(), ElementsAre("1/2"));
  EXPECT_EQ(number_of_files(), 2u);
}

TEST_F(JSONWriterTest, AHistoryWithAnEntryOfStepZeroIsKeptAsideToo) {
  const std::string old =
      R"([{"epoch_num": 0, "global_step": 0, "a": 1}, {"epoch_num": 1, "global_step": 2}])";
  write(old);
  train(1, 1, 0);
  EXPECT_THAT(history(), ElementsAre("1/2"));
  EXPECT_EQ(number_of_files(), 2u);
}

TEST_F(JSONWriterTest, EntriesOfShorterEpochsStay) {
  write(R"([{"epoch_num": 1, "global_step": 1}, {"epoch_num": 4, "global_step": 4}])");
  train(3, 3, 4);
  EXPECT_THAT(history(), ElementsAre("1/1", "4/4", "3/6"));
}

TEST_F(JSONWriterTest, ReadsWhatPythonWritesForNumbersThatAreNotFinite) {
  write(R"([{"a\"NaN": NaN, "b": -Infinity, "c": Infinity, "NaN": 1, "epoch_num": 1, "global_step": 2}])");
  const auto scalars = JSONWriter::load_existing(folder.path()).at(0).scalars;
  for (const char* tag : {"a\"NaN", "b", "c"}) EXPECT_TRUE(std::isnan(scalars.at(tag))) << tag;
  EXPECT_EQ(scalars.at("NaN"), 1);
}

TEST_F(JSONWriterTest, ADamagedHistoryIsKeptAside) {
  for (const char* text :
       {"", "[{\"epoch_num\": 1, ", "{}x", "[3]", "[{\"epoch_num\": \"one\", \"global_step\": 2}]"}) {
    write(text);
    EXPECT_THROW(JSONWriter::load_existing(folder.path()), DataError) << text;
    EXPECT_EQ(JSONWriter::load_existing_epoch_number(folder.path()), std::nullopt);
    train(1, 1, 0);
    EXPECT_THAT(history(), ElementsAre("1/2"));
  }
}

TEST_F(JSONWriterTest, ManyScalarsTakeMemoryAndTimeInProportionToTheFile) {
  std::string text = R"([{"epoch_num": 1, "global_step": 2)";
  for (int i = 0; i < 200'000; ++i) text += fmt::format(R"(,"{}":[{{}}],"a{}":1)", i, i);
  write(text + "}]");
  EXPECT_EQ(JSONWriter::load_existing(folder.path()).at(0).scalars.size(), 200'000u);
  test::expect_memory_in_proportion("stats.json", text.size(),
                                    [&] { JSONWriter::load_existing(folder.path()); });
}

TEST_F(JSONWriterTest, NotANumberIsNull) {
  TinyTrainer trainer;
  trainer.train({.callbacks = callbacks(AtEpochEnd([](Trainer& t) { t.monitors().put_scalar("loss", NAN); })),
                 .monitors = {std::make_shared<JSONWriter>(folder.path())},
                 .loop = {.steps_per_epoch = 1, .max_epoch = 1}});
  EXPECT_TRUE(std::isnan(JSONWriter::load_existing(folder.path())[0].scalars.at("loss")));
}

TEST_F(JSONWriterTest, NoFileIsNoHistory) {
  EXPECT_THAT(JSONWriter::load_existing(folder.path()), IsEmpty());
  EXPECT_EQ(JSONWriter::load_existing_epoch_number(folder.path()), std::nullopt);
}

TEST_F(JSONWriterTest, AFolderThatCannotBeWrittenDoesNotEndTraining) {
  write("");  // a file where a folder should be
  test::LogLines log;
  TinyTrainer trainer;
  trainer.train({.callbacks = callbacks(AtEpochEnd([](Trainer& t) { t.monitors().put_scalar("a", 1); })),
                 .monitors = {std::make_shared<JSONWriter>(path())},
                 .loop = {.steps_per_epoch = 1, .max_epoch = 2}});
  EXPECT_EQ(trainer.global_step(), 2);
  EXPECT_THAT(log.text(), HasSubstr("[JSONWriter]"));
}

TEST_F(JSONWriterTest, TensorpackReadsTheHistory) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  train(1, 2, 0);
  EXPECT_EQ(test::run_python("tests/summary/read_stats.py", {folder.path()}), "2 [2, 4] [1.0, 2.0]\n");
}

}  // namespace
}  // namespace belfry
