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

}  // namespace
}  // namespace belfry
