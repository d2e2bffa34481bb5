#include "belfry/base/bounded_queue.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

namespace belfry {
namespace {

using testing::ElementsAre;

template <typename T>
std::vector<T> drain(BoundedQueue<T>& queue) {
  std::vector<T> values;
  while (std::optional<T> value = queue.pop()) values.push_back(*value);
  return values;
}

TEST(BoundedQueue, KeepsTheOrderForAnyCapacityAndLength) {
  for (size_t capacity : {0, 1, 2, 13}) {
    for (int n : {0, 1, 13, 39}) {
      BoundedQueue<int> queue(capacity);
      std::thread producer([&] {
        for (int i = 0; i < n; ++i) EXPECT_TRUE(queue.push(i));
        queue.close();
      });
      std::vector<int> expected(n);
      std::iota(expected.begin(), expected.end(), 0);
      EXPECT_EQ(drain(queue), expected) << "capacity " << capacity;
      producer.join();
    }
  }
}

TEST(BoundedQueue, NeverHoldsMoreThanItsCapacity) {
  BoundedQueue<int> queue(2);
  std::thread producer([&] {
    for (int i = 0; i < 39; ++i) queue.push(i);
    queue.close();
  });
  while (queue.pop()) EXPECT_LE(queue.size(), 2u);
  producer.join();
}

TEST(BoundedQueue, CloseLeavesWhatIsQueuedAndRefusesMore) {
  BoundedQueue<int> queue(3);
  queue.push(1);
  queue.push(2);
  queue.close();
  EXPECT_FALSE(queue.push(3));
  EXPECT_THAT(drain(queue), ElementsAre(1, 2));
}

TEST(BoundedQueue, AnErrorComesAfterTheValuesAndAtEveryPop) {
  BoundedQueue<int> queue(3);
  queue.push(1);
  queue.close(std::make_exception_ptr(std::runtime_error("disk is gone")));
  queue.close();
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_THROW(queue.pop(), std::runtime_error);
  EXPECT_THROW(queue.pop(), std::runtime_error);
}

TEST(BoundedQueue, CancelDropsWhatIsQueued) {
  BoundedQueue<std::shared_ptr<int>> queue(3);
  auto value = std::make_shared<int>(1);
  queue.push(value);
  queue.cancel();
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_FALSE(queue.push(value));
  EXPECT_FALSE(queue.pop());
}

TEST(BoundedQueue, CancelAndCloseWakeThreadsThatWait) {
  for (bool cancel : {false, true}) {
    BoundedQueue<int> full(1), empty(1);
    full.push(0);
    auto push = std::async(std::launch::async, [&] { return full.push(1); });
    auto pop = std::async(std::launch::async, [&] { return empty.pop(); });
    cancel ? full.cancel() : full.close();
    cancel ? empty.cancel() : empty.close();
    EXPECT_FALSE(push.get());
    EXPECT_FALSE(pop.get());
  }
}

TEST(BoundedQueue, ManyProducersAndConsumersLoseNothing) {
  BoundedQueue<int> queue(3);
  std::atomic<int> sum = 0, producers_left = 4;
  std::vector<std::thread> threads;
  for (int p = 0; p < 4; ++p) {
    threads.emplace_back([&] {
      for (int i = 1; i <= 1000; ++i) queue.push(i);
      if (--producers_left == 0) queue.close();
    });
    threads.emplace_back([&] {
      while (auto value = queue.pop()) sum += *value;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 4 * 500500);
}

TEST(BoundedQueue, MovesValuesThatCannotBeCopied) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  queue.push(std::make_unique<int>(7));
  EXPECT_EQ(**queue.pop(), 7);
}

}  // namespace
}  // namespace belfry
