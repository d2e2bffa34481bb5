#include "belfry/base/timer.h"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/base/log_once.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::MatchesRegex;

std::vector<std::string> logged_by(const std::function<void()>& call) {
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel, std::string_view message) { lines.emplace_back(message); });
  call();
  set_log_sink({});
  return lines;
}

TEST(Timer, DoesNotCountWhereItIsPaused) {
  Timer timer, running;
  timer.pause();
  const double at_pause = timer.seconds();
  while (running.seconds() < 0.02) std::this_thread::yield();
  EXPECT_EQ(timer.seconds(), at_pause);
  EXPECT_TRUE(timer.is_paused());
  EXPECT_THROW(timer.pause(), UsageError);
  timer.resume();
  EXPECT_THROW(timer.resume(), UsageError);
  EXPECT_LT(timer.seconds(), running.seconds() - 0.01);
  running.reset();
  EXPECT_LT(running.seconds(), 10);
}

TEST(TimedOperation, LogsItsTime) {
  EXPECT_THAT(logged_by([] { TimedOperation timed("loading", true); }),
              ElementsAre("Start loading ...", MatchesRegex("Loading finished, time: 0\\.[0-9]{4} sec\\.")));
  EXPECT_THROW(TimedOperation(""), UsageError);
}

TEST(TotalTimer, AddsUp) {
  EXPECT_EQ(TotalTimer::of("decode of this test").count, 0);
  for (int i = 0; i < 3; ++i) TotalTimer timed("decode of this test");
  EXPECT_EQ(TotalTimer::of("decode of this test").count, 3);
  EXPECT_THAT(
      logged_by(TotalTimer::log_all),
      testing::Contains(MatchesRegex("Total time: decode of this test -> .* sec, 3 times, .* sec/time")));
}

TEST(IterSpeedCounter, LogsEachSoManyCalls) {
  EXPECT_THAT(logged_by([] {
                IterSpeedCounter speed(3, "steps");
                for (int i = 0; i < 7; ++i) speed();
              }),
              ElementsAre(MatchesRegex("steps: .* sec, 3 times, .* sec/time"),
                          MatchesRegex("steps: .* sec, 6 times, .* sec/time")));
  EXPECT_THROW(IterSpeedCounter(0), UsageError);
}

// Expected values: tests/base/stats_values.py.
TEST(HumanizeTimeDelta, IsTensorpacks) {
  const std::pair<double, const char*> cases[] = {
      {0, "0 second"},
      {0.01, "0.01 second"},
      {1, "1 second"},
      {1.5, "1.5 seconds"},
      {59.99, "60 seconds"},
      {60, "1 minute"},
      {61, "1 minute 1 second"},
      {87.6, "1 minute 27 seconds"},
      {3600, "1 hour"},
      {3601, "1 hour 1 second"},
      {86401, "1 day 1 second"},
      {118923, "1 day 9 hours 2 minutes 3 seconds"},
      {12345678.9, "142 days 21 hours 21 minutes 18 seconds"},
      {-2, "-2 seconds"},
  };
  for (auto [seconds, text] : cases) EXPECT_EQ(humanize_time_delta(seconds), text);
}

TEST(LogOnce, LogsEachMessageOnce) {
  EXPECT_THAT(logged_by([] {
                for (int i = 0; i < 4; ++i) log_once(i % 2 ? "odd" : "even");
                log_once("odd", LogLevel::kWarning);
              }),
              ElementsAre("even", "odd", "odd"));
  EXPECT_THAT(logged_by([] { log_once("odd"); }), IsEmpty());
}

}  // namespace
}  // namespace belfry
