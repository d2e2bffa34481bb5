#include "belfry/dataflow/dataflow.h"

#include <ATen/ops/scalar_tensor.h>
#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/parallel_map_data.h"
#include "belfry/dataflow/prefetch_data.h"
#include "belfry/dataflow/raw.h"
#include "belfry/dataflow/shuffle_data.h"
#include "tests/dataflow/flows.h"

namespace belfry {
namespace {

using testing::ElementsAre;

TEST(DataFlow, StagesComposeAndEachPassStartsAnew) {
  BatchData flow(ShuffleData(counting(13)), 4, {.remainder = true});
  for (int pass = 0; pass < 3; ++pass) {
    std::vector<int64_t> sizes;
    for (Datapoint& batch : flow.iterator()) sizes.push_back(batch[0].size(0));
    EXPECT_THAT(sizes, ElementsAre(4, 4, 4, 1));
  }
}

TEST(DataFlow, APassOutlivesItsDataflow) {
  auto pass = std::make_optional<PrefetchData>(counting(3), 1)->iterator();
  EXPECT_THAT(values(pass), ElementsAre(0, 1, 2));
}

TEST(DataFlow, APassIsOverAfterItsEndAndAfterAnError) {
  DataIterator pass = MapData(counting(3), fail_at(1)).iterator();
  EXPECT_TRUE(pass.next());
  EXPECT_THROW(pass.next(), Error);
  EXPECT_FALSE(pass.next());
  DataIterator ended = counting(0).iterator();
  EXPECT_FALSE(ended.next());
  EXPECT_FALSE(ended.next());
}

TEST(DataFlow, TwoPassesOfOneDataflowAreIndependent) {
  MultiThreadMapData flow(counting(3), 2, [](Datapoint dp) { return dp; });
  DataIterator a = flow.iterator(), b = flow.iterator();
  EXPECT_EQ(value(*a.next()), 0);
  EXPECT_EQ(value(*a.next()), 1);
  EXPECT_EQ(value(*b.next()), 0);
}

TEST(DataFlow, ANullDataflowIsAnError) {
  EXPECT_THROW(BatchData(std::shared_ptr<DataFlow>(), 1), UsageError);
}

}  // namespace
}  // namespace belfry
