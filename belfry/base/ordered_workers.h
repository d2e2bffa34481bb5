#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "belfry/base/wake_up.h"

namespace belfry {

struct OrderedWorkersOptions {
  size_t num_thread = 1;
  /// Items that were taken and whose results the consumer does not have yet, at most.
  size_t window = 1;
  /// The window moves on when so many results have been taken; divides `window`. The consumer then waits for
  /// such a group as a whole, while its results are slow.
  size_t group = 1;
  /// When it is requested no more items are taken; results of those that were taken still come.
  std::stop_token stop = {};
};

/// Takes items from a source and works on them in threads, ahead of one consumer, who gets the results in the
/// order of the items.
///
/// Note "Order of parallel work": a worker takes an item and its ticket (0, 1, 2, …) while it holds
/// `source_mutex_`, so tickets follow the source's order. It works on the item with no lock held and puts the
/// result into slot ticket % window. The consumer empties the slots in ticket order. A worker takes ticket t
/// only when t < taken_ + window, that is, when slot t % window is free; so results never wait for a slot,
/// and the worker with the lowest ticket can always finish: no deadlock. (With groups, taken_ counts in whole
/// groups. As the window is at least one group, all of the group that the consumer waits for has room.)
///
/// Note "Errors of parallel work": an exception is a result like others and takes its ticket's place. After
/// one no more items are taken, as the consumer will not get further than to it.
///
/// Note "Cheap items": where an item costs less than a microsecond or two, threads that wake each other up
/// cost more than the work. So results are handed over by an atomic flag for each slot, and sleepers are
/// woken seldom:
/// - a worker that waits for room is woken when there is room for many;
/// - a consumer that finds nothing, while the workers are fast, naps. They wake it when there are results for
///   many calls; should none follow the one it waits for, it sees that one at the end of the nap. While they
///   are slow it sleeps, and is woken for the very result it waits for, and for no other;
/// - a worker that finds the source busy, while its work takes less time than the handing over of the source
///   would, leaves it to the others for a nap.
template <typename Item, typename Result>
class OrderedWorkers {
 public:
  /// Which item a worker has, and which of the threads it is; both count from 0.
  struct Turn {
    uint64_t ticket;
    size_t worker;
  };
  /// The next item; nullopt at the end. One thread at a time calls it. A call that waits should return when
  /// the token is asked to stop, or else the destructor waits with it.
  using Take = std::function<std::optional<Item>(const std::stop_token&)>;
  /// Called from several threads at once.
  using Work = std::function<Result(Item, Turn)>;

  /// Starts the threads. Requires: `take` and `work` are not empty, the numbers of the options not 0. Throws
  /// std::system_error when the system has no more threads.
  OrderedWorkers(Take take, Work work, OrderedWorkersOptions options);
  /// Waits for the calls of `take` and `work` that run.
  ~OrderedWorkers() { join(); }
  OrderedWorkers(const OrderedWorkers&) = delete;
  OrderedWorkers& operator=(const OrderedWorkers&) = delete;

  /// The next result; waits for it. nullopt at the end. Throws what `take` or `work` has thrown for this
  /// item, after which it is the end, too. One thread at a time may call it.
  std::optional<Result> next();

 private:
  using Clock = std::chrono::steady_clock;
  // To wake another thread up, or to hand a lock over, takes about this much.
  static constexpr std::chrono::nanoseconds kWakeUp = std::chrono::microseconds(2);
  static constexpr std::chrono::nanoseconds kNap = std::chrono::microseconds(500);

  struct Slot {
    std::optional<Result> result;
    std::exception_ptr error;
    std::atomic<bool> filled = false;  // the others are the worker's before it is set, the consumer's after
  };
  // How long a worker's items take.
  struct Pace {
    Clock::time_point last_put = Clock::now();
    std::chrono::nanoseconds last_work = std::chrono::nanoseconds::max();
  };
  enum class Step { kDone, kSourceBusy, kOver };

  void run(size_t worker);
  Step step(size_t worker, Pace& pace);
  void work_on(Item item, Turn turn, Slot& slot);
  void put(uint64_t ticket, bool is_fast);
  bool wait_for_room();
  void wait_for_result(uint64_t ticket);
  uint64_t room() const;
  void end();
  void join();

  std::mutex source_mutex_;
  const Take take_;  // called under source_mutex_
  const Work work_;

  std::vector<Slot> slots_;
  const uint64_t group_, room_to_wake_for_, results_to_wake_for_;
  std::atomic<uint64_t> issued_ = 0;  // tickets given to workers; written under source_mutex_
  std::atomic<uint64_t> taken_ = 0;   // results given to the consumer, who alone writes it
  std::atomic<uint64_t> wanted_ = 0;  // the ticket that the consumer waits for, who alone writes it
  // No more tickets: the source is at its end, something has failed, or nobody wants more.
  std::atomic<bool> ended_ = false;
  std::atomic<bool> is_fast_ = false;        // the last item took a worker less than a wake-up takes
  std::atomic<bool> consumer_naps_ = false;  // if it sleeps, it looks again by itself
  bool is_over_ = false;                     // the consumer's: it has seen the end
  WakeUp has_result_, has_room_, naps_;

