#include "belfry/callbacks/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "belfry/base/error.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::TinyTrainer;
using testing::AllOf;
using testing::HasSubstr;

TEST(ProgressBar, WritesALineAtTheEndOfEachEpochWhereThereIsNoTerminal) {
  if (isatty(STDERR_FILENO)) GTEST_SKIP() << "stderr is a terminal";
  test::LogLines log;
  TinyTrainer trainer({3, 0.125});
  trainer.train(
      {.callbacks = callbacks(ProgressBar({"cost:0"})), .loop = {.steps_per_epoch = 4, .max_epoch = 2}});
  EXPECT_THAT(log.text(), AllOf(HasSubstr("Epoch 1: 100% 4/4["), HasSubstr("Epoch 2: 100% 4/4["),
                                HasSubstr("it/s] cost=0.125")));
}

TEST(ProgressBar, AnEpochThatIsFinishedLaterStartsWhereItWas) {
  if (isatty(STDERR_FILENO)) GTEST_SKIP() << "stderr is a terminal";
  test::LogLines log;
  TinyTrainer().train({.callbacks = callbacks(ProgressBar()),
                       .loop = {.steps_per_epoch = 5, .max_epoch = 2, .starting_step = 2}});
  EXPECT_THAT(log.text(), AllOf(HasSubstr("Epoch 1: 100% 5/5["), HasSubstr("Epoch 2: 100% 5/5[")));
}

TEST(ProgressBar, ShowsScalarsThatExist) {
  EXPECT_THROW(
      TinyTrainer().train({.callbacks = callbacks(ProgressBar({"costs"})), .loop = {.steps_per_epoch = 1}}),
      UsageError);
  TinyTrainer trainer;
  trainer.build([] { default_graph().add("aten::zeros", {}, {{"size", Shape{2}}}, "vector"); });
  EXPECT_THROW(
      trainer.train({.callbacks = callbacks(ProgressBar({"vector"})), .loop = {.steps_per_epoch = 1}}),
      UsageError);
}

}  // namespace
}  // namespace belfry
