#include "belfry/dataflow/repeated_data.h"

#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/cache_data.h"
#include "belfry/dataflow/join_data.h"
#include "belfry/dataflow/shuffle_data.h"
#include "tests/dataflow/flows.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(RepeatedData, RepeatsTheSource) {
  EXPECT_THAT(values(RepeatedData(counting(2), 3)), ElementsAre(0, 1, 0, 1, 0, 1));
  EXPECT_EQ(RepeatedData(counting(2), 3).size(), 6);
  EXPECT_THAT(values(RepeatedData(counting(0), 3)), IsEmpty());
}

TEST(RepeatedData, RepeatsForEverUnlessTheSourceIsEmpty) {
  RepeatedData flow(counting(3), -1);
  EXPECT_EQ(flow.size(), std::nullopt);
  DataIterator pass = flow.iterator();
  for (int i = 0; i < 39; ++i) EXPECT_EQ(value(*pass.next()), i % 3);
  EXPECT_THAT(values(RepeatedData(counting(0), -1)), IsEmpty());
}

TEST(RepeatedData, WrongCountsAreErrors) {
  EXPECT_THROW(RepeatedData(counting(1), 0), UsageError);
  EXPECT_THROW(RepeatedData(counting(1), -2), UsageError);
}

TEST(RepeatedDataPoint, RepeatsEachDatapoint) {
  RepeatedDataPoint flow(counting(3), 2);
  EXPECT_THAT(values(flow), ElementsAre(0, 0, 1, 1, 2, 2));
  EXPECT_EQ(flow.size(), 6);
  EXPECT_THROW(RepeatedDataPoint(counting(3), 0), UsageError);
}

// The examples of tensorpack's documentation.
TEST(FixedSizeData, GoesOnOrStartsAnew) {
  FixedSizeData going_on(counting(5), 3), anew(counting(5), 3, {.keep_state = false}),
      longer(counting(5), 6, {.keep_state = false});
  EXPECT_THAT(values(going_on), ElementsAre(0, 1, 2));
  EXPECT_THAT(values(going_on), ElementsAre(3, 4, 0));
  EXPECT_THAT(values(going_on), ElementsAre(1, 2, 3));
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_THAT(values(anew), ElementsAre(0, 1, 2));
    EXPECT_THAT(values(longer), ElementsAre(0, 1, 2, 3, 4, 0));
  }
}

TEST(FixedSizeData, ResetStateStartsAnew) {
  FixedSizeData flow(counting(5), 3);
  values(flow);
  flow.reset_state();
  EXPECT_THAT(values(flow), ElementsAre(0, 1, 2));
}

TEST(FixedSizeData, OnePassAtATimeWithKeepState) {
  FixedSizeData flow(counting(5), 3);
  {
    DataIterator pass = flow.iterator();
    EXPECT_THROW(flow.iterator(), UsageError);
    EXPECT_THROW(flow.reset_state(), UsageError);
    pass.next();
  }
  EXPECT_THAT(values(flow), ElementsAre(1, 2, 3));
}

TEST(FixedSizeData, AnEmptySourceIsAnError) {
  EXPECT_THROW(values(FixedSizeData(counting(0), 3)), DataError);
  EXPECT_THAT(values(FixedSizeData(counting(0), 0)), IsEmpty());
  EXPECT_THROW(FixedSizeData(counting(1), -1), UsageError);
}

TEST(ShuffleData, ProducesEachDatapointOnceInAnotherOrderEachPass) {
  for (int64_t n : {0, 1, 13, 39}) {
    ShuffleData flow(counting(n));
    const auto first = values(flow), second = values(flow);
    EXPECT_THAT(first, testing::UnorderedElementsAreArray(range(n)));
    EXPECT_THAT(second, testing::UnorderedElementsAreArray(range(n)));
    EXPECT_EQ(first == second, n <= 1);
  }
}

TEST(ShuffleData, IsTheSameForTheSameSeedAndAfterReset) {
  ShuffleData a(counting(39), {.seed = 5}), b(counting(39), {.seed = 5}), c(counting(39), {.seed = 6});
  const auto first = values(a);
  EXPECT_EQ(first, values(b));
  EXPECT_NE(first, values(c));
  a.reset_state();
  EXPECT_EQ(first, values(a));
}

TEST(ConcatData, ProducesOneSourceAfterTheOther) {
  DataFromList two = counting(2);
  ConcatData flow({two, counting(0), counting(1), two});
  EXPECT_THAT(values(flow), ElementsAre(0, 1, 0, 0, 1));
  EXPECT_EQ(flow.size(), 5);
  EXPECT_EQ(ConcatData({two, endless()}).size(), std::nullopt);
}

TEST(JoinData, JoinsComponentsUntilOneSourceEnds) {
  DataFromList three = counting(3);
  JoinData flow({three, counting(2), three});
  int64_t count = 0;
  for (Datapoint& dp : flow.iterator()) {
    ASSERT_EQ(dp.size(), 3u);
    for (const at::Tensor& t : dp) EXPECT_EQ(t.item<int64_t>(), count);
    ++count;
  }
  EXPECT_EQ(count, 2);
  EXPECT_EQ(flow.size(), 2);
  EXPECT_THROW(JoinData({}), UsageError);
}

TEST(CacheData, ReadsTheSourceOnce) {
  int passes = 0;
  DataFromFunction source([&] {
    ++passes;
    return [i = int64_t{0}]() mutable { return i < 13 ? std::optional(scalar(i++)) : std::nullopt; };
  });
  CacheData flow(source);
  flow.iterator().next();
  EXPECT_EQ(values(flow), range(13));
  EXPECT_EQ(values(flow), range(13));
  EXPECT_EQ(passes, 2);
  flow.reset_state();
  EXPECT_EQ(values(flow), range(13));
  EXPECT_EQ(passes, 3);
}

TEST(CacheData, ShufflesWhatComesFromMemory) {
  CacheData flow(counting(39), {.shuffle = true});
  EXPECT_EQ(values(flow), range(39));
  const auto second = values(flow), third = values(flow);
  EXPECT_THAT(second, testing::UnorderedElementsAreArray(range(39)));
  EXPECT_NE(second, third);
}

}  // namespace
}  // namespace belfry
