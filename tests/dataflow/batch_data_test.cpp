#include "belfry/dataflow/batch_data.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "tests/dataflow/flows.h"

namespace belfry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(BatchData, CountsAreExactForAnySizes) {
  struct Case {
    int64_t n, batch_size;
    bool remainder;
    std::vector<int64_t> sizes;
  };
  const Case cases[] = {
      {0, 4, true, {}},
      {1, 4, true, {1}},
      {1, 1, false, {1}},
      {13, 13, false, {13}},
      {13, 4, false, {4, 4, 4}},
      {13, 4, true, {4, 4, 4, 1}},
      {39, 13, true, {13, 13, 13}},
      {13, 39, true, {13}},
  };
  for (const Case& c : cases) {
    BatchData flow(counting(c.n), c.batch_size, {.remainder = c.remainder});
    std::vector<int64_t> sizes;
    for (Datapoint& batch : flow.iterator()) sizes.push_back(batch.at(0).size(0));
    EXPECT_EQ(sizes, c.sizes) << c.n << " in batches of " << c.batch_size;
    EXPECT_EQ(flow.size(), static_cast<int64_t>(c.sizes.size()));
  }
}

TEST(BatchData, StacksEveryComponentInOrder) {
  FakeData source({{.shape = {2, 3}}, {.shape = {}, .dtype = at::kLong, .high = 100}}, {.size = 2});
  source.reset_state();
  DataIterator rows = source.iterator();
  const Datapoint first = *rows.next(), second = *rows.next();
  source.reset_state();
  const Datapoint batch = *BatchData(source, 2).iterator().next();
  EXPECT_THAT(batch.at(0).sizes(), ElementsAre(2, 2, 3));
  EXPECT_THAT(batch.at(1).sizes(), ElementsAre(2));
  EXPECT_TRUE(at::equal(batch[0][0], first[0]) && at::equal(batch[0][1], second[0]));
  EXPECT_TRUE(at::equal(batch[1][0], first[1]) && at::equal(batch[1][1], second[1]));
}

TEST(BatchData, DatapointsThatDifferAreAnErrorWithComponentAndBothShapes) {
  const Datapoint first{at::zeros({2}), at::zeros({4, 3})};
  struct Case {
    Datapoint second;
    std::string message;
  };
  const Case cases[] = {
      {{at::zeros({2}), at::zeros({5, 3})},
       "expected component 1 to be Float [4, 3] as in the batch's first "
       "datapoint, got Float [5, 3] in datapoint 1"},
      {{at::zeros({2}, at::kLong), at::zeros({4, 3})}, "expected component 0 to be Float [2]"},
      {{at::zeros({2})}, "expected 2 components as in the batch's first datapoint, got 1"},
      {{at::zeros({2}), at::Tensor()}, "expected a tensor as component 1"},
  };
  for (const Case& c : cases) {
    BatchData flow(DataFromList({first, c.second}), 2);
    EXPECT_THAT([&] { flow.iterator().next(); }, testing::ThrowsMessage<DataError>(HasSubstr(c.message)));
  }
}

TEST(BatchData, ABatchThatCannotComeIsAnError) {
  EXPECT_THROW(BatchData(counting(3), 0), UsageError);
  EXPECT_THROW(BatchData(counting(3), 4), UsageError);
  EXPECT_EQ(BatchData(endless(), 4).size(), std::nullopt);
}

}  // namespace
}  // namespace belfry
