#include "belfry/base/ordered_workers.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <condition_variable>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace belfry {
namespace {

using testing::ThrowsMessage;
using Workers = OrderedWorkers<int, std::unique_ptr<int>>;  // results that can only be moved

// 0, 1, …, count - 1
Workers::Take count_to(int count) {
  return [i = 0, count](const std::stop_token&) mutable {
    return i < count ? std::optional(i++) : std::nullopt;
  };
}

// Takes longer for some items than for others.
std::unique_ptr<int> square(int i, Workers::Turn) {
  for (int k = i * 7 % 5; k > 0; --k) std::this_thread::yield();
  return std::make_unique<int>(i * i);
}

std::vector<int> all_results(Workers& workers) {
  std::vector<int> all;
  while (std::optional<std::unique_ptr<int>> result = workers.next()) all.push_back(**result);
  return all;
}

std::vector<int> squares(int count) {
  std::vector<int> all;
  for (int i = 0; i < count; ++i) all.push_back(i * i);
  return all;
}

// A source that gives nothing until it is told to stop.
std::optional<int> wait_for_stop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });
  return std::nullopt;
}

const std::vector<OrderedWorkersOptions> kSizes = {{.num_thread = 1, .window = 1},
                                                   {.num_thread = 8, .window = 1},
                                                   {.num_thread = 1, .window = 39},
                                                   {.num_thread = 3, .window = 13},
                                                   {.num_thread = 8, .window = 4},
                                                   {.num_thread = 2, .window = 4, .group = 4},
                                                   {.num_thread = 3, .window = 39, .group = 13}};

TEST(OrderedWorkers, GiveResultsInTheOrderOfTheItems) {
  for (const OrderedWorkersOptions& sizes : kSizes) {
    for (int count : {0, 1, 13, 390}) {
      Workers workers(count_to(count), square, sizes);
      EXPECT_EQ(all_results(workers), squares(count)) << sizes.num_thread << " threads";
      EXPECT_FALSE(workers.next());
    }
  }
}

TEST(OrderedWorkers, AnErrorOfTheWorkComesAtItsPlaceAndEndsAll) {
  for (const OrderedWorkersOptions& sizes : kSizes) {
    Workers workers(
        count_to(390),
        [](int i, Workers::Turn turn) {
          if (i >= 17) throw std::runtime_error("bad " + std::to_string(i));
          return square(i, turn);
        },
        sizes);
    for (int i = 0; i < 17; ++i) EXPECT_EQ(**workers.next(), i * i);
    EXPECT_THAT([&] { workers.next(); }, ThrowsMessage<std::runtime_error>("bad 17"));
    EXPECT_FALSE(workers.next());
  }
}

TEST(OrderedWorkers, AnErrorOfTheSourceComesAtItsPlaceAndEndsAll) {
  for (const OrderedWorkersOptions& sizes : kSizes) {
    auto broken = [i = 0](const std::stop_token&) mutable {
      if (i == 17) throw std::runtime_error("cannot read");
      return std::optional(i++);
    };
    Workers workers(broken, square, sizes);
    for (int i = 0; i < 17; ++i) EXPECT_EQ(**workers.next(), i * i);
    EXPECT_THAT([&] { workers.next(); }, ThrowsMessage<std::runtime_error>("cannot read"));
    EXPECT_FALSE(workers.next());
  }
}

TEST(OrderedWorkers, TakeNoMoreItemsOnceOneHasFailed) {
  std::atomic<int> taken = 0;
  auto fail = [](int, Workers::Turn) -> std::unique_ptr<int> { throw std::runtime_error("bad"); };
  Workers workers([&](const std::stop_token&) { return std::optional(taken++); }, fail,
                  {.num_thread = 3, .window = 390});
  EXPECT_THROW(workers.next(), std::runtime_error);
  EXPECT_FALSE(workers.next());
  EXPECT_LE(taken, 3);
}

