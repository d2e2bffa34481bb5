#pragma once

#include <gtest/gtest.h>

#include <system_error>

namespace belfry::test {

/// While it lives the process can start `count` more threads; after these the system says that it has none
/// left, as under a limit of processes, which does not bind the superuser.
class ThreadLimit {
 public:
  explicit ThreadLimit(int count);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

  /// How many threads were refused.
  int refused() const;
  /// Whether limits work: sanitizers start threads by a function of their own.
  static bool works();
};

/// Calls `start`, which wants `threads` threads, with 0, 1, ... threads left: each time it throws, so that
/// the threads that it had started have ended, and `start` works once there are enough.
template <typename Start>
void expect_throws_without_threads(int threads, Start start) {
  if (!ThreadLimit::works()) GTEST_SKIP() << "the sanitizer starts the threads";
  for (int count = 0; count < threads; ++count) {
    ThreadLimit limit(count);
    EXPECT_THROW(start(), std::system_error) << count << " of " << threads;
    EXPECT_EQ(limit.refused(), 1);
  }
  EXPECT_NO_THROW(start());
}

}  // namespace belfry::test
