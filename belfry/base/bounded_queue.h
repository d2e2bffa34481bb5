#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace belfry {

/// Hands values from producer threads to consumer threads in order, holding at most `capacity` of them.
///
/// A queue ends in one of two ways. The producer calls `close()`: consumers still get what is queued, then
/// the end (or the producer's exception). The consumer calls `cancel()`: what is queued is dropped and nobody
/// waits any more. Either way every waiting thread wakes up, so a thread that uses a queue can always be
/// joined.
///
/// All methods may be called from any thread. The queue must outlive every call.
template <typename T>
class BoundedQueue {
 public:
  /// A capacity of 0 counts as 1.
  explicit BoundedQueue(size_t capacity) : capacity_(capacity ? capacity : 1) {}
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  /// Waits for room and adds `value`. Returns false, without adding it, when the queue is closed or
  /// cancelled.
  bool push(T value) {
    {
      std::unique_lock lock(mutex_);
      has_room_.wait(lock, [&] { return closed_ || values_.size() < capacity_; });
      if (closed_) return false;
      values_.push_back(std::move(value));
    }
    has_value_.notify_one();
    return true;
  }

  /// Waits for a value and takes it. At the end of a closed queue: rethrows the exception given to `close`,
  /// on every call, else returns nullopt. Also returns nullopt when it would have to wait and `stop` is
  /// requested; the queue stays as it is.
  std::optional<T> pop(std::stop_token stop = {}) {
    std::optional<T> value;
    {
      std::unique_lock lock(mutex_);
      if (!has_value_.wait(lock, stop, [&] { return closed_ || !values_.empty(); })) return std::nullopt;
      if (values_.empty()) {
        if (error_) std::rethrow_exception(error_);
        return std::nullopt;
      }
      value.emplace(std::move(values_.front()));
      values_.pop_front();
    }
    has_room_.notify_one();
    return value;
  }

  /// A value if one is queued right now, else nullopt, without waiting.
  std::optional<T> try_pop() {
    std::optional<T> value;
    {
      std::lock_guard lock(mutex_);
      if (values_.empty()) return std::nullopt;
      value.emplace(std::move(values_.front()));
      values_.pop_front();
    }
    has_room_.notify_one();
    return value;
  }

  /// The producer is done; `error` is the reason if it failed. Only the first of several calls counts.
  void close(std::exception_ptr error = nullptr) {
    {
      std::lock_guard lock(mutex_);
      if (closed_) return;
      closed_ = true;
      error_ = std::move(error);
    }
    wake_all();
  }

  /// The consumer wants no more: `push` returns false and `pop` nullopt from now on.
  void cancel() {
    std::deque<T> dropped;  // destroyed without the lock: a value's destructor may take its time
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      error_ = nullptr;
      dropped.swap(values_);
    }
    wake_all();
  }

  /// The number of values queued at this moment.
  size_t size() const {
    std::lock_guard lock(mutex_);
    return values_.size();
  }

 private:
  void wake_all() {
    has_room_.notify_all();
    has_value_.notify_all();
  }

  const size_t capacity_;
  mutable std::mutex mutex_;  // guards the members below
  std::condition_variable has_room_;
  std::condition_variable_any has_value_;  // the kind that a stop token can wake
  std::deque<T> values_;
  std::exception_ptr error_;
  bool closed_ = false;
};

}  // namespace belfry
