#include "belfry/program/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace belfry::internal {
namespace {

using testing::ElementsAre;

TEST(MemoryPlanTest, NothingTakesNothing) {
  const MemoryPlan plan = plan_memory({});
  EXPECT_TRUE(plan.offsets.empty());
  EXPECT_EQ(plan.bytes, 0);
}

TEST(MemoryPlanTest, ValuesThatFollowEachOtherShareAPlace) {
  const MemoryPlan plan =
      plan_memory({{.bytes = 100, .first = 0, .last = 1}, {.bytes = 80, .first = 2, .last = 3}});
  EXPECT_THAT(plan.offsets, ElementsAre(0, 0));
  EXPECT_EQ(plan.bytes, 100);
}

TEST(MemoryPlanTest, WhatAnInstructionReadsIsNotWhereItWrites) {
  const MemoryPlan plan =
      plan_memory({{.bytes = 64, .first = 0, .last = 1}, {.bytes = 64, .first = 1, .last = 2}});
  EXPECT_THAT(plan.offsets, ElementsAre(0, 64));
  EXPECT_EQ(plan.bytes, 128);
}

TEST(MemoryPlanTest, PlacesBeginAtLinesOfTheCache) {
  const MemoryPlan plan =
      plan_memory({{.bytes = 65, .first = 0, .last = 9}, {.bytes = 3, .first = 0, .last = 9}});
  EXPECT_THAT(plan.offsets, ElementsAre(0, 128));
  EXPECT_EQ(plan.bytes, 131);
}

TEST(MemoryPlanTest, ASmallValueFillsTheGapBetweenLargeOnes) {
  const MemoryPlan plan = plan_memory({{.bytes = 256, .first = 0, .last = 3},    // below, then free
                                       {.bytes = 192, .first = 3, .last = 8},    // on top
                                       {.bytes = 128, .first = 4, .last = 8}});  // where the first was
  EXPECT_THAT(plan.offsets, ElementsAre(0, 256, 0));
  EXPECT_EQ(plan.bytes, 448);
}

/// The most that lives at one time: no plan takes less.
int64_t peak(const std::vector<MemoryUse>& uses) {
  int64_t most = 0;
  for (const MemoryUse& now : uses) {
    int64_t sum = 0;
    for (const MemoryUse& use : uses) {
      if (use.first <= now.first && now.first <= use.last) sum += use.bytes;
    }
    most = std::max(most, sum);
  }
  return most;
}

TEST(MemoryPlanTest, NoTwoThatLiveTogetherOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<MemoryUse> uses(1 + random() % 40);
    for (MemoryUse& use : uses) {
      use = {.bytes = static_cast<int64_t>(1 + random() % 1000),
             .first = static_cast<int64_t>(random() % 30)};
      use.last = use.first + static_cast<int64_t>(random() % 8);
    }
    const MemoryPlan plan = plan_memory(uses);
    EXPECT_GE(plan.bytes, peak(uses));
    for (size_t a = 0; a < uses.size(); ++a) {
      EXPECT_EQ(plan.offsets[a] % kMemoryAlignment, 0);
      EXPECT_LE(plan.offsets[a] + uses[a].bytes, plan.bytes);
      for (size_t b = 0; b < a; ++b) {
        const bool together = uses[a].first <= uses[b].last && uses[b].first <= uses[a].last;
        const bool apart = plan.offsets[a] + uses[a].bytes <= plan.offsets[b] ||
                           plan.offsets[b] + uses[b].bytes <= plan.offsets[a];
        EXPECT_TRUE(apart || !together) << "round " << round << ": " << b << " and " << a;
      }
    }
  }
}

}  // namespace
}  // namespace belfry::internal
