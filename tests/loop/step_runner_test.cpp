#include "belfry/loop/step_runner.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"

namespace belfry {
namespace {

class StepRunnerTest : public testing::Test {
 protected:
  /// The value of `fetch` in a step that feeds `value` to `feed`.
  double run(const Tensor& feed, const Tensor& fetch, double value) {
    return runner.run(session, {feed}, {fetch}, {at::full({}, value, at::kFloat)}).at(0).item<double>();
  }

  Graph graph;
  GraphScope as_default{graph};
  Session session{graph};
  StepRunner runner;
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

TEST_F(StepRunnerTest, TheFirstStepIsPreparedAlsoWhenItHasNoFetches) {
  EXPECT_TRUE(runner.run(session, {}, {}, {}).empty());
}

TEST_F(StepRunnerTest, AfterAStepThatCannotBePreparedTheLastOneRunsOn) {
  EXPECT_EQ(run(x, twice, 3), 6);
  EXPECT_THROW(runner.run(session, {}, {twice}, {}), UsageError);
  EXPECT_EQ(run(x, twice, 4), 8);
}

TEST_F(StepRunnerTest, ABatchHasOneValueForEachFeed) {
  EXPECT_THROW(runner.run(session, {x}, {twice}, {}), UsageError);
}

}  // namespace
}  // namespace belfry
