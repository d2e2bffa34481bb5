#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/data_from_queue.h"
#include "belfry/dataflow/multi_thread_runner.h"
#include "belfry/dataflow/parallel_map_and_batch_data.h"
#include "belfry/dataflow/parallel_map_data.h"
#include "belfry/dataflow/prefetch_data.h"
#include "belfry/dataflow/repeated_data.h"
#include "belfry/dataflow/shuffle_data.h"
#include "tests/dataflow/flows.h"
#include "tests/support/thread_limit.h"

namespace belfry {
namespace {

using testing::ThrowsMessage;

Datapoint same(Datapoint datapoint) {
  return datapoint;
}

// Takes longer for some datapoints than for others.
Datapoint uneven(Datapoint datapoint) {
  for (int64_t i = value(datapoint) * 7 % 5; i > 0; --i) std::this_thread::yield();
  return datapoint;
}

std::optional<Datapoint> drop_odd(Datapoint datapoint) {
  return value(datapoint) % 2 ? std::nullopt : std::optional(datapoint);
}

struct Stage {
  std::string name;
  std::function<AnyDataFlow(AnyDataFlow)> add;
};

// Every dataflow with threads, with few and many of them, small and large buffers.
std::vector<Stage> stages() {
  std::vector<Stage> all;
  for (int64_t buffer : {1, 2, 39}) {
    all.push_back({fmt::format("prefetch, buffer {}", buffer),
                   [=](AnyDataFlow source) { return PrefetchData(source, buffer); }});
    for (int64_t threads : {1, 2, 8}) {
      all.push_back({fmt::format("{} threads, buffer {}", threads, buffer), [=](AnyDataFlow source) {
                       return MultiThreadMapData(source, threads, uneven, {.buffer_size = buffer});
                     }});
    }
  }
  all.push_back(
      {"runner", [](AnyDataFlow source) { return MultiThreadRunner(source, 1, {.num_prefetch = 3}); }});
  all.push_back({"prefetch of map of prefetch", [](AnyDataFlow source) {
                   return PrefetchData(
                       MultiThreadMapData(PrefetchData(source, 2), 3, uneven, {.buffer_size = 4}), 2);
                 }});
  return all;
}

TEST(ThreadedData, ProducesTheSourceInOrderInEachPass) {
  for (const Stage& stage : stages()) {
    for (int64_t n : {0, 1, 13, 39}) {
      AnyDataFlow flow = stage.add(counting(n));
      EXPECT_EQ(flow->size(), n);
      for (int pass = 0; pass < 2; ++pass) EXPECT_EQ(values(*flow), range(n)) << stage.name;
    }
  }
}

TEST(ThreadedData, StopsEarlyAtAnyPointOfAnEndlessSource) {
  for (const Stage& stage : stages()) {
    for (int64_t taken : {0, 1, 13}) {
      AnyDataFlow flow = stage.add(endless());
      DataIterator pass = flow->iterator();
      for (int64_t i = 0; i < taken; ++i) EXPECT_EQ(value(*pass.next()), i) << stage.name;
    }
  }
}

TEST(ThreadedData, AnErrorOfTheSourceComesUnchangedAfterWhatCameBefore) {
  for (const Stage& stage : stages()) {
    AnyDataFlow flow = stage.add(MapData(endless(), fail_at(13)));
    DataIterator pass = flow->iterator();
    for (int64_t i = 0; i < 13; ++i) EXPECT_EQ(value(*pass.next()), i) << stage.name;
    EXPECT_THAT([&] { pass.next(); }, ThrowsMessage<Error>("[MapData] datapoint 13: cannot read 13"));
    EXPECT_FALSE(pass.next());
  }
}

TEST(ThreadedData, AnErrorThatNobodyWaitsForIsDropped) {
  for (const Stage& stage : stages()) {
    DataIterator pass = stage.add(MapData(counting(39), fail_at(3)))->iterator();
    EXPECT_EQ(value(*pass.next()), 0);
  }
}

TEST(ThreadedData, ASlowSourceLosesNothing) {
  for (const Stage& stage : stages()) EXPECT_EQ(values(*stage.add(MapData(counting(39), uneven))), range(39));
}

TEST(ThreadedData, ASlowConsumerHoldsTheSourceBack) {
  std::atomic<int64_t> made = 0;
  auto source = MapData(endless(), [&](Datapoint dp) {
    ++made;
    return dp;
  });
  const std::pair<AnyDataFlow, int64_t> cases[] = {
      {PrefetchData(source, 3), 3},
      {MultiThreadMapData(source, 8, same, {.buffer_size = 3}), 3},
  };
  for (const auto& [flow, ahead] : cases) {
    made = 0;
    DataIterator pass = flow->iterator();
    for (int64_t i = 1; i <= 13; ++i) {
      pass.next();
      EXPECT_LE(made, i + ahead);
    }
  }
}

TEST(ThreadedData, WrongSizesAreErrors) {
  EXPECT_THROW(PrefetchData(counting(1), 0), UsageError);
  EXPECT_THROW(MultiThreadMapData(counting(1), 0, same), UsageError);
  EXPECT_THROW(MultiThreadMapData(counting(1), 1, {}), UsageError);
  EXPECT_THROW(MultiThreadMapData(counting(1), 1, same, {.buffer_size = 0}), UsageError);
}

TEST(MultiThreadMapData, DropsWhatTheFunctionDrops) {
  for (int64_t threads : {1, 2, 8}) {
    EXPECT_EQ(values(MultiThreadMapData(counting(39), threads, drop_odd, {.buffer_size = 4})),
              values(MapData(counting(39), drop_odd)));
  }
}

TEST(MultiThreadMapData, AnErrorOfTheFunctionComesAtItsPlaceWithItsKind) {
  MapFunction broken = [](Datapoint dp) -> Datapoint {
    if (value(dp) == 17) throw DataError("a.jpg", 3, "cut off");
    return dp;
  };
  for (int64_t threads : {1, 2, 8}) {
    DataIterator pass = MultiThreadMapData(endless(), threads, broken).iterator();
    for (int64_t i = 0; i < 17; ++i) EXPECT_EQ(value(*pass.next()), i);
    EXPECT_THAT([&] { pass.next(); },
                ThrowsMessage<DataError>("[MultiThreadMapData] datapoint 17: a.jpg at byte 3: cut off"));
    EXPECT_FALSE(pass.next());
  }
}

TEST(MultiThreadMapData, ManyErrorsAtOnceGiveTheFirst) {
  MapFunction broken = [](Datapoint dp) -> Datapoint { throw UsageError(fmt::format("bad {}", value(dp))); };
  DataIterator pass = MultiThreadMapData(endless(), 8, broken).iterator();
  EXPECT_THAT([&] { pass.next(); }, ThrowsMessage<UsageError>("[MultiThreadMapData] datapoint 0: bad 0"));
}

TEST(MultiThreadMapData, RunsTheFunctionInSeveralThreadsAtOnce) {
  std::atomic<int> running = 0;
  auto meet = [&](Datapoint dp) {
    ++running;  // returns only when both threads are inside
    while (running < 2) std::this_thread::yield();
    return dp;
  };
  EXPECT_EQ(values(MultiThreadMapData(counting(2), 2, meet)), range(2));
}

TEST(MultiThreadMapData, CheapAndSlowCallsInTurnLoseNothing) {
  auto sometimes_slow = [](Datapoint dp) {
    if (value(dp) % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return dp;
  };
  for (int64_t threads : {2, 8}) {
    EXPECT_EQ(values(MultiThreadMapData(counting(5000), threads, sometimes_slow)), range(5000));
  }
}

TEST(MultiThreadMapData, DeliversWhatItHasWhileTheSourceWaits) {
  for (int64_t threads : {1, 2, 8}) {
    auto queue = std::make_shared<BoundedQueue<Datapoint>>(8);
    DataIterator pass = MultiThreadMapData(DataFromQueue(queue), threads, same).iterator();
    for (int64_t i = 0; i < 5; ++i) queue->push(scalar(i));
    for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(value(*pass.next()), i);
    queue->close();
    EXPECT_FALSE(pass.next());
  }
}

// A row is {value, [[value * 10 + random], [the same]]}.
MultiThreadMapAndBatchData rows(AnyDataFlow source, MultiThreadMapAndBatchDataOptions options) {
  options.components = {{.dtype = at::kLong}, {.shape = {2, 1}, .dtype = at::kDouble}};
  auto write = [](const Datapoint& dp, const Datapoint& out, Rng& rng) {
    out.at(0).copy_(dp.at(0));
    out.at(1).fill_(static_cast<double>(value(dp)) * 10 + rng.uniform());
  };
  return MultiThreadMapAndBatchData(std::move(source), write, std::move(options));
}

TEST(MultiThreadMapAndBatchData, MakesTheBatchesOfMapAndBatchForAnyNumberOfThreads) {
  auto map = [](Datapoint dp, Rng& rng) {
    at::Tensor noisy = at::full({2, 1}, static_cast<double>(value(dp)) * 10 + rng.uniform(), at::kDouble);
    return Datapoint{dp[0], noisy};
  };
  for (int64_t n : {0, 1, 13, 39, 40}) {
    BatchData expected(MapData(counting(n), map, {.seed = 5}), 13, {.remainder = true});
    for (int64_t threads : {1, 2, 8}) {
      MultiThreadMapAndBatchData flow =
          rows(counting(n), {.num_thread = threads, .batch_size = 13, .remainder = true, .seed = 5});
      DataIterator wanted = expected.start_pass(3), pass = flow.start_pass(3);
      for (Datapoint& batch : wanted) {
        std::optional<Datapoint> got = pass.next();
        ASSERT_TRUE(got);
        EXPECT_TRUE(at::equal(got->at(0), batch.at(0)) && at::equal(got->at(1), batch.at(1)));
      }
      EXPECT_FALSE(pass.next());
    }
  }
}

TEST(MultiThreadMapAndBatchData, CountsAndBadArguments) {
  EXPECT_EQ(rows(counting(13), {.batch_size = 4}).size(), 3);
  EXPECT_EQ(rows(counting(13), {.batch_size = 4, .remainder = true}).size(), 4);
  EXPECT_EQ(rows(endless(), {}).size(), std::nullopt);
  EXPECT_THROW(rows(counting(13), {.batch_size = 14}), UsageError);
  EXPECT_THROW(rows(counting(13), {.num_thread = 0}), UsageError);
  EXPECT_THROW(rows(counting(13), {.batch_size = 0}), UsageError);
  EXPECT_THROW(rows(counting(13), {.buffer_size = 0}), UsageError);
  auto nothing = [](const Datapoint&, const Datapoint&, Rng&) {};
  EXPECT_THROW(MultiThreadMapAndBatchData(counting(1), nothing, {}), UsageError);
  EXPECT_THROW(MultiThreadMapAndBatchData(counting(1), nothing, {.components = {{.shape = {-1}}}}),
               UsageError);
  EXPECT_THROW(MultiThreadMapAndBatchData(counting(1), {}, {.components = {{}}}), UsageError);
}

TEST(MultiThreadMapAndBatchData, AnErrorNamesStageAndDatapoint) {
  auto broken = [](const Datapoint& dp, const Datapoint&, Rng&) { fail_at(17)(dp); };
  MultiThreadMapAndBatchData flow(counting(39), broken,
                                  {.num_thread = 3, .batch_size = 4, .components = {{}}, .buffer_size = 5});
  DataIterator pass = flow.iterator();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(pass.next());
  EXPECT_THAT([&] { pass.next(); },
              ThrowsMessage<Error>("[MultiThreadMapAndBatchData] datapoint 17: cannot read 17"));
}

TEST(MultiThreadRunner, TakesFromItsThreadsInTurn) {
  auto numbered = [](int64_t k) {
    return MapData(counting(6), [k](Datapoint dp) { return scalar(value(dp) + 100 * k); });
  };
  int64_t made = 0;
  MultiThreadRunner flow([&]() -> AnyDataFlow { return numbered(made++); }, 3);
  EXPECT_EQ(made, 3);
  EXPECT_EQ(flow.size(), 6);
  EXPECT_THAT(values(flow), testing::ElementsAre(0, 100, 200, 1, 101, 201));
  EXPECT_THAT(values(flow), testing::ElementsAre(0, 100, 200, 1, 101, 201));
}

TEST(MultiThreadRunner, EachThreadAndPassHasAnotherOrder) {
  ShuffleData shuffled(counting(39));
  MultiThreadRunner flow(shuffled, 3);
  std::vector<int64_t> expected;
  for (size_t i = 0; i < 13; ++i) {
    for (int64_t t = 0; t < 3; ++t) expected.push_back(values(shuffled.start_pass(3 + t)).at(i));
  }
  EXPECT_EQ(values(flow.start_pass(1)), expected);
}

TEST(MultiThreadRunner, GoesOnWithoutEndWhereTheSizeIsNotKnown) {
  DataFromFunction source([] {
    return [i = int64_t{0}]() mutable { return i < 3 ? std::optional(scalar(i++)) : std::nullopt; };
  });
  DataIterator pass = MultiThreadRunner(source, 2).iterator();
  for (int64_t i = 0; i < 39; ++i) EXPECT_EQ(value(*pass.next()), i / 2 % 3);
}

TEST(MultiThreadRunner, AnErrorOfAThreadComesInItsTurn) {
  int64_t made = 0;
  auto make = [&]() -> AnyDataFlow { return MapData(endless(), fail_at(made++ == 1 ? 4 : -1)); };
  DataIterator pass = MultiThreadRunner(make, 3, {.num_prefetch = 6}).iterator();
  for (int64_t i = 0; i < 13; ++i) EXPECT_EQ(value(*pass.next()), i / 3);
  EXPECT_THAT([&] { pass.next(); }, ThrowsMessage<Error>("[MapData] datapoint 4: cannot read 4"));
}

TEST(MultiThreadRunner, EndsWithAnEmptySourceAndRejectsBadArguments) {
  EXPECT_EQ(values(MultiThreadRunner(counting(0), 3)), range(0));
  EXPECT_THROW(MultiThreadRunner(counting(1), 0), UsageError);
  EXPECT_THROW(MultiThreadRunner(counting(1), 1, {.num_prefetch = 0}), UsageError);
  EXPECT_THROW(MultiThreadRunner(std::function<AnyDataFlow()>(), 1), UsageError);
}

TEST(ThreadedData, ATrainingPipelineIsTheSameForAnyNumberOfThreads) {
  auto pipeline = [](int64_t threads) {
    ShuffleData shuffled(counting(39), {.seed = 3});
    BatchData batches(MultiThreadMapData(RepeatedData(shuffled, 3), threads, uneven, {.buffer_size = 5}), 13);
    std::vector<int64_t> all;
    for (Datapoint& batch : PrefetchData(batches, 2).iterator()) {
      for (int64_t i = 0; i < 13; ++i) all.push_back(batch[0][i].item<int64_t>());
    }
    return all;
  };
  const std::vector<int64_t> expected = pipeline(1);
  EXPECT_EQ(expected.size(), 3u * 39u);
  EXPECT_EQ(pipeline(2), expected);
  EXPECT_EQ(pipeline(8), expected);
}

TEST(ThreadedData, StartingAndStoppingManyTimesNeverHangs) {
  MultiThreadMapData mapped(endless(), 3, same, {.buffer_size = 2});
  PrefetchData flow(mapped, 2);
  for (int i = 0; i < 1000; ++i) {
    DataIterator pass = flow.iterator();
    for (int k = i % 4; k > 0; --k) pass.next();
  }
}

TEST(ThreadedData, ASystemWithoutThreadsIsAnErrorAtTheFirstDatapoint) {
  test::expect_throws_without_threads(1, [] { PrefetchData(endless(), 2).iterator().next(); });
  test::expect_throws_without_threads(4, [] { MultiThreadMapData(endless(), 4, same).iterator().next(); });
  test::expect_throws_without_threads(3, [] { MultiThreadRunner(endless(), 3).iterator().next(); });
}

}  // namespace
}  // namespace belfry
