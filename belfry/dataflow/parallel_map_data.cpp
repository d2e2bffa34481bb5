#include "belfry/dataflow/parallel_map_data.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/map_call.h"

namespace belfry {
namespace {

// Note "Order of a parallel map": a worker takes a datapoint and its ticket (0, 1, 2, …) while it holds
// `source_mutex_`, so tickets follow the source's order. It maps the datapoint with no lock held and puts the
// result into ring slot ticket % size. The consumer empties the slots in ticket order. A worker takes ticket
// t only when t < taken_ + size, that is, when slot t % size is free; so results never wait for a slot, and
// the worker with the lowest ticket can always finish: no deadlock.
class ParallelMap {
 public:
  /// `first` is the call for the source's next datapoint.
  ParallelMap(DataIterator source, std::shared_ptr<const MapFunction> function,
              const internal::MapCall& first, int64_t num_thread, int64_t buffer_size)
      : source_(std::move(source)),
        function_(std::move(function)),
        first_(first),
        slots_(static_cast<size_t>(buffer_size)) {
    try {
      for (int64_t i = 0; i < num_thread; ++i) threads_.emplace_back([this] { run(); });
    } catch (...) {
      stop();  // the system has no more threads
      throw;
    }
  }
  ~ParallelMap() { stop(); }

  std::optional<Datapoint> next() {
    while (true) {
      Slot result;
      {
        std::unique_lock lock(mutex_);
        Slot& slot = slots_[taken_ % slots_.size()];
        has_result_.wait(lock, [&] { return slot.filled || (ended_ && taken_ == issued_); });
        if (!slot.filled) return std::nullopt;
        result = std::exchange(slot, {});
        ++taken_;
      }
      has_room_.notify_one();
      if (result.error) std::rethrow_exception(result.error);
      if (result.datapoint) return std::move(result.datapoint);  // else the function dropped it
    }
  }

 private:
  struct Slot {
    bool filled = false;
    std::optional<Datapoint> datapoint;
    std::exception_ptr error;
  };

  void run() {
    while (true) {
      uint64_t ticket = 0;
      bool is_end = false;
      Slot result{.filled = true, .datapoint = {}, .error = {}};
      {
        std::lock_guard source_lock(source_mutex_);
        {
          std::unique_lock lock(mutex_);
          has_room_.wait(lock, [&] { return ended_ || issued_ < taken_ + slots_.size(); });
          if (ended_) return;
          ticket = issued_;
        }
        try {
          result.datapoint = source_.next();
        } catch (...) {
          result.error = std::current_exception();
        }
        is_end = !result.datapoint && !result.error;
        std::lock_guard lock(mutex_);
        if (!result.datapoint) ended_ = true;
        if (!is_end) ++issued_;
      }
      if (result.datapoint)
        map(ticket, result);  // which may drop the datapoint: the empty result is delivered too
      if (!is_end) put(ticket, std::move(result));
      has_result_.notify_one();
      if (is_end) return;
    }
  }

  void map(uint64_t ticket, Slot& result) {
    try {
      internal::MapCall call = first_;
      call.index += static_cast<int64_t>(ticket);
      result.datapoint = internal::map_call(*function_, std::move(*result.datapoint), call);
    } catch (...) {
      result.datapoint.reset();
      result.error = std::current_exception();
    }
  }

  void put(uint64_t ticket, Slot result) {
    std::lock_guard lock(mutex_);
    slots_[ticket % slots_.size()] = std::move(result);
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
    }
    has_room_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  std::mutex source_mutex_;  // guards source_; taken before mutex_
  DataIterator source_;
  const std::shared_ptr<const MapFunction> function_;
  const internal::MapCall first_;

  std::mutex mutex_;  // guards the members below
  std::condition_variable has_room_, has_result_;
  std::vector<Slot> slots_;
  uint64_t issued_ = 0, taken_ = 0;  // tickets given to workers, results given to the consumer
  bool ended_ = false;  // no more tickets: the source is at its end, has failed, or nobody wants more

  std::vector<std::thread> threads_;
};

struct ParallelMapPass {
  std::optional<Datapoint> next() {
    if (!running)
      running = std::make_unique<ParallelMap>(std::move(source), function, first, num_thread, buffer_size);
    return running->next();
  }

  int64_t skip(int64_t count) {
    int64_t skipped = 0;
    if (!running && !function->may_drop()) {
      skipped = source.skip(count);
      first.index += skipped;
    } else {
      while (skipped < count && next()) ++skipped;
    }
    return skipped;
  }

  DataIterator source;
  std::shared_ptr<const MapFunction> function;
  internal::MapCall first;
  int64_t num_thread, buffer_size;
  std::unique_ptr<ParallelMap> running = {};
};

}  // namespace

MultiThreadMapData::MultiThreadMapData(AnyDataFlow source, int64_t num_thread, MapFunction function,
                                       MultiThreadMapDataOptions options)
    : ProxyDataFlow(std::move(source)),
      num_thread_(num_thread),
      function_(std::make_shared<const MapFunction>(std::move(function))),
      options_(options) {
  if (num_thread_ <= 0)
    throw UsageError(fmt::format("[MultiThreadMapData] expected num_thread > 0, got {}", num_thread_));
  if (options_.buffer_size <= 0)
    throw UsageError(
        fmt::format("[MultiThreadMapData] expected buffer_size > 0, got {}", options_.buffer_size));
  if (!*function_) throw UsageError("[MultiThreadMapData] expected a function, got an empty one");
}

DataIterator MultiThreadMapData::start_pass(int64_t pass) {
  return DataIterator(
      ParallelMapPass{source_->start_pass(pass),
                      function_,
                      {.stage = "MultiThreadMapData", .seed = options_.seed, .pass = pass, .index = 0},
                      num_thread_,
                      options_.buffer_size});
}

}  // namespace belfry
