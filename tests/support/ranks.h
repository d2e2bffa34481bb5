#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace belfry::test {

/// How a process ended: its exit code, or minus the signal that killed it, and what it wrote.
struct RankEnd {
  int code = 0;
  std::string output;
  double seconds = 0;  ///< since the start of all
};

/// Runs the test that calls it again, in `count` processes with torchrun's environment, expects all to end
/// well, and returns false; what is still running after `patience` is killed. In such a process it returns
/// true: that runs the rest of the test.
///
///     TEST(AllReduce, AddsUp) {
///       if (!in_ranks(3)) return;
///       EXPECT_EQ(…);
///     }
bool in_ranks(int count, std::chrono::seconds patience = std::chrono::seconds(120));

/// In the parent, for tests in which processes are meant to fail: runs them with further variables of the
/// environment ("NAME=value"), and returns how each ended.
std::vector<RankEnd> run_ranks(int count, std::chrono::seconds patience,
                               const std::vector<std::string>& environment = {});
/// Whether this process is one of them.
bool is_rank();

/// A port that nobody listens on at the moment.
int free_port();

}  // namespace belfry::test