  std::stop_source stop_;
  const std::stop_token stop_token_ = stop_.get_token();
  // After what end() uses: it may call it at once.
  std::stop_callback<std::function<void()>> end_when_asked_;
  std::vector<std::thread> threads_;
};

template <typename Item, typename Result>
OrderedWorkers<Item, Result>::OrderedWorkers(Take take, Work work, OrderedWorkersOptions options)
    : take_(std::move(take)),
      work_(std::move(work)),
      slots_(options.window),
      group_(options.group),
      // Those who work keep a quarter of what is left free.
      room_to_wake_for_(
          std::max<size_t>(1, (options.window - std::min(options.window, options.num_thread)) / 4)),
      results_to_wake_for_(std::max<size_t>(1, options.window / 2)),
      end_when_asked_(std::move(options.stop), [this] { end(); }) {
  try {
    for (size_t i = 0; i < options.num_thread; ++i) threads_.emplace_back([this, i] { run(i); });
  } catch (...) {
    join();  // the system has no more threads
    throw;
  }
}

template <typename Item, typename Result>
std::optional<Result> OrderedWorkers<Item, Result>::next() {
  if (is_over_) return std::nullopt;
  const uint64_t ticket = taken_;
  if (group_ > 1 && ticket % group_ == 0) wait_for_result(ticket + group_ - 1);
  Slot& slot = slots_[ticket % slots_.size()];
  wait_for_result(ticket);
  if (!slot.filled) {
    is_over_ = true;
    return std::nullopt;
  }
  std::optional<Result> result = std::exchange(slot.result, std::nullopt);
  const std::exception_ptr error = std::exchange(slot.error, nullptr);
  slot.filled = false;
  taken_ = ticket + 1;
  if ((group_ == 1 || (ticket + 1) % group_ == 0) && room() >= room_to_wake_for_) has_room_.notify_all();
  if (error) {
    is_over_ = true;
    std::rethrow_exception(error);
  }
  return result;
}

// Returns also when that result will never be there.
template <typename Item, typename Result>
void OrderedWorkers<Item, Result>::wait_for_result(uint64_t ticket) {
  auto is_there = [&] { return slots_[ticket % slots_.size()].filled || (ended_ && ticket >= issued_); };
  while (!is_there()) {
    const bool naps = is_fast_;
    wanted_ = ticket;
    consumer_naps_ = naps;
    if (naps) {
      has_result_.wait_for(kNap, is_there);
    } else {
      has_result_.wait(is_there);
    }
  }
}

template <typename Item, typename Result>
void OrderedWorkers<Item, Result>::run(size_t worker) {
  Pace pace;
  while (true) {
    switch (step(worker, pace)) {
      case Step::kDone:
        break;
      case Step::kSourceBusy:
        naps_.wait_for(kNap, [this] { return ended_.load(); });
        break;
      case Step::kOver:
        return;
    }
  }
}

template <typename Item, typename Result>
typename OrderedWorkers<Item, Result>::Step OrderedWorkers<Item, Result>::step(size_t worker, Pace& pace) {
  std::unique_lock source_lock(source_mutex_, std::try_to_lock);
  if (!source_lock) {
    if (ended_) return Step::kOver;
    if (pace.last_work < kWakeUp) return Step::kSourceBusy;
    source_lock.lock();
  }
  if (!wait_for_room()) return Step::kOver;
  const uint64_t ticket = issued_;
  Slot& slot = slots_[ticket % slots_.size()];
  std::optional<Item> item;
  try {
    item = take_(stop_token_);
  } catch (...) {
    slot.error = std::current_exception();
  }
  const bool is_end = !item && !slot.error;
  if (!is_end) issued_ = ticket + 1;
  if (!item) ended_ = true;
  source_lock.unlock();
  if (!item) end();
  if (is_end) return Step::kOver;
  const Clock::time_point begin = Clock::now();
  if (item) work_on(std::move(*item), {ticket, worker}, slot);
  const Clock::time_point end = Clock::now();
  pace.last_work = end - begin;
  put(ticket, end - pace.last_put < kWakeUp);
  pace.last_put = end;
  return Step::kDone;
}

// Called with source_mutex_ held, so by one worker at a time. False when no more tickets are given.
template <typename Item, typename Result>
bool OrderedWorkers<Item, Result>::wait_for_room() {
  if (!ended_ && room() == 0) has_room_.wait([&] { return ended_ || room() >= room_to_wake_for_; });
  return !ended_;
}

template <typename Item, typename Result>
uint64_t OrderedWorkers<Item, Result>::room() const {
  const uint64_t taken = taken_, begin_of_group = group_ > 1 ? taken - taken % group_ : taken;
  return slots_.size() - (issued_ - begin_of_group);
}

template <typename Item, typename Result>
void OrderedWorkers<Item, Result>::work_on(Item item, Turn turn, Slot& slot) {
  try {
    slot.result.emplace(work_(std::move(item), turn));
  } catch (...) {
    slot.error = std::current_exception();
    end();
  }
}

template <typename Item, typename Result>
void OrderedWorkers<Item, Result>::put(uint64_t ticket, bool is_fast) {
  slots_[ticket % slots_.size()].filled = true;
  if (is_fast_ != is_fast) is_fast_ = is_fast;
  const bool is_wanted = ticket == wanted_ && !(is_fast && consumer_naps_);
  // After the end nothing may follow that wakes the consumer.
  if (is_wanted || ticket - taken_ + 1 == results_to_wake_for_ || ended_) has_result_.notify_all();
}

template <typename Item, typename Result>
void OrderedWorkers<Item, Result>::end() {
  ended_ = true;
  stop_.request_stop();
  has_room_.notify_all();
  has_result_.notify_all();
  naps_.notify_all();
}

template <typename Item, typename Result>
void OrderedWorkers<Item, Result>::join() {
  end();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace belfry
