#include "belfry/dataflow/internal/ordered_map.h"

#include <algorithm>
#include <chrono>

namespace belfry::internal {
namespace {

using Clock = std::chrono::steady_clock;

// To wake another thread up, or to hand a lock over, takes about this much.
constexpr std::chrono::nanoseconds kWakeUp = std::chrono::microseconds(2);
constexpr std::chrono::nanoseconds kNap = std::chrono::microseconds(500);

}  // namespace

OrderedMap::OrderedMap(DataIterator source, std::shared_ptr<const MapFunction> function, const MapCall& first,
                       int64_t num_thread, int64_t buffer_size)
    : source_(std::move(source)),
      function_(std::move(function)),
      first_(first),
      slots_(static_cast<size_t>(buffer_size)),
      // Those who map keep a quarter of what is left free.
      room_to_wake_for_(static_cast<uint64_t>(std::max<int64_t>(1, (buffer_size - num_thread) / 4))),
      results_to_wake_for_(static_cast<uint64_t>(std::max<int64_t>(1, buffer_size / 2))) {
  try {
    for (int64_t i = 0; i < num_thread; ++i) threads_.emplace_back([this] { run(); });
  } catch (...) {
    stop();  // the system has no more threads
    throw;
  }
}

std::optional<Datapoint> OrderedMap::next() {
  while (true) {
    const uint64_t ticket = taken_;
    Slot& slot = slots_[ticket % slots_.size()];
    wait_for_result(ticket);
    if (!slot.filled) return std::nullopt;
    std::optional<Datapoint> datapoint = std::exchange(slot.datapoint, std::nullopt);
    std::exception_ptr error = std::exchange(slot.error, nullptr);
    slot.filled = false;
    taken_ = ticket + 1;
    if (slots_.size() - (issued_ - (ticket + 1)) >= room_to_wake_for_) has_room_.notify_all();
    if (error) std::rethrow_exception(error);
    if (datapoint) return datapoint;  // else the function dropped it
  }
}

void OrderedMap::wait_for_result(uint64_t ticket) {
  auto is_there = [&] { return slots_[ticket % slots_.size()].filled || (ended_ && ticket == issued_); };
  while (!is_there()) {
    const bool naps = is_fast_;
    consumer_naps_ = naps;
    if (naps) {
      has_result_.wait_for(kNap, is_there);
    } else {
      has_result_.wait(is_there);
    }
  }
}

// How long a worker's datapoints take.
struct OrderedMap::Pace {
  Clock::time_point last_put = Clock::now();
  std::chrono::nanoseconds last_call = std::chrono::nanoseconds::max();
};

void OrderedMap::run() {
  Pace pace;
  while (true) {
    switch (step(pace)) {
      case Step::kMapped:
        break;
      case Step::kSourceBusy:
        naps_.wait_for(kNap, [this] { return ended_.load(); });
        break;
      case Step::kOver:
        return;
    }
  }
}

OrderedMap::Step OrderedMap::step(Pace& pace) {
  std::unique_lock source_lock(source_mutex_, std::try_to_lock);
  if (!source_lock) {
    if (pace.last_call < kWakeUp) return Step::kSourceBusy;
    source_lock.lock();
  }
  if (!wait_for_room()) return Step::kOver;
  const uint64_t ticket = issued_;
  std::optional<Datapoint> datapoint;
  std::exception_ptr error;
  try {
    datapoint = source_.next();
  } catch (...) {
    error = std::current_exception();
  }
  const bool is_end = !datapoint && !error;
  if (!is_end) issued_ = ticket + 1;
  if (!datapoint) ended_ = true;
  source_lock.unlock();
  const Clock::time_point begin = Clock::now();
  if (datapoint) map(ticket, datapoint, error);
  const Clock::time_point end = Clock::now();
  pace.last_call = end - begin;
  if (!is_end) put(ticket, std::move(datapoint), std::move(error), end - pace.last_put < kWakeUp);
  pace.last_put = end;
  if (ended_) {
    has_result_.notify_all();
    naps_.notify_all();
  }
  return is_end ? Step::kOver : Step::kMapped;
}

// Called with source_mutex_ held, so by one worker at a time. False when no more tickets are given.
bool OrderedMap::wait_for_room() {
  auto room = [this] { return slots_.size() - (issued_ - taken_); };
  if (!ended_ && room() == 0) has_room_.wait([&] { return ended_ || room() >= room_to_wake_for_; });
  return !ended_;
}

void OrderedMap::map(uint64_t ticket, std::optional<Datapoint>& datapoint, std::exception_ptr& error) const {
  if (!function_) return;
  try {
    MapCall call = first_;
    call.index += static_cast<int64_t>(ticket);
    datapoint = map_call(*function_, std::move(*datapoint), call);
  } catch (...) {
    datapoint.reset();
    error = std::current_exception();
  }
}

void OrderedMap::put(uint64_t ticket, std::optional<Datapoint> datapoint, std::exception_ptr error,
                     bool is_fast) {
  Slot& slot = slots_[ticket % slots_.size()];
  slot.datapoint = std::move(datapoint);
  slot.error = std::move(error);
  slot.filled = true;
  if (is_fast_ != is_fast) is_fast_ = is_fast;
  const uint64_t ahead = ticket - taken_;
  const bool is_wanted = ahead == 0 && !(is_fast && consumer_naps_);
  if (is_wanted || ahead + 1 == results_to_wake_for_) has_result_.notify_all();
}

void OrderedMap::stop() {
  ended_ = true;
  has_room_.notify_all();
  naps_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void OrderedMapPass::start() {
  if (!running_)
    running_ = std::make_unique<OrderedMap>(std::move(source_), function_, first_, num_thread_, buffer_size_);
}

std::optional<Datapoint> OrderedMapPass::next() {
  start();
  return running_->next();
}

int64_t OrderedMapPass::skip(int64_t count) {
  int64_t skipped = 0;
  if (!running_ && !(function_ && function_->may_drop())) {
    skipped = source_.skip(count);
    first_.index += skipped;
  } else {
    while (skipped < count && next()) ++skipped;
  }
  return skipped;
}

}  // namespace belfry::internal
