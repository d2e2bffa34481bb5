#include "server/connection_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

namespace kserve {
namespace {

using testing::ElementsAre;
using namespace std::chrono_literals;

class ConnectionWatchTest : public testing::Test {
 protected:
  /// A watch that writes down what it closes.
  std::unique_ptr<ConnectionWatch> watch(ConnectionWatch::Limits limits) {
    return std::make_unique<ConnectionWatch>(limits, [this](int connection) {
      std::lock_guard lock(mutex_);
      closed_.push_back(connection);
      changed_.notify_all();
    });
  }
  /// The first `count` that were closed.
  std::vector<int> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_.size() >= count; });
    return closed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> closed_;
};

TEST_F(ConnectionWatchTest, ClosesWhoWaitsForItsClientTooLongAndNobodyElse) {
  const auto watched = watch({.connections = 10, .request_time = 20ms});
  watched->open(1);
  watched->answer(1);  // the server's own time
  watched->open(2);
  EXPECT_THAT(wait_for(1), ElementsAre(2));
  watched->send(1);
  EXPECT_THAT(wait_for(2), ElementsAre(2, 1));
}

TEST_F(ConnectionWatchTest, MakesRoomByClosingTheLongestWait) {
  const auto watched = watch({.connections = 2, .request_time = 1h, .grace = 0ms});
  watched->open(3);
  watched->answer(3);
  for (int connection : {1, 2}) watched->open(connection);
  EXPECT_THAT(wait_for(1), ElementsAre(1));
  watched->open(4);
  EXPECT_THAT(wait_for(2), ElementsAre(1, 2));
}

TEST_F(ConnectionWatchTest, ForgetsConnectionsThatAreNoMore) {
  const auto watched = watch({.connections = 1, .request_time = 1h, .grace = 0ms});
  watched->open(1);
  watched->remove(1);
  watched->open(2);
  watched->open(3);
  EXPECT_THAT(wait_for(1), ElementsAre(2));
  watched->receive(1);  // its request ends after it was closed
}

}  // namespace
}  // namespace kserve
