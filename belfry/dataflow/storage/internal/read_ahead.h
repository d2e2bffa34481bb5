#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace belfry::internal {

/// Makes items 0, 1, …, count - 1 in threads ahead of one consumer, who takes them in any order within the
/// range that it has allowed. An exception arrives with its item. The destructor waits for the items being
/// made.
template <typename Item>
class ReadAhead {
 public:
  /// Requires: num_thread > 0. `make` is called from several threads at once.
  ReadAhead(int64_t num_thread, std::function<Item(int64_t)> make) : make_(std::move(make)) {
    try {
      for (int64_t i = 0; i < num_thread; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {  // the system has no more threads
      join();
      throw;
    }
  }
  ~ReadAhead() { join(); }

  /// Items in [begin, end) are wanted from now on; those before are dropped. Requires: neither goes back.
  void want(int64_t begin, int64_t end) {
    {
      std::lock_guard lock(mutex_);
      next_ = std::max(next_, begin);
      begin_ = begin;
      end_ = end;
      made_.erase(made_.begin(), made_.lower_bound(begin));
    }
    changed_.notify_all();
  }

  /// Item `i`, once; waits for it. Requires: it is wanted.
  Item take(int64_t i) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return made_.contains(i); });
    Made made = std::move(made_.extract(i).mapped());
    if (made.error) std::rethrow_exception(made.error);
    return std::move(made.item);
  }

 private:
  struct Made {
    Item item;
    std::exception_ptr error;
  };

  void join() {
    {
      std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return is_stopping_ || next_ < end_; });
      if (is_stopping_) return;
      const int64_t i = next_++;
      lock.unlock();
      Made made;
      try {
        made.item = make_(i);
      } catch (...) {
        made.error = std::current_exception();
      }
      lock.lock();
      if (i >= begin_) made_.emplace(i, std::move(made));
      changed_.notify_all();
    }
  }

  std::function<Item(int64_t)> make_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int64_t, Made> made_;  // guarded by mutex_, as all below
  int64_t next_ = 0, begin_ = 0, end_ = 0;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace belfry::internal
