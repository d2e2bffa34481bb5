#include "belfry/loop/stop_on_signal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"
#include "tests/support/thread_limit.h"

namespace belfry {
namespace {

class TestTrainer : public Trainer {
 public:
  void run_step() override { run_hooked({}); }
};

/// Waits until the trainer is asked to stop, as an input does whose data does not come.
void wait_for_stop(Trainer& trainer) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  woken.wait(lock, trainer.stop_token(), [] { return false; });
}

class SignalTest : public testing::TestWithParam<int> {};

TEST_P(SignalTest, StopsTrainingAndTheHandlerFromBeforeReturns) {
  struct RaiseAtStep3 : Callback {
    std::string name() const override { return "RaiseAtStep3"; }
    void trigger_step() override {
      if (trainer().global_step() != 3) return;
      ::raise(GetParam());
      wait_for_stop(trainer());
    }
  };
  struct sigaction before, after;
  ::sigaction(GetParam(), nullptr, &before);
  TestTrainer trainer;
  {
    StopOnSignal guard(trainer);
    trainer.train({.callbacks = callbacks(RaiseAtStep3()), .loop = {.steps_per_epoch = 100}});
  }
  ::sigaction(GetParam(), nullptr, &after);
  EXPECT_EQ(trainer.global_step(), 3);
  EXPECT_EQ(after.sa_handler, before.sa_handler);
}

TEST_P(SignalTest, ASecondSignalEndsTheProgramAtOnce) {
  EXPECT_EXIT(
      {
        TestTrainer trainer;
        StopOnSignal guard(trainer);
        ::raise(GetParam());
        ::raise(GetParam());
      },
      testing::ExitedWithCode(128 + GetParam()), "");
}

INSTANTIATE_TEST_SUITE_P(EverySignal, SignalTest, testing::Values(SIGINT, SIGTERM, SIGUSR1));

TEST(StopOnSignalTest, OnlyOneGuardLivesAtATime) {
  TestTrainer trainer;
  StopOnSignal guard(trainer);
  EXPECT_THROW(StopOnSignal second(trainer), UsageError);
}

TEST(StopOnSignalTest, EndsWithoutASignal) {
  TestTrainer trainer;
  for (int i = 0; i < 100; ++i) StopOnSignal guard(trainer);
  EXPECT_FALSE(trainer.stop_requested());
}

TEST(StopOnSignalTest, ASystemWithoutThreadsIsAnErrorAndDoesNotKeepLaterGuardsOut) {
  TestTrainer trainer;
  test::expect_throws_without_threads(1, [&] { StopOnSignal guard(trainer); });
}

}  // namespace
}  // namespace belfry
