#include "belfry/dataflow/split_data.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/parallel_map_data.h"
#include "belfry/dataflow/shuffle_data.h"
#include "tests/dataflow/flows.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SplitData, TakesEveryNth) {
  EXPECT_THAT(values(SplitData(counting(8), {.part = 0, .num_part = 3})), ElementsAre(0, 3, 6));
  EXPECT_THAT(values(SplitData(counting(8), {.part = 1, .num_part = 3})), ElementsAre(1, 4, 7));
  EXPECT_THAT(values(SplitData(counting(8), {.part = 2, .num_part = 3})), ElementsAre(2, 5));
  EXPECT_THAT(values(SplitData(counting(2), {.part = 2, .num_part = 3})), IsEmpty());
}

TEST(SplitData, KnowsItsSize) {
  for (int64_t count = 0; count < 10; ++count) {
    for (int64_t part = 0; part < 4; ++part) {
      SplitData flow(counting(count), {.part = part, .num_part = 4});
      EXPECT_EQ(flow.size(), static_cast<int64_t>(values(flow).size())) << count << " " << part;
    }
  }
}

TEST(SplitData, DividesEveryPassOfAShuffledFlow) {
  std::vector<int64_t> first_pass;
  for (int pass = 0; pass < 3; ++pass) {
    std::vector<int64_t> all;
    for (int64_t part = 0; part < 3; ++part) {
      // Each process has a flow of its own, with several threads.
      const MultiThreadMapData flow(ShuffleData(counting(39)), 1 + part,
                                    [](Datapoint point) { return point; });
      DataIterator iterator = SplitData(flow, {.part = part, .num_part = 3}).start_pass(pass);
      while (auto point = iterator.next()) all.push_back(value(*point));
    }
    if (pass == 0) first_pass = all;
    if (pass == 1) {
      EXPECT_NE(all, first_pass);
    }
    std::ranges::sort(all);
    for (int64_t i = 0; i < 39; ++i) EXPECT_EQ(all[static_cast<size_t>(i)], i);
  }
}

TEST(SplitData, GoesOnAnywhere) {
  for (int64_t count : {0, 1, 5, 13}) {
    for (int64_t part = 0; part < 3; ++part) {
      SplitData flow(counting(count), {.part = part, .num_part = 3});
      const auto whole = values(flow);
      for (size_t index = 0; index <= whole.size(); ++index) {
        DataIterator rest = flow.iterator_at({.pass = 0, .index = static_cast<int64_t>(index)});
        for (size_t i = index; i < whole.size(); ++i) EXPECT_EQ(value(*rest.next()), whole[i]);
        EXPECT_FALSE(rest.next());
      }
      EXPECT_EQ(flow.start_pass(0).skip(100), static_cast<int64_t>(whole.size()));
    }
  }
}

TEST(SplitData, RefusesAShardThatThereIsNot) {
  EXPECT_THROW(SplitData(counting(3), {.part = 2, .num_part = 2}), UsageError);
  EXPECT_THROW(SplitData(counting(3), {.part = -1, .num_part = 2}), UsageError);
}

}  // namespace
}  // namespace belfry
