#include "belfry/dataflow/map_data.h"

#include <ATen/ops/add.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/parallel_map_data.h"
#include "tests/dataflow/flows.h"

namespace belfry {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

TEST(MapData, MapsAndDrops) {
  MapData flow(counting(5), [](Datapoint dp) -> std::optional<Datapoint> {
    if (value(dp) % 2) return std::nullopt;
    return scalar(value(dp) * 10);
  });
  EXPECT_THAT(values(flow), ElementsAre(0, 20, 40));
  EXPECT_EQ(flow.size(), 5);
}

TEST(MapData, AnErrorKeepsItsKindAndNamesTheDatapoint) {
  auto run = [](MapFunction f) { values(MapData(counting(13), std::move(f))); };
  EXPECT_THAT([&] { run(fail_at(7)); }, ThrowsMessage<Error>("[MapData] datapoint 7: cannot read 7"));
  EXPECT_THAT([&] { run([](Datapoint) -> Datapoint { throw DataError("a.jpg", 3, "cut off"); }); },
              ThrowsMessage<DataError>("[MapData] datapoint 0: a.jpg at byte 3: cut off"));
}

TEST(MapData, AnErrorOfATenComesWithoutItsStackTrace) {
  MapData flow(counting(1), [](Datapoint) { return Datapoint{at::add(at::zeros({2}), at::zeros({3}))}; });
  EXPECT_THAT([&] { values(flow); },
              ThrowsMessage<Error>(AllOf(HasSubstr("size of tensor a (2)"), Not(HasSubstr("frame #")))));
}

TEST(MapDataComponent, MapsOneComponentAndLeavesTheSourceAlone) {
  DataFromList source({{at::scalar_tensor(1), at::scalar_tensor(2)}});
  MapDataComponent flow(
      source, [](at::Tensor t) { return at::mul(t, 10); }, 1);
  const Datapoint dp = *flow.iterator().next();
  EXPECT_EQ(dp.at(0).item<float>(), 1);
  EXPECT_EQ(dp.at(1).item<float>(), 20);
  EXPECT_EQ(source.iterator().next()->at(1).item<float>(), 2);
}

TEST(MapDataComponent, DropsWhenTheFunctionReturnsNothing) {
  MapDataComponent flow(counting(3), [](at::Tensor) { return std::optional<at::Tensor>(); });
  EXPECT_THAT(values(flow), ElementsAre());
}

TEST(SelectComponent, SelectsReordersAndRepeats) {
  DataFromList source({{at::scalar_tensor(0), at::scalar_tensor(1), at::scalar_tensor(2)}});
  const Datapoint dp = *SelectComponent(source, {2, 0, 2}).iterator().next();
  std::vector<float> got;
  for (const at::Tensor& t : dp) got.push_back(t.item<float>());
  EXPECT_THAT(got, ElementsAre(2, 0, 2));
}

TEST(MapData, WrongFunctionsAndComponentsAreErrors) {
  EXPECT_THROW(MapData(counting(1), {}), UsageError);
  EXPECT_THROW(MapDataComponent(counting(1), {}), UsageError);
  EXPECT_THROW(SelectComponent(counting(1), {-1}), UsageError);
  EXPECT_THAT(
      [] { values(SelectComponent(counting(1), {1})); },
      ThrowsMessage<DataError>(HasSubstr("[SelectComponent] expected a component 1, got 1 components")));
  EXPECT_THROW(values(MapDataComponent(
                   counting(1), [](at::Tensor t) { return t; }, 1)),
               DataError);
}

}  // namespace
}  // namespace belfry
