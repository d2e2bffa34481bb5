#include "belfry/program/adapt_to_load.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

namespace belfry::internal {
namespace {

using Clock = std::chrono::steady_clock;

TEST(AdaptToLoad, NoticesThatTheProcessorsAreWanted) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_NUM_THREADS"))
    GTEST_SKIP() << "the environment says how threads wait";
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one processor: nobody waits at barriers";
#ifdef __clang__
  GTEST_SKIP() << "built without OpenMP";
#endif
  std::atomic<bool> stop = false;
  std::vector<std::thread> busy;
  for (unsigned i = 0; i < 3 * std::thread::hardware_concurrency(); ++i)
    busy.emplace_back([&] {
      while (!stop) {
      }
    });
  const auto end = Clock::now() + std::chrono::seconds(20);
  while (!is_adapted_to_load() && Clock::now() < end) adapt_to_load();
  EXPECT_TRUE(is_adapted_to_load());
  stop = true;
  for (std::thread& thread : busy) thread.join();
}

}  // namespace
}  // namespace belfry::internal
