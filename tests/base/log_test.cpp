#include "belfry/base/log.h"

#include <gmock/gmock.h>

#include <vector>

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

}  // namespace
}  // namespace belfry
