#include "belfry/dataflow/raw.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>

#include <list>
#include <ranges>

#include "belfry/base/error.h"
#include "belfry/dataflow/data_from_queue.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/iterable_data.h"
#include "tests/dataflow/flows.h"

namespace belfry {
namespace {

using testing::ElementsAre;

TEST(DataFromList, ProducesTheListInOrderInEachPass) {
  for (int64_t n : {0, 1, 13, 39}) {
    DataFromList flow = counting(n);
    EXPECT_EQ(flow.size(), n);
    EXPECT_EQ(values(flow), range(n));
    EXPECT_EQ(values(flow), range(n));
  }
}

TEST(DataFromFunction, StartsEachPassWithAFreshFunction) {
  int passes = 0;
  DataFromFunction flow(
      [&] { return [n = ++passes]() mutable { return n-- ? std::optional(scalar(n)) : std::nullopt; }; }, 7);
  EXPECT_THAT(values(flow), ElementsAre(0));
  EXPECT_THAT(values(flow), ElementsAre(1, 0));
  EXPECT_EQ(flow.size(), 7);
}

TEST(DataFromFunction, AnEmptyFunctionIsAnError) {
  EXPECT_THROW(DataFromFunction({}), UsageError);
  EXPECT_THROW(DataFromFunction([] { return DataFromFunction::Next(); }).iterator(), UsageError);
}

TEST(DataFromIterable, ProducesTheContainerInEachPass) {
  DataFromIterable flow(std::list{scalar(3), scalar(1)});
  EXPECT_EQ(flow.size(), 2);
  for (int pass = 0; pass < 2; ++pass) EXPECT_THAT(values(flow), ElementsAre(3, 1));
  DataFromIterable view(std::views::iota(0, 4) | std::views::transform([](int i) { return scalar(i * i); }));
  EXPECT_THAT(values(view), ElementsAre(0, 1, 4, 9));
  DataFromIterable even(std::vector{scalar(1), scalar(2)} |
                        std::views::filter([](const Datapoint& dp) { return value(dp) % 2 == 0; }));
  EXPECT_THAT(values(even), ElementsAre(2));
  EXPECT_EQ(even.size(), std::nullopt);
}

TEST(DataFromGenerator, AsksForARangeInEachPassAndForOneDatapointAtATime) {
  int made = 0;
  int64_t passes = 0;
  DataFromGenerator flow([&] {
    return std::views::iota(passes++) | std::views::transform([&](int64_t i) {
             ++made;
             return scalar(i);
           });
  });
  EXPECT_EQ(flow.size(), std::nullopt);
  DataIterator pass = flow.iterator();
  EXPECT_EQ(value(*pass.next()), 0);
  EXPECT_EQ(value(*pass.next()), 1);
  EXPECT_EQ(made, 2);
  EXPECT_EQ(value(*flow.iterator().next()), 1);
}

TEST(DataFromQueue, NumbersItsPasses) {
  auto queue = std::make_shared<BoundedQueue<Datapoint>>(3);
  for (int64_t i = 0; i < 3; ++i) queue->push(scalar(i));
  DataFromQueue flow(queue);
  EXPECT_TRUE(flow.iterator().next());
  DataIterator second = flow.iterator();
  EXPECT_EQ(value(*second.next()), 1);
  EXPECT_EQ(second.position(), (DataPosition{.pass = 1, .index = 1}));
  flow.reset_state();
  EXPECT_EQ(flow.iterator().position(), (DataPosition{.pass = 0, .index = 0}));
}

TEST(DataFromQueue, ProducesUntilTheQueueIsClosed) {
  auto queue = std::make_shared<BoundedQueue<Datapoint>>(3);
  DataFromQueue flow(queue);
  queue->push(scalar(1));
  queue->push(scalar(2));
  DataIterator pass = flow.iterator();
  EXPECT_EQ(value(*pass.next()), 1);
  queue->close(std::make_exception_ptr(DataError("the producer is gone")));
  EXPECT_EQ(value(*pass.next()), 2);
  EXPECT_THROW(pass.next(), DataError);
  EXPECT_THROW(DataFromQueue(nullptr), UsageError);
}

TEST(FakeData, HasTheShapesDtypesAndRangesAskedFor) {
  FakeData flow({{.shape = {2, 3}}, {.shape = {}, .dtype = at::kLong, .low = 5, .high = 8}}, {.size = 39});
  int count = 0;
  for (Datapoint& dp : flow.iterator()) {
    ++count;
    EXPECT_THAT(dp.at(0).sizes(), ElementsAre(2, 3));
    EXPECT_EQ(dp[0].scalar_type(), at::kFloat);
    EXPECT_EQ(dp.at(1).scalar_type(), at::kLong);
    EXPECT_THAT(dp[1].item<int64_t>(), testing::AllOf(testing::Ge(5), testing::Lt(8)));
  }
  EXPECT_EQ(count, 39);
}

at::Tensor first_of(FakeData& flow) {
  return flow.iterator().next()->at(0);
}

TEST(FakeData, IsTheSameForTheSameSeedAndPassOnly) {
  FakeData a({{.shape = {13}}}, {.seed = 1}), b({{.shape = {13}}}, {.seed = 1}),
      c({{.shape = {13}}}, {.seed = 2});
  at::Tensor first = first_of(a);
  EXPECT_TRUE(at::equal(first, first_of(b)));
  EXPECT_FALSE(at::equal(first, first_of(c)));
  EXPECT_FALSE(at::equal(first, first_of(a)));
  a.reset_state();
  EXPECT_TRUE(at::equal(first, first_of(a)));
}

TEST(FakeData, RepeatsOneDatapointWhenNotRandom) {
  DataIterator pass = FakeData({{.shape = {13}}}, {.random = false}).iterator();
  EXPECT_TRUE(at::equal(pass.next()->at(0), pass.next()->at(0)));
}

TEST(DataFromTensors, ProducesRowsAndSlices) {
  DataFromTensors flow({at::arange(13), at::arange(26).view({13, 2})});
  EXPECT_EQ(flow.size(), 13);
  EXPECT_EQ(values(flow), range(13));
  EXPECT_THAT(values(flow.slice(11, 13)), ElementsAre(11, 12));
  EXPECT_THAT(values(flow.slice(5, 5)), ElementsAre());
  EXPECT_THAT(flow.iterator().next()->at(1).sizes(), ElementsAre(2));
}

TEST(DataFromTensors, TensorsThatDoNotMatchAreAnError) {
  EXPECT_THROW(DataFromTensors({}), UsageError);
  EXPECT_THROW(DataFromTensors({at::scalar_tensor(1)}), UsageError);
  EXPECT_THROW(DataFromTensors({at::arange(13), at::arange(12)}), UsageError);
  DataFromTensors flow({at::arange(13)});
  EXPECT_THROW(flow.slice(-1, 2), UsageError);
  EXPECT_THROW(flow.slice(3, 2), UsageError);
  EXPECT_THROW(flow.slice(0, 14), UsageError);
}

}  // namespace
}  // namespace belfry
