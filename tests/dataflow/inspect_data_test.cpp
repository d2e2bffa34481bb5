#include "belfry/dataflow/inspect_data.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "tests/dataflow/flows.h"

namespace belfry {
namespace {

using testing::ElementsAre;

TEST(PrintData, ShowsTheFirstDatapointsAndChangesNothing) {
  std::vector<std::string> lines;
  DataFromList source({{at::arange(6).view({2, 3}), scalar(7)[0], at::empty({0}), at::Tensor()},
                       {at::arange(3, at::kFloat).div(4)},
                       {}});
  PrintData flow(source,
                 {.num = 2, .name = "train", .print = [&](std::string_view s) { lines.emplace_back(s); }});
  EXPECT_EQ(flow.size(), 3);
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<size_t> sizes;
    for (Datapoint& dp : flow.iterator()) sizes.push_back(dp.size());
    EXPECT_THAT(sizes, ElementsAre(4, 1, 0));
  }
  EXPECT_THAT(lines, ElementsAre("Contents of DataFlow (train): datapoint 0/2 with 4 components consists of\n"
                                 "  0: Long [2, 3] in range [0, 5]\n"
                                 "  1: Long with value 7\n"
                                 "  2: Float [0]\n"
                                 "  3: undefined",
                                 "Contents of DataFlow (train): datapoint 1/2 with 1 components consists of\n"
                                 "  0: Float [3] in range [0, 0.5]"));
  flow.reset_state();
  flow.iterator().next();
  EXPECT_EQ(lines.size(), 3u);
  EXPECT_THROW(PrintData(source, {.num = -1}), UsageError);
}

TEST(TestDataSpeed, MeasuresThenProducesAll) {
  std::atomic<int64_t> made = 0;
  MapData source(counting(39), [&](Datapoint dp) {
    ++made;
    return dp;
  });
  TestDataSpeed flow(source, {.size = 10, .warmup = 3});
  const TestDataSpeed::Result result = flow.start();
  EXPECT_EQ(result.datapoints, 10);
  EXPECT_GT(result.datapoints_per_second(), 0);
  EXPECT_EQ(made, 13);
  EXPECT_EQ(values(flow), range(39));
  EXPECT_EQ(made, 13 + 13 + 39);
  EXPECT_EQ(TestDataSpeed(source, {.size = 100}).start().datapoints, 39);
  EXPECT_THROW(TestDataSpeed(source, {.size = 0}), UsageError);
  EXPECT_THROW(TestDataSpeed(source, {.warmup = -1}), UsageError);
}

}  // namespace
}  // namespace belfry
