#include "belfry/callbacks/estimated_time_left.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/base/timer.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

using Clock = std::chrono::steady_clock;

double median(const std::deque<double>& numbers) {
  std::vector<double> sorted(numbers.begin(), numbers.end());
  std::ranges::sort(sorted);
  const size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

double mean(const std::deque<double>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}

}  // namespace

EstimatedTimeLeft::EstimatedTimeLeft(EstimatedTimeLeftOptions options) : options_(options) {
  if (options.last_k_epochs == 0)
    throw UsageError("[EstimatedTimeLeft] expected last_k_epochs of at least 1, got 0");
}

void EstimatedTimeLeft::before_train() {
  last_ = Clock::now();
}

void EstimatedTimeLeft::trigger_epoch() {
  const Clock::time_point now = Clock::now();
  seconds_.push_back(std::chrono::duration<double>(now - last_).count());
  last_ = now;
  if (seconds_.size() > options_.last_k_epochs) seconds_.pop_front();
  const auto epochs = static_cast<double>(trainer().loop().max_epoch - trainer().epoch_num());
  const double left = epochs * (options_.median ? median(seconds_) : mean(seconds_));
  if (left > 0) log_info("Estimated Time Left: {}", humanize_time_delta(left));
}

}  // namespace belfry
