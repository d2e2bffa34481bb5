#include "belfry/program/batch_split.h"

#include <gtest/gtest.h>

namespace belfry::internal {
namespace {

constexpr int64_t kCache = 1 << 20;

TEST(BatchSplitTest, PartsAreAQuarterOfTheCache) {
  const BatchSplit split{.working_set = kCache / 32, .values = kCache};
  EXPECT_EQ(samples_at_once(split, /*weight_bytes=*/0, /*batch=*/64, /*threads=*/1, kCache), 8);
}

TEST(BatchSplitTest, EveryThreadGetsAsManyParts) {
  const BatchSplit split{.working_set = kCache / 32, .values = kCache};
  EXPECT_EQ(samples_at_once(split, /*weight_bytes=*/0, /*batch=*/24, /*threads=*/2, kCache), 6);
}

TEST(BatchSplitTest, ABatchThatFitsIsOnePartForEachThread) {
  const BatchSplit split{.working_set = 1, .values = 1};
  EXPECT_EQ(samples_at_once(split, /*weight_bytes=*/0, /*batch=*/10, /*threads=*/1, kCache), 10);
  EXPECT_EQ(samples_at_once(split, /*weight_bytes=*/0, /*batch=*/10, /*threads=*/3, kCache), 4);
}

TEST(BatchSplitTest, LargeWeightsAreReadOnce) {
  const BatchSplit split{.working_set = kCache / 4, .values = kCache / 4};
  EXPECT_EQ(samples_at_once(split, /*weight_bytes=*/100 * kCache, /*batch=*/16, /*threads=*/1, kCache), 16);
}

TEST(BatchSplitTest, ASampleThatFitsNoCacheIsNotDivided) {
  const BatchSplit split{.working_set = 2 * kCache, .values = 2 * kCache};
  EXPECT_EQ(samples_at_once(split, /*weight_bytes=*/0, /*batch=*/5, /*threads=*/1, kCache), 5);
}

}  // namespace
}  // namespace belfry::internal
