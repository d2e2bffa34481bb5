#include <ATen/ops/zeros.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <sstream>

#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/batch_data_by_shape.h"
#include "belfry/dataflow/cache_data.h"
#include "belfry/dataflow/join_data.h"
#include "belfry/dataflow/locally_shuffle_data.h"
#include "belfry/dataflow/repeated_data.h"
#include "tests/dataflow/flows.h"
#include "tests/support/python.h"

namespace belfry {
namespace {

DataFromList counting_from(int64_t first, int64_t n) {
  std::vector<Datapoint> list;
  for (int64_t i = 0; i < n; ++i) list.push_back(scalar(first + i));
  return DataFromList(std::move(list));
}

MapData of_lengths() {
  return MapData(counting(13), [](Datapoint dp) { return Datapoint{dp[0], at::zeros({value(dp) % 3 + 1})}; });
}

struct Case {
  std::string name;
  AnyDataFlow flow;
  int passes = 2;
  int64_t first = 1000;
  size_t component = 0;
};

// A line as tensorpack_flows.py prints it.
std::string show(const Case& c) {
  std::vector<std::string> texts;
  for (int pass = 0; pass < c.passes; ++pass) {
    std::vector<int64_t> all;
    DataIterator datapoints = c.flow->iterator();
    for (int64_t i = 0; i < c.first; ++i) {
      std::optional<Datapoint> dp = datapoints.next();
      if (!dp) break;
      const at::Tensor& values = dp->at(c.component);
      all.insert(all.end(), values.const_data_ptr<int64_t>(),
                 values.const_data_ptr<int64_t>() + values.numel());
    }
    texts.push_back(fmt::format("{}", fmt::join(all, " ")));
  }
  return fmt::format("{}: {}", c.name, fmt::join(texts, " | "));
}

std::vector<Case> cases() {
  auto thirds_dropped = [](Datapoint dp) {
    return value(dp) % 3 ? std::optional(scalar(value(dp) * 2)) : std::nullopt;
  };
  JoinData pairs({counting(5), counting(5)});
  return {
      {"BatchData", BatchData(counting(13), 4)},
      {"BatchData remainder", BatchData(counting(13), 4, {.remainder = true})},
      {"BatchDataByShape", BatchDataByShape(of_lengths(), 2, 1), 1},
      {"FixedSizeData", FixedSizeData(counting(5), 3), 4},
      {"FixedSizeData without state", FixedSizeData(counting(5), 7, {.keep_state = false}), 3},
      {"MapData", MapData(counting(13), thirds_dropped)},
      {"MapDataComponent",
       MapDataComponent(
           pairs, [](at::Tensor t) { return scalar(t.item<int64_t>() + 7)[0]; }, 1),
       2, 1000, 1},
      {"RepeatedData", RepeatedData(counting(3), 3)},
      {"RepeatedDataPoint", RepeatedDataPoint(counting(3), 3)},
      {"ConcatData", ConcatData({counting(3), counting(0), counting_from(10, 2)})},
      {"JoinData", JoinData({counting(5), counting_from(10, 3)}), 2, 1000, 1},
      {"SelectComponent", SelectComponent(JoinData({counting(3), counting_from(10, 3)}), {1, 0, 1})},
      {"LocallyShuffleData",
       LocallyShuffleData(counting(5), 4, {.num_reuse = 2, .shuffle_interval = 1000000}), 1, 30},
      {"CacheData", CacheData(counting(5))},
  };
}

TEST(Tensorpack, ProducesTheSame) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  std::istringstream out(test::run_python("tests/dataflow/tensorpack_flows.py"));
  std::vector<std::string> expected, actual;
  for (std::string line; std::getline(out, line);) {
    if (!line.starts_with('[')) expected.push_back(line);  // tensorpack's log
  }
  for (const Case& c : cases()) actual.push_back(show(c));
  EXPECT_THAT(actual, testing::ElementsAreArray(expected));
}

}  // namespace
}  // namespace belfry
