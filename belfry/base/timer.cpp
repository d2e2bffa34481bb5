#include "belfry/base/timer.h"

#include <fmt/format.h>

#include <cctype>
#include <cmath>
#include <map>
#include <mutex>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

namespace belfry {
namespace {

struct Totals {
  std::mutex mutex;
  std::map<std::string, TotalTimer::Total> by_name;  // guarded by the mutex
};

Totals& totals() {
  static Totals totals;
  return totals;
}

}  // namespace

void Timer::pause() {
  if (is_paused()) throw UsageError("[Timer] expected a running timer to pause, got one that is paused");
  paused_at_ = Clock::now();
}

void Timer::resume() {
  if (!is_paused()) throw UsageError("[Timer] expected a paused timer to resume, got one that runs");
  paused_ += Clock::now() - *paused_at_;
  paused_at_.reset();
}

double Timer::seconds() const {
  const Clock::time_point end = paused_at_.value_or(Clock::now());
  return std::chrono::duration<double>(end - start_ - paused_).count();
}

TimedOperation::TimedOperation(std::string message, bool log_start) : message_(std::move(message)) {
  if (message_.empty()) throw UsageError("[TimedOperation] expected a message, got an empty one");
  if (log_start) log_info("Start {} ...", message_);
  message_[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(message_[0])));
}

TimedOperation::~TimedOperation() {
  log_info("{} finished, time: {:.4f} sec.", message_, timer_.seconds());
}

TotalTimer::~TotalTimer() {
  const double seconds = timer_.seconds();
  std::lock_guard lock(totals().mutex);
  Total& total = totals().by_name[name_];
  total.seconds += seconds;
  ++total.count;
}

TotalTimer::Total TotalTimer::of(const std::string& name) {
  std::lock_guard lock(totals().mutex);
  const auto found = totals().by_name.find(name);
  return found == totals().by_name.end() ? Total() : found->second;
}

void TotalTimer::log_all() {
  const auto all = [] {
    std::lock_guard lock(totals().mutex);
    return totals().by_name;
  }();
  for (const auto& [name, total] : all) {
    log_info("Total time: {} -> {:.2f} sec, {} times, {:.3g} sec/time", name, total.seconds, total.count,
             total.seconds / static_cast<double>(total.count));
  }
}

IterSpeedCounter::IterSpeedCounter(int64_t log_every, std::string name)
    : log_every_(log_every), name_(std::move(name)) {
  if (log_every_ <= 0)
    throw UsageError(fmt::format("[IterSpeedCounter] expected log_every > 0, got {}", log_every_));
}

void IterSpeedCounter::operator()() {
  if (count_ == 0) reset();
  ++count_;
  if (count_ % log_every_ != 0) return;
  const double seconds = timer_.seconds();
  log_info("{}: {:.2f} sec, {} times, {:.3g} sec/time", name_, seconds, count_,
           seconds / static_cast<double>(count_));
}

std::string humanize_time_delta(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return fmt::format("{:.3g} seconds", seconds);
  if (seconds == 0) return "0 second";
  const double whole = std::floor(seconds);
  if (seconds < 60) return fmt::format("{:.3g} second{}", seconds, seconds > 1 ? "s" : "");
  const std::pair<double, const char*> parts[] = {
      {std::floor(whole / 86400), "day"},
      {std::fmod(std::floor(whole / 3600), 24), "hour"},
      {std::fmod(std::floor(whole / 60), 60), "minute"},
      {std::fmod(whole, 60), "second"},
  };
  std::string text;
  for (const auto& [value, unit] : parts) {
    if (value > 0)
      text += fmt::format("{}{:.0f} {}{}", text.empty() ? "" : " ", value, unit, value > 1 ? "s" : "");
  }
  return text;
}

}  // namespace belfry
