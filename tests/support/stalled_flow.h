#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "belfry/dataflow/dataflow.h"

namespace belfry::test {

/// Produces the same datapoint some times in each pass, then nothing until it is released.
class StalledFlow : public DataFlow {
 public:
  explicit StalledFlow(Datapoint datapoint, int64_t before = 0)
      : datapoint_(std::move(datapoint)), before_(before) {}

  DataIterator start_pass(int64_t) override {
    return DataIterator([this, i = int64_t{0}]() mutable -> std::optional<Datapoint> {
      if (i++ < before_) return datapoint_;
      std::unique_lock lock(mutex_);
      is_waiting_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return is_released_; });
      return datapoint_;
    });
  }

  void wait_until_waited_for() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_waiting_; });
  }
  void release() {
    std::lock_guard lock(mutex_);
    is_released_ = true;
    changed_.notify_all();
  }

 private:
  Datapoint datapoint_;
  int64_t before_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_waiting_ = false, is_released_ = false;
};

}  // namespace belfry::test