TEST(OrderedWorkers, AreNoFurtherAheadThanTheWindow) {
  for (const OrderedWorkersOptions& sizes : kSizes) {
    std::atomic<size_t> taken = 0;
    Workers workers([&](const std::stop_token&) { return std::optional(static_cast<int>(taken++ % 100)); },
                    square, sizes);
    for (size_t consumed = 0; consumed < 100; ++consumed) {
      EXPECT_LE(taken, consumed / sizes.group * sizes.group + sizes.window);
      workers.next();
    }
  }
}

TEST(OrderedWorkers, UseTheWholeWindow) {
  for (const OrderedWorkersOptions& sizes : kSizes) {
    std::atomic<size_t> taken = 0;
    Workers workers([&](const std::stop_token&) { return std::optional(static_cast<int>(taken++ % 100)); },
                    square, sizes);
    while (taken < sizes.window) std::this_thread::yield();
    EXPECT_TRUE(workers.next());
  }
}

TEST(OrderedWorkers, EachHasANumberAndOneItemAtATime) {
  std::vector<std::atomic<int>> busy(3);
  auto work = [&](int i, Workers::Turn turn) {
    EXPECT_EQ(turn.ticket, static_cast<uint64_t>(i));
    EXPECT_EQ(busy.at(turn.worker)++, 0);
    auto result = square(i, turn);
    --busy[turn.worker];
    return result;
  };
  Workers workers(count_to(390), work, {.num_thread = 3, .window = 13});
  EXPECT_EQ(all_results(workers), squares(390));
}

TEST(OrderedWorkers, AStopRequestEndsASourceThatWaits) {
  std::stop_source stop;
  auto three_then_wait = [i = 0](const std::stop_token& token) mutable {
    return i < 3 ? std::optional(i++) : wait_for_stop(token);
  };
  Workers workers(three_then_wait, square, {.num_thread = 2, .window = 13, .stop = stop.get_token()});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(**workers.next(), i * i);
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(workers.next());
}

TEST(OrderedWorkers, AStopRequestBeforeTheStartMeansNoItems) {
  std::stop_source stop;
  stop.request_stop();
  std::atomic<int> taken = 0;
  Workers workers([&](const std::stop_token&) { return std::optional(taken++); }, square,
                  {.num_thread = 2, .window = 13, .stop = stop.get_token()});
  EXPECT_FALSE(workers.next());
  EXPECT_EQ(taken, 0);
}

TEST(OrderedWorkers, DeliverWhatTheyHaveWhileTheSourceWaits) {
  for (const OrderedWorkersOptions& sizes : kSizes) {
    if (sizes.group > 1) continue;  // they come as a group
    auto one_then_wait = [i = 0](const std::stop_token& token) mutable {
      return i < 1 ? std::optional(i++) : wait_for_stop(token);
    };
    Workers workers(one_then_wait, square, sizes);
    EXPECT_EQ(**workers.next(), 0);
  }
}

TEST(OrderedWorkers, StartingAndStoppingManyTimesNeverHangs) {
  for (int round = 0; round < 390; ++round) {
    Workers workers(count_to(390), square, kSizes[static_cast<size_t>(round) % kSizes.size()]);
    for (int i = 0; i < round % 13; ++i) EXPECT_EQ(**workers.next(), i * i);
  }
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
// Leaves memory for the stacks of a few threads.
void forbid_many_threads() {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t bytes = pages * 4096 + (rlim_t{64} << 20);
  const rlimit limit{bytes, bytes};
  setrlimit(RLIMIT_AS, &limit);
}

TEST(OrderedWorkers, AreJoinedWhenTheSystemHasNoMoreThreads) {
  auto start_too_many = [] {
    forbid_many_threads();
    try {
      Workers workers(wait_for_stop, square, {.num_thread = 1000, .window = 1});
    } catch (const std::system_error&) {
      std::_Exit(0);
    }
    std::_Exit(1);
  };
  EXPECT_EXIT(start_too_many(), testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
}  // namespace belfry
