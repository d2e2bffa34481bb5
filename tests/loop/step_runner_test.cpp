#include "belfry/loop/step_runner.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"

namespace belfry {
namespace {

class StepRunnerTest : public testing::Test {
 protected:
  /// The value of `fetch` in a step that feeds `value` to `feed`.
  double run(const Tensor& feed, const Tensor& fetch, double value) {
    return runner.run({feed}, {fetch}, {at::full({}, value, at::kFloat)}).at(0).item<double>();
  }

  Graph graph;
  GraphScope as_default{graph};
  Session session{graph};
  int prepared = 0;
  StepRunner runner{[this](const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches) {
    ++prepared;
    return session.make_callable({feeds.begin(), feeds.end()}, {fetches.begin(), fetches.end()});
  }};
  Tensor x = placeholder("x", {}), twice = x * 2.0, more = x + 1.0, four_times = twice * 2.0;
};

TEST_F(StepRunnerTest, RunsEachBatch) {
  EXPECT_EQ(run(x, twice, 3), 6);
  EXPECT_EQ(run(x, twice, 5), 10);
}

TEST_F(StepRunnerTest, FollowsAChangeOfWhatIsFetchedOrFed) {
  EXPECT_EQ(run(x, twice, 3), 6);
  EXPECT_EQ(run(x, more, 3), 4);
  EXPECT_EQ(run(twice, four_times, 3), 6);
  EXPECT_EQ(run(x, twice, 3), 6);
}

TEST_F(StepRunnerTest, PreparesOnceWhatAlternates) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run(x, twice, 3), 6);
    EXPECT_EQ(run(x, more, 3), 4);
  }
  EXPECT_EQ(prepared, 2);
}

TEST_F(StepRunnerTest, ForgetsWhatWasNotUsedForLong) {
  run(x, twice, 3);
  for (int i = 0; i < 20; ++i) run(x, x + static_cast<double>(i), 3);
  EXPECT_EQ(prepared, 21);
  run(x, twice, 3);
  EXPECT_EQ(prepared, 22);
}

TEST_F(StepRunnerTest, TheFirstStepIsPreparedAlsoWhenItHasNoFetches) {
  EXPECT_TRUE(runner.run({}, {}, {}).empty());
}

TEST_F(StepRunnerTest, AfterAStepThatCannotBePreparedTheLastOneRunsOn) {
  EXPECT_EQ(run(x, twice, 3), 6);
  EXPECT_THROW(runner.run({}, {twice}, {}), UsageError);
  EXPECT_EQ(run(x, twice, 4), 8);
}

TEST_F(StepRunnerTest, ABatchHasOneValueForEachFeed) {
  EXPECT_THROW(runner.run({x}, {twice}, {}), UsageError);
}

}  // namespace
}  // namespace belfry
