#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "belfry/dataflow/internal/map_call.h"
#include "belfry/dataflow/internal/wake_up.h"

namespace belfry::internal {

/// Runs a pass and a map function in threads, ahead of the consumer, and delivers in the order of the pass.
/// Not more than `buffer_size` datapoints are in it. The destructor waits for what is running in the threads.
///
/// Note "Order of a parallel map": a worker takes a datapoint and its ticket (0, 1, 2, …) while it holds
/// `source_mutex_`, so tickets follow the source's order. It maps the datapoint with no lock held and puts
/// the result into slot ticket % size. The consumer empties the slots in ticket order. A worker takes ticket
/// t only when t < taken_ + size, that is, when slot t % size is free; so results never wait for a slot, and
/// the worker with the lowest ticket can always finish: no deadlock.
///
/// Note "Cheap datapoints": where a datapoint costs less than a microsecond or two, threads that wake each
/// other up cost more than the work. So results are handed over by an atomic flag for each slot, and sleepers
/// are woken seldom:
/// - a worker that waits for room is woken when there is room for many;
/// - a consumer that finds nothing, while the workers are fast, naps. They wake it when there are results for
///   many calls; should none follow the one it waits for, it sees that one at the end of the nap. While they
///   are slow it sleeps, and is woken for the very result it waits for, and for no other;
/// - a worker that finds the source busy, while its calls take less time than the handing over of the source
///   would, leaves the work to the others for a nap.
class OrderedMap {
 public:
  /// `first` is the call for the source's next datapoint. Without a `function` the pass is only run ahead.
  OrderedMap(DataIterator source, std::shared_ptr<const MapFunction> function, const MapCall& first,
             int64_t num_thread, int64_t buffer_size);
  ~OrderedMap() { stop(); }

  std::optional<Datapoint> next();

 private:
  struct Slot {
    std::optional<Datapoint> datapoint;
    std::exception_ptr error;
    std::atomic<bool> filled = false;  // the others are the worker's before it is set, the consumer's after
  };
  enum class Step { kMapped, kSourceBusy, kOver };

  void run();
  struct Pace;

  Step step(Pace& pace);
  bool wait_for_room();
  void wait_for_result(uint64_t ticket);
  void map(uint64_t ticket, std::optional<Datapoint>& datapoint, std::exception_ptr& error) const;
  void put(uint64_t ticket, std::optional<Datapoint> datapoint, std::exception_ptr error, bool is_fast);
  void stop();

  std::mutex source_mutex_;
  DataIterator source_;  // guarded by source_mutex_
  const std::shared_ptr<const MapFunction> function_;
  const MapCall first_;

  std::vector<Slot> slots_;
  const uint64_t room_to_wake_for_, results_to_wake_for_;
  std::atomic<uint64_t> issued_ = 0;  // tickets given to workers; written under source_mutex_
  std::atomic<uint64_t> taken_ = 0;   // results given to the consumer, who alone writes it
  std::atomic<bool> ended_ =
      false;  // no more tickets: the source is at its end, has failed, or nobody wants more
  std::atomic<bool> is_fast_ = false;        // the last datapoint took a worker less than a wake-up takes
  std::atomic<bool> consumer_naps_ = false;  // if it sleeps, it looks again by itself
  WakeUp has_result_, has_room_, naps_;

  std::vector<std::thread> threads_;
};

/// The pass of a dataflow that works in threads of its own. They start when the first datapoint is asked for,
/// so that a pass that is resumed in the middle does not make what is skipped.
class OrderedMapPass {
 public:
  OrderedMapPass(DataIterator source, std::shared_ptr<const MapFunction> function, const MapCall& first,
                 int64_t num_thread, int64_t buffer_size)
      : source_(std::move(source)),
        function_(std::move(function)),
        first_(first),
        num_thread_(num_thread),
        buffer_size_(buffer_size) {}

  /// Starts the threads now.
  void start();
  std::optional<Datapoint> next();
  int64_t skip(int64_t count);

 private:
  DataIterator source_;
  std::shared_ptr<const MapFunction> function_;
  MapCall first_;
  int64_t num_thread_, buffer_size_;
  std::unique_ptr<OrderedMap> running_;
};

}  // namespace belfry::internal
