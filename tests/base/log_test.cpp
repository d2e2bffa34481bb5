#include "belfry/base/log.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "belfry/base/file_system.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

TEST(Log, SinkSeesMessagesAtOrAboveTheLevel) {
  std::vector<std::string> seen;
  set_log_sink([&](LogLevel, std::string_view message) { seen.emplace_back(message); });
  log_debug("hidden");
  log_info("step {}", 3);
  set_log_level(LogLevel::kError);
  log_warning("hidden too");
  set_log_level(LogLevel::kInfo);
  set_log_sink({});
  EXPECT_THAT(seen, testing::ElementsAre("step 3"));
}

TEST(Log, ASinkThatLogsDoesNotWaitForItself) {
  int seen = 0;
  set_log_sink([&](LogLevel, std::string_view) {
    ++seen;
    log_info("from the sink");
  });
  log_info("one");
  log_info("two");
  set_log_sink({});
  EXPECT_EQ(seen, 2);
}

TEST(Log, NoMessagePassesForALineOfTheLog) {
  test::TempDir dir;
  log_to_file(dir / "log");
  log_info("a\x1b[2Jb\xff\n[0101 00:00:00 warning] forged");
  log_to_file("");
  const std::string text = read_file(FileSystem::posix(), dir / "log", 1 << 20);
  EXPECT_THAT(text, testing::StartsWith("["));
  EXPECT_THAT(text, testing::EndsWith("] a\\x1b[2Jb\\xff\n  [0101 00:00:00 warning] forged\n"));
}

TEST(Log, TheSinkGetsMessagesAsTheyAre) {
  std::string seen;
  set_log_sink([&](LogLevel, std::string_view message) { seen = message; });
  log_info("a\nb\x1b");
  set_log_sink({});
  EXPECT_EQ(seen, "a\nb\x1b");
}

}  // namespace
}  // namespace belfry
