#include "belfry/callbacks/graph_profiler.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "belfry/base/file_system.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_trainer.h"
#include "tests/train/launch_fixture.h"

namespace belfry {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class GraphProfilerTest : public test::LaunchTest {
 protected:
  void train(SingleCostTrainer& with, const GraphProfilerOptions& options) {
    TrainConfig wanted = config(2);  // of three steps each
    wanted.callbacks = callbacks(GraphProfiler(options));
    launch_train_with_config(wanted, with);
  }

  std::string read(const std::string& name) const {
    return read_file(FileSystem::posix(), folder / ("log/" + name), /*max_size=*/1 << 24);
  }

  nlohmann::json trace_of(int64_t step) const {
    return nlohmann::json::parse(read(fmt::format("chrome-trace-{}.json", step)));
  }

  bool has_trace(int64_t step) const {
    return std::filesystem::exists(folder / fmt::format("log/chrome-trace-{}.json", step));
  }
};

TEST_F(GraphProfilerTest, WritesATraceOfEachMeasuredStep) {
  train(trainer, {.skipped_steps = 2, .steps = 3});
  for (int64_t step = 1; step <= 6; ++step) EXPECT_EQ(has_trace(step), step >= 3 && step <= 5) << step;
  const auto events = trace_of(4)["traceEvents"];
  ASSERT_GT(events.size(), 5u);
  EXPECT_EQ(events[0]["name"], "train_op");
  std::vector<std::string> names;
  double end = 0;
  for (const auto& event : events) {
    EXPECT_EQ(event["ph"], "X");
    EXPECT_GE(event["dur"].get<double>(), 0);
    if (event["cat"] != "instruction") continue;
    names.push_back(event["name"]);
    EXPECT_FALSE(event["args"]["kernel"].get<std::string>().empty());
    EXPECT_NEAR(event["ts"].get<double>(), end, 1e-3) << "instructions follow each other";
    end = event["ts"].get<double>() + event["dur"].get<double>();
  }
  EXPECT_LE(end, events[0]["dur"].get<double>()) << "they lie within their run";
  EXPECT_THAT(names, Contains("cost"));
  EXPECT_THAT(log, HasSubstr("[GraphProfiler] "));
  EXPECT_THAT(log, HasSubstr("ms a step, of which\n"));
}

TEST_F(GraphProfilerTest, DescribesTheRunsOnce) {
  train(trainer, {.dump_tracing = false, .skipped_steps = 1});
  EXPECT_FALSE(has_trace(2));
  const std::string text = read("step-2.txt");
  EXPECT_THAT(text, testing::StartsWith("train_op\n\nbefore "));
  for (const char* part : {"\nhead:\n", "\ntail:\n", "belfry::apply_gradient_descent", "memory: "})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_FALSE(std::filesystem::exists(folder / "log/step-3.txt"));
}

TEST_F(GraphProfilerTest, SaysWhyThereIsNothingToShow) {
  SimpleTrainer uncompiled({.compile = false});
  train(uncompiled, {.skipped_steps = 0});
  EXPECT_FALSE(has_trace(1));
  EXPECT_THAT(read("step-1.txt"), testing::StartsWith("train_op\n\nnot compiled: the options say so\n"));
  EXPECT_THAT(log,
              HasSubstr("[GraphProfiler] there is nothing to show of a step: 'train_op' is not compiled: "
                        "the options say so"));
}

TEST_F(GraphProfilerTest, OtherTrainersHaveNothingToShow) {
  test::TinyTrainer tiny;
  tiny.train({.callbacks = callbacks(GraphProfiler({.skipped_steps = 0})),
              .loop = {.steps_per_epoch = 2, .max_epoch = 1},
              .log_dir = folder / "log"});
  EXPECT_THAT(log, HasSubstr("this trainer does not measure its runs"));
}

TEST_F(GraphProfilerTest, TheLogAloneNeedsNoFolder) {
  test::TinyTrainer tiny, other;
  const LoopOptions loop{.steps_per_epoch = 1, .max_epoch = 1};
  EXPECT_THAT(test::message_of<UsageError>(
                  [&] { tiny.train({.callbacks = callbacks(GraphProfiler()), .loop = loop}); }),
              HasSubstr("expected a log_dir"));
  other.train({.callbacks = callbacks(GraphProfiler({.dump_tracing = false, .dump_description = false})),
               .loop = loop});
  EXPECT_THROW(GraphProfiler({.steps = -1}), UsageError);
}

}  // namespace
}  // namespace belfry
