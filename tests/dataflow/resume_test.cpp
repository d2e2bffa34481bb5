#include <ATen/ops/add.h>
#include <gmock/gmock.h>

#include <list>

#include "belfry/base/error.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/batch_data_by_shape.h"
#include "belfry/dataflow/cache_data.h"
#include "belfry/dataflow/inspect_data.h"
#include "belfry/dataflow/iterable_data.h"
#include "belfry/dataflow/join_data.h"
#include "belfry/dataflow/locally_shuffle_data.h"
#include "belfry/dataflow/multi_thread_runner.h"
#include "belfry/dataflow/parallel_map_and_batch_data.h"
#include "belfry/dataflow/parallel_map_data.h"
#include "belfry/dataflow/prefetch_data.h"
#include "belfry/dataflow/random_data.h"
#include "belfry/dataflow/repeated_data.h"
#include "belfry/dataflow/shuffle_data.h"
#include "tests/dataflow/flows.h"

namespace belfry {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

Datapoint add_noise(Datapoint datapoint, Rng& rng) {
  return scalar(value(datapoint) * 1000 + static_cast<int64_t>(rng.below(1000)));
}
std::optional<Datapoint> drop_some(Datapoint datapoint, Rng& rng) {
  return rng.below(3) ? std::optional(std::move(datapoint)) : std::nullopt;
}

struct Case {
  std::string name;
  std::function<AnyDataFlow()> make;  // a new flow in its first state
};

std::vector<Case> cases() {
  auto shuffled = [] { return ShuffleData(counting(13), {.seed = 5}); };
  return {
      {"list", [] { return counting(13); }},
      {"function", [] { return FixedSizeData(endless(), 13, {.keep_state = false}); }},
      {"fake",
       [] {
         return MapData(FakeData({{.shape = {}, .high = 1e6}}, {.size = 13}),
                        [](Datapoint dp) { return scalar(dp[0].item().toLong()); });
       }},
      {"shuffle", [=] { return shuffled(); }},
      {"map", [=] { return MapData(shuffled(), add_noise, {.seed = 3}); }},
      {"dropping map", [=] { return MapData(shuffled(), drop_some, {.seed = 3}); }},
      {"component",
       [=] {
         return MapDataComponent(shuffled(),
                                 [](at::Tensor t, Rng& rng) { return at::add(t, int64_t(rng.below(1000))); },
                                 0, {.seed = 3});
       }},
      {"threads",
       [=] { return MultiThreadMapData(shuffled(), 3, add_noise, {.buffer_size = 4, .seed = 3}); }},
      {"dropping threads",
       [=] { return MultiThreadMapData(shuffled(), 3, drop_some, {.buffer_size = 4, .seed = 3}); }},
      {"batch", [=] { return BatchData(MapData(shuffled(), add_noise), 4); }},
      {"batch with remainder",
       [=] { return BatchData(MapData(shuffled(), drop_some), 4, {.remainder = true}); }},
      {"prefetch", [=] { return PrefetchData(shuffled(), 3); }},
      {"repeat", [=] { return RepeatedData(shuffled(), 3); }},
      {"repeat what drops", [=] { return RepeatedData(MapData(shuffled(), drop_some), 2); }},
      {"fixed size", [=] { return FixedSizeData(shuffled(), 7); }},
      {"longer fixed size", [=] { return FixedSizeData(shuffled(), 39); }},
      {"fixed size from the start", [=] { return FixedSizeData(shuffled(), 7, {.keep_state = false}); }},
      {"concat",
       [=] {
         return ConcatData({shuffled(), counting(0), counting(4), shuffled()});
       }},
      {"join",
       [=] {
         return JoinData({MapData(shuffled(), drop_some), shuffled()});
       }},
      {"cache", [=] { return CacheData(shuffled()); }},
      {"shuffled cache", [=] { return CacheData(shuffled(), {.shuffle = true, .seed = 2}); }},
      {"repeated datapoints", [=] { return RepeatedDataPoint(shuffled(), 3); }},
      {"choose",
       [=] {
         return RandomChooseData({shuffled(), MapData(counting(20), add_noise)},
                                 {.probabilities = {0.25, 0.75}, .seed = 1});
       }},
      {"mix",
       [=] {
         return RandomMixData({shuffled(), counting(0), MapData(counting(9), add_noise)});
       }},
      {"local shuffle",
       [=] { return LocallyShuffleData(shuffled(), 5, {.num_reuse = 2, .endless = false}); }},
      {"endless local shuffle",
       [=] { return FixedSizeData(LocallyShuffleData(shuffled(), 5), 30, {.keep_state = false}); }},
      {"batch by shape",
       [=] {
         auto columns = [](Datapoint dp) { return Datapoint{dp[0].expand({value(dp) % 3 + 1})}; };
         return BatchDataByShape(MapData(shuffled(), columns), 2, 0, {.remainder = true});
       }},
      {"print", [=] { return PrintData(shuffled(), {.print = [](std::string_view) {}}); }},
      {"iterable",
       [=] {
         return DataFromIterable(std::list{scalar(1), scalar(2), scalar(3)});
       }},
      {"runner", [=] { return MultiThreadRunner(shuffled(), 3, {.num_prefetch = 4}); }},
      {"runner of one", [=] { return MultiThreadRunner(MapData(shuffled(), add_noise), 1); }},
      {"map and batch",
       [=] {
         auto write = [](const Datapoint& dp, const Datapoint& out, Rng& rng) {
           out[0].copy_(dp[0]);
           out[1].fill_(static_cast<int64_t>(rng.below(1000)));
         };
         return MultiThreadMapAndBatchData(shuffled(), write,
                                           {.num_thread = 3,
                                            .batch_size = 4,
                                            .components = {{.dtype = at::kLong}, {{2}, at::kLong}},
                                            .remainder = true,
                                            .buffer_size = 5});
       }},
      {"all",
       [=] {
         auto mapped =
             MultiThreadMapData(RepeatedData(CacheData(shuffled(), {.shuffle = true}), 2), 2, add_noise);
         return PrefetchData(BatchData(mapped, 4, {.remainder = true}), 2);
       }},
  };
}

// All values, of all datapoints and components.
std::vector<int64_t> contents(DataIterator& pass) {
  std::vector<int64_t> all;
  for (Datapoint& dp : pass) {
    for (const at::Tensor& t : dp) {
      for (int64_t i = 0; i < t.numel(); ++i) all.push_back(t.view(-1)[i].item<int64_t>());
      all.push_back(-1);
    }
  }
  return all;
}

// What follows after position {pass, index} for every index, in passes that are run one after another.
std::vector<std::vector<int64_t>> uninterrupted(AnyDataFlow flow, int64_t pass) {
  for (int64_t before = 0; before < pass; ++before) {
    DataIterator all = flow->iterator();
    contents(all);
  }
  std::vector<std::vector<int64_t>> rest{{}};
  for (Datapoint& dp : flow->iterator()) {
    DataIterator one = DataFromList({dp}).iterator();
    const std::vector<int64_t> values = contents(one);
    for (auto& values_after : rest) values_after.insert(values_after.end(), values.begin(), values.end());
    rest.emplace_back();
  }
  return rest;
}

TEST(Resume, EveryPositionOfEveryDataflowGoesOnAsTheUninterruptedPass) {
  for (const Case& c : cases()) {
    for (int64_t pass = 0; pass < 3; ++pass) {
      const auto rest = uninterrupted(c.make(), pass);
      for (size_t index = 0; index < rest.size(); ++index) {
        DataIterator resumed = c.make()->iterator_at({.pass = pass, .index = static_cast<int64_t>(index)});
        EXPECT_EQ(contents(resumed), rest[index]) << c.name << ", pass " << pass << ", index " << index;
      }
    }
  }
}

TEST(Resume, SkippingInTheMiddleLeavesOutAsManyAsAsked) {
  for (const Case& c : cases()) {
    const auto rest = uninterrupted(c.make(), 0);
    for (size_t taken = 0; taken < rest.size(); taken += 2) {
      DataIterator pass = c.make()->iterator();
      for (size_t i = 0; i < taken; ++i) pass.next();
      const size_t there = std::min<size_t>(3, rest.size() - 1 - taken);
      EXPECT_EQ(pass.skip(3), static_cast<int64_t>(there)) << c.name;
      EXPECT_EQ(pass.position(), (DataPosition{.pass = 0, .index = static_cast<int64_t>(taken + there)}));
      EXPECT_EQ(contents(pass), rest[taken + there]) << c.name << " after " << taken;
    }
  }
}

TEST(Resume, ThePassAfterAResumedOneIsTheNext) {
  for (const Case& c : cases()) {
    AnyDataFlow flow = c.make();
    DataIterator resumed = flow->iterator_at({.pass = 1, .index = 2});
    contents(resumed);
    DataIterator next = flow->iterator();
    EXPECT_EQ(next.position().pass, 2);
    EXPECT_EQ(contents(next), uninterrupted(c.make(), 2)[0]) << c.name;
  }
}

TEST(Resume, APositionOfOneDataflowIsGoodInAnother) {
  auto make = [] { return BatchData(ShuffleData(counting(39)), 4); };
  BatchData flow = make();
  flow.iterator();
  DataIterator pass = flow.iterator();
  for (int i = 0; i < 5; ++i) pass.next();
  EXPECT_EQ(pass.position(), (DataPosition{.pass = 1, .index = 5}));
  DataIterator resumed = make().iterator_at(pass.position());
  EXPECT_EQ(contents(resumed), contents(pass));
}

TEST(Resume, ListsBatchesAndMapsStepOverWhatNobodySees) {
  int64_t calls = 0;
  auto count = [&](Datapoint dp) {
    ++calls;
    return dp;
  };
  RepeatedData flow(BatchData(MapData(counting(13), count), 4), -1);
  DataIterator pass = flow.iterator_at({.pass = 0, .index = 3 * 1000 + 1});
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(value({pass.next()->at(0)[0]}), 4);
  EXPECT_EQ(calls, 4);
}

TEST(Resume, PositionsThatDoNotExistAreErrors) {
  DataFromList flow = counting(13);
  EXPECT_FALSE(flow.iterator_at({.pass = 0, .index = 13}).next());
  EXPECT_THAT(
      [&] { flow.iterator_at({.pass = 0, .index = 14}); },
      ThrowsMessage<UsageError>(HasSubstr("expected a pass of at least 14 datapoints to go on in, got 13")));
  EXPECT_THROW(flow.iterator_at({.pass = -1}), UsageError);
  EXPECT_THROW(flow.iterator_at({.index = -1}), UsageError);
  EXPECT_THROW(flow.iterator().skip(-1), UsageError);
}

TEST(Resume, AnErrorBeforeThePositionIsThrown) {
  MapFunction may_drop = [](Datapoint dp) -> std::optional<Datapoint> { return fail_at(3)(dp); };
  EXPECT_THROW(MapData(counting(13), may_drop).iterator_at({.index = 5}), Error);
  FixedSizeData fixed(MapData(counting(13), may_drop), 2);
  EXPECT_THROW(values(fixed.iterator_at({.pass = 1})), Error);
}

TEST(RandomMap, DependsOnSeedPassAndIndexAloneForAnyNumberOfThreads) {
  auto run = [](int64_t threads, uint64_t seed, int64_t pass) {
    DataIterator values_of_pass =
        threads == 0 ? MapData(counting(39), add_noise, {.seed = seed}).start_pass(pass)
                     : MultiThreadMapData(counting(39), threads, add_noise, {.buffer_size = 5, .seed = seed})
                           .start_pass(pass);
    return values(values_of_pass);
  };
  const auto expected = run(0, 1, 2);
  for (int64_t threads : {1, 2, 8}) EXPECT_EQ(run(threads, 1, 2), expected);
  EXPECT_NE(run(2, 2, 2), expected);
  EXPECT_NE(run(2, 1, 3), expected);
}

TEST(RandomMap, GivesTheSameNumbersAsAGeneratorOfItsSeedPassAndIndex) {
  MapDataComponent flow(
      counting(3), [](at::Tensor t, Rng& rng) { return at::add(t, static_cast<int64_t>(rng.bits() >> 8)); },
      0, {.seed = 7});
  DataIterator pass = flow.start_pass(5);
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(value(*pass.next()), static_cast<int64_t>(i + (Rng(7, 5, i).bits() >> 8)));
  }
}

}  // namespace
}  // namespace belfry
