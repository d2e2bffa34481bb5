#include "belfry/base/terminal_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "belfry/base/log.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kClear[] = "\r\033[K";

/// A terminal, a log and a clock to test bars with.
struct TerminalBarTest : testing::Test {
  TerminalBarTest() {
    set_log_sink([this](LogLevel, std::string_view line) { log.emplace_back(line); });
  }
  ~TerminalBarTest() override { set_log_sink(nullptr); }

  TerminalBarOptions on_terminal() {
    return {.interval = 1,
            .terminal = [this](const std::string& text) { screen.push_back(text); },
            .clock = [this] { return now; }};
  }
  TerminalBarOptions on_log() {
    return {.title = "Epoch 1", .interval = 1, .clock = [this] { return now; }};
  }

  std::vector<std::string> screen, log;
  double now = 100;
};

TEST_F(TerminalBarTest, ShowsShareSpeedAndTimeLeft) {
  TerminalBar bar(600, on_terminal());
  bar.set_postfix("cost=0.12");
  now += 5;
  bar.update(150);
  EXPECT_THAT(screen, ElementsAre(std::string(kClear) + " 25%|#########" + std::string(27, ' ') +
                                  "|150/600[00:05<00:15,30it/s] cost=0.12"));
}

TEST_F(TerminalBarTest, DrawsOnlyWhenItIsTime) {
  TerminalBar bar(100, on_terminal());
  for (int i = 1; i <= 20; ++i) {
    now += 0.25;
    EXPECT_EQ(bar.is_due(), i % 4 == 0) << i;
    bar.update();
  }
  EXPECT_EQ(screen.size(), 5u);
}

TEST_F(TerminalBarTest, TheLastDrawingShowsTheMeanSpeed) {
  {
    TerminalBar bar(4, on_terminal());
    now += 2;
    bar.update(4);
    screen.clear();
    now += 6;
  }
  EXPECT_THAT(screen, ElementsAre(HasSubstr("4/4[00:08<00:00,0.5it/s]"), "\n"));
}

TEST_F(TerminalBarTest, WhatWasDoneBeforeDoesNotCountForTheSpeed) {
  TerminalBarOptions options = on_terminal();
  options.initial = 100;
  TerminalBar bar(200, options);
  now += 10;
  bar.update(20);
  EXPECT_THAT(screen, ElementsAre(HasSubstr("120/200[00:10<00:40,2it/s]")));
  screen.clear();
  bar.close();
  EXPECT_THAT(screen, ElementsAre(HasSubstr("120/200[00:10<00:40,2it/s]"), "\n"));
}

TEST_F(TerminalBarTest, AnUnknownTotalOnlyCounts) {
  TerminalBar bar(std::nullopt, on_terminal());
  now += 3700;
  bar.update(37);
  EXPECT_THAT(screen, ElementsAre(std::string(kClear) + "37it[1:01:40,0.01it/s]"));
}

TEST_F(TerminalBarTest, LinesOfTheLogAppearAboveTheBar) {
  TerminalBar bar(10, on_terminal());
  log_info("hello");
  EXPECT_THAT(screen, ElementsAre(kClear, HasSubstr("0/10")));
  EXPECT_THAT(log, ElementsAre("hello"));
  bar.close();
  screen.clear();
  log_info("bye");
  EXPECT_THAT(screen, IsEmpty());
}

TEST_F(TerminalBarTest, ASecondBarIsSilent) {
  TerminalBar outer(10, on_terminal());
  {
    TerminalBar inner(5, on_terminal());
    now += 5;
    EXPECT_FALSE(inner.is_due());
    inner.update(5);
  }
  EXPECT_THAT(screen, IsEmpty());
  outer.update();
  EXPECT_THAT(screen, ElementsAre(HasSubstr("1/10")));
}

TEST_F(TerminalBarTest, WithoutATerminalItWritesLinesToTheLog) {
  {
    TerminalBar bar(8, on_log());
    now += 2;
    bar.update(2);
    bar.update(6);
  }
  EXPECT_THAT(log,
              ElementsAre("Epoch 1:  25% 2/8[00:02<00:06,1it/s]", "Epoch 1: 100% 8/8[00:02<00:00,4it/s]"));
}

TEST_F(TerminalBarTest, NoIterationsAreFine) {
  { TerminalBar bar(0, on_log()); }
  EXPECT_THAT(log, ElementsAre(HasSubstr("100% 0/0[00:00<00:00,")));
}

}  // namespace
}  // namespace belfry
