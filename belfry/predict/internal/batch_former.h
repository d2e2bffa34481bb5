#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <stop_token>
#include <vector>

namespace belfry::internal {

using Clock = std::chrono::steady_clock;

/// Inputs of `rows` samples, the batch dimension first.
struct Request {
  std::vector<at::Tensor> inputs;
  int64_t rows = 1;
  bool is_sample = false;  // the caller gave no batch dimension and wants none back
  std::stop_token cancel;
  Clock::time_point arrived;
  std::promise<std::vector<at::Tensor>> promise;
  std::function<void(std::future<std::vector<at::Tensor>>)> done = {};  // gets the future, where there is one
};

/// Decides which requests share a batch and when it starts. It knows no threads and no clock: the time is an
/// argument.
///
/// Requests of equal dtypes and sample shapes form a group, in order of arrival. A group is ready when it can
/// fill a batch or its oldest request has waited for max_delay.
class BatchFormer {
 public:
  struct Batch {
    std::vector<Request> run;        // 1 to max_batch rows, unless all were cancelled
    std::vector<Request> cancelled;  // met on the way; not part of the batch
  };

  /// `few_sizes`: see BatchingOptions.
  BatchFormer(int64_t max_batch, Clock::duration max_delay, bool few_sizes)
      : max_batch_(max_batch), max_delay_(max_delay), few_sizes_(few_sizes) {}

  void add(Request request);
  /// Takes the batch, of those that are ready, whose oldest request is the oldest. `hurry`: every group is
  /// ready.
  std::optional<Batch> take(Clock::time_point now, bool hurry = false);
  /// When the next group will be ready by time alone; nothing when no request waits.
  std::optional<Clock::time_point> next_deadline() const;
  std::vector<Request> take_all();
  /// Rows that wait.
  int64_t rows() const { return rows_; }

 private:
  using Signature = std::vector<int64_t>;
  struct Group {
    std::deque<Request> requests;  // never empty
    int64_t rows = 0;
  };

  static Signature signature(const Request& request);
  std::map<Signature, Group>::iterator oldest_ready(Clock::time_point now, bool hurry);
  /// How many requests from the front of a group to take.
  size_t batch_end(const std::deque<Request>& requests) const;

  const int64_t max_batch_;
  const Clock::duration max_delay_;
  const bool few_sizes_;
  std::map<Signature, Group> groups_;
  int64_t rows_ = 0;
};

}  // namespace belfry::internal
