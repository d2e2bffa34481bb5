#include "belfry/dataflow/random_data.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/dataflow/locally_shuffle_data.h"
#include "belfry/dataflow/repeated_data.h"
#include "tests/dataflow/flows.h"

namespace belfry {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using testing::UnorderedElementsAreArray;

DataFromList constant(int64_t n, int64_t of) {
  return DataFromList(std::vector<Datapoint>(static_cast<size_t>(n), scalar(of)));
}

int64_t count_of(const std::vector<int64_t>& all, int64_t wanted) {
  return std::count(all.begin(), all.end(), wanted);
}

TEST(RandomChooseData, ChoosesAsOftenAsTheProbabilitiesSay) {
  RandomChooseData flow({RepeatedData(constant(1, 0), -1), RepeatedData(constant(1, 1), -1)},
                        {.probabilities = {1, 3}, .seed = 1});
  EXPECT_EQ(flow.size(), std::nullopt);
  FixedSizeData some(flow, 4000, {.keep_state = false});
  EXPECT_NEAR(static_cast<double>(count_of(values(some), 0)), 1000, 5 * 27.4);  // 5 standard deviations
}

TEST(RandomChooseData, KeepsTheOrderOfEachSourceAndEndsWithTheFirstThatIsChosenAtItsEnd) {
  RandomChooseData flow(
      {counting(20), MapData(counting(20), [](Datapoint dp) { return scalar(value(dp) + 100); })});
  for (int pass = 0; pass < 5; ++pass) {
    std::vector<int64_t> low, high;
    for (int64_t v : values(flow)) (v < 100 ? low : high).push_back(v);
    EXPECT_TRUE(std::is_sorted(low.begin(), low.end()) && std::is_sorted(high.begin(), high.end()));
    EXPECT_EQ(std::max(low.size(), high.size()), 20u);
  }
}

TEST(RandomChooseData, BadArgumentsAreErrors) {
  EXPECT_THROW(RandomChooseData({}), UsageError);
  EXPECT_THAT(
      [] {
        RandomChooseData({counting(1)}, {.probabilities = {0.5, 0.5}});
      },
      ThrowsMessage<UsageError>(HasSubstr("expected 1 probabilities")));
  for (double bad : {0.0, -1.0, HUGE_VAL, std::nan("")})
    EXPECT_THROW(RandomChooseData({counting(1)}, {.probabilities = {bad}}), UsageError);
}

TEST(RandomMixData, MixesAllDatapointsOfAllSources) {
  RandomMixData flow({constant(30, 0), constant(0, 1), constant(10, 2)});
  EXPECT_EQ(flow.size(), 40);
  const auto first = values(flow), second = values(flow);
  EXPECT_NE(first, second);
  for (const auto& pass : {first, second}) {
    EXPECT_EQ(count_of(pass, 0), 30);
    EXPECT_EQ(count_of(pass, 2), 10);
    EXPECT_EQ(pass.size(), 40u);
  }
  flow.reset_state();
  EXPECT_EQ(values(flow), first);
}

TEST(RandomMixData, PutsEverySourceAnywhereInThePass) {
  RandomMixData flow({constant(3, 0), constant(1, 1)});
  std::vector<int64_t> places(4);
  for (int pass = 0; pass < 400; ++pass) {
    const auto all = values(flow);
    ++places[static_cast<size_t>(std::find(all.begin(), all.end(), 1) - all.begin())];
  }
  for (int64_t count : places) EXPECT_NEAR(static_cast<double>(count), 100, 5 * 8.7);
}

TEST(RandomMixData, ASourceShorterThanItsSizeLosesNothingOfTheOthers) {
  MapData shorter(counting(10), [](Datapoint dp) -> std::optional<Datapoint> {
    return value(dp) < 3 ? std::optional(dp) : std::nullopt;
  });
  EXPECT_EQ(values(RandomMixData({shorter, constant(10, 50)})).size(), 13u);
  EXPECT_THROW(RandomMixData({}), UsageError);
  EXPECT_THROW(RandomMixData({endless()}), UsageError);
}

TEST(LocallyShuffleData, ProducesEachDatapointAsOftenAsAsked) {
  for (int64_t n : {0, 1, 13, 39}) {
    for (int64_t reuse : {1, 3}) {
      LocallyShuffleData flow(counting(n), 7, {.num_reuse = reuse, .endless = false});
      EXPECT_EQ(flow.size(), n * reuse);
      EXPECT_THAT(values(flow), UnorderedElementsAreArray(values(RepeatedDataPoint(counting(n), reuse))));
    }
  }
}

TEST(LocallyShuffleData, MovesADatapointByAboutTheBufferSize) {
  const auto all = values(LocallyShuffleData(counting(2000), 100, {.endless = false}));
  EXPECT_NE(all, range(2000));
  int64_t early = 0;  // nothing can come before it has entered
  for (int64_t i = 0; i < 2000; ++i) early = std::max(early, all[static_cast<size_t>(i)] - i);
  EXPECT_LE(early, 100);
  EXPECT_GE(early, 80);
}

TEST(LocallyShuffleData, IsEndlessUnlessToldOtherwise) {
  LocallyShuffleData flow(counting(5), 3);
  EXPECT_EQ(flow.size(), std::nullopt);
  const auto all = values(FixedSizeData(flow, 500));
  for (int64_t v = 0; v < 5; ++v) EXPECT_NEAR(static_cast<double>(count_of(all, v)), 100, 3);
}

TEST(LocallyShuffleData, BadArgumentsAreErrors) {
  EXPECT_THROW(LocallyShuffleData(counting(1), 0), UsageError);
  EXPECT_THROW(LocallyShuffleData(counting(1), 1, {.num_reuse = 0}), UsageError);
  EXPECT_THROW(LocallyShuffleData(counting(1), 1, {.shuffle_interval = 0}), UsageError);
  EXPECT_EQ(values(LocallyShuffleData(counting(3), 1, {.endless = false})), range(3));
}

}  // namespace
}  // namespace belfry
