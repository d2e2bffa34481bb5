#include "belfry/dataflow/batch_data.h"

#include <ATen/Context.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/batch_data_by_shape.h"
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

TEST(BatchData, CopiesWhatIsNotContiguousAndOwnsItsMemory) {
  const at::Tensor table = at::arange(12).view({3, 4});
  const at::Tensor column = table.t();  // [4, 3], strides {1, 4}
  const at::Tensor conjugate = at::full({2}, c10::complex<float>(1, 2)).conj();
  DataFromList source({{table.select(1, 2), column, conjugate, at::empty({0})},
                       {table.select(0, 2).narrow(0, 0, 3), table.view({4, 3}), conjugate, at::empty({0})}});
  const Datapoint batch = *BatchData(source, 2).iterator().next();
  EXPECT_TRUE(at::equal(batch.at(0), at::stack({table.select(1, 2), table.select(0, 2).narrow(0, 0, 3)})));
  EXPECT_TRUE(at::equal(batch.at(1), at::stack({column, table.view({4, 3})})));
  EXPECT_TRUE(at::equal(batch.at(2), at::stack({conjugate, conjugate})));
  EXPECT_THAT(batch.at(3).sizes(), ElementsAre(2, 0));
  table.zero_();
  EXPECT_EQ(batch[0][1][0].item<int64_t>(), 8);
}

TEST(BatchData, HoldsNoDatapointOfItsSource) {
  std::vector<at::Tensor> made;
  MapData source(counting(4), [&](Datapoint dp) {
    for (const at::Tensor& earlier : made) EXPECT_EQ(earlier.use_count(), 1);
    made.push_back(at::full({3}, value(dp)));
    return Datapoint{made.back()};
  });
  EXPECT_TRUE(BatchData(source, 4).iterator().next());
  EXPECT_EQ(made.size(), 4u);
}

TEST(BatchData, PinnedMemoryNeedsCuda) {
  if (at::hasCUDA()) {
    EXPECT_TRUE(BatchData(counting(4), 2, {.pinned = true}).iterator().next()->at(0).is_pinned());
  } else {
    EXPECT_THAT([] { BatchData(counting(4), 2, {.pinned = true}); },
                testing::ThrowsMessage<UsageError>(HasSubstr("expected CUDA for pinned memory")));
  }
}

Datapoint of_length(int64_t length, int64_t mark) {
  return {scalar(mark)[0], at::full({length}, mark, at::kLong)};
}

// The first component of each batch of one pass.
std::vector<std::vector<int64_t>> marks(DataFlow&& flow) {
  std::vector<std::vector<int64_t>> all;
  for (Datapoint& batch : flow.iterator()) {
    const int64_t* begin = batch.at(0).const_data_ptr<int64_t>();
    all.emplace_back(begin, begin + batch[0].numel());
  }
  return all;
}

TEST(BatchDataByShape, BatchesComeWhenTheirShapesAreTogether) {
  DataFromList source(
      {of_length(2, 0), of_length(3, 1), of_length(3, 2), of_length(4, 3), of_length(2, 4), of_length(3, 5)});
  using Marks = std::vector<std::vector<int64_t>>;
  EXPECT_EQ(marks(BatchDataByShape(source, 2, 1)), (Marks{{1, 2}, {0, 4}}));
  EXPECT_EQ(marks(BatchDataByShape(source, 2, 1, {.remainder = true})), (Marks{{1, 2}, {0, 4}, {5}, {3}}));
  EXPECT_EQ(BatchDataByShape(source, 2, 1).size(), std::nullopt);
}

TEST(BatchDataByShape, OtherComponentsMustFitAndArgumentsMakeSense) {
  DataFromList source({{at::zeros({2}), at::zeros({1})}, {at::zeros({2}), at::zeros({3})}});
  EXPECT_THAT([&] { BatchDataByShape(source, 2, 0).iterator().next(); },
              testing::ThrowsMessage<DataError>(
                  HasSubstr("[BatchDataByShape] expected component 1 to be Float [1]")));
  EXPECT_THROW(BatchDataByShape(source, 2, 2).iterator().next(), DataError);
  EXPECT_THROW(BatchDataByShape(source, 0, 0), UsageError);
  EXPECT_THROW(BatchDataByShape(source, 2, -1), UsageError);
}

TEST(BatchData, ABatchThatCannotComeIsAnError) {
  EXPECT_THROW(BatchData(counting(3), 0), UsageError);
  EXPECT_THROW(BatchData(counting(3), 4), UsageError);
  EXPECT_THAT(
      [] { BatchData(counting(0), 4); },
      testing::ThrowsMessage<DataError>(HasSubstr("[BatchData] expected data, got a source of size 0")));
  EXPECT_EQ(BatchData(endless(), 4).size(), std::nullopt);
}

}  // namespace
}  // namespace belfry
