#include "belfry/callbacks/gpu_trackers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/callbacks/internal/nvml.h"
#include "belfry/loop/trainer.h"

// A thread asks NVIDIA's library (NVML), loaded at run time, once a second. Invariant: the sums are the
// thread's while it runs, and the callback's after it has been joined.

namespace belfry {

/// Looks at GPUs every second from start() to stop(), and once at least.
class internal::GpuSampler {
 public:
  struct Sum {
    double utilization = 0, peak_memory = 0;
    int count = 0;
  };

  GpuSampler(std::unique_ptr<Nvml> nvml, std::vector<int> devices)
      : nvml_(std::move(nvml)), devices_(std::move(devices)) {}

  void start() {
    sums_.assign(devices_.size(), {});
    failure_.clear();
    thread_ = std::jthread([this](const std::stop_token& stop) { sample_until(stop); });
  }
  void stop() {
    thread_ = {};  // asks it to stop, and waits
  }

  const std::vector<int>& devices() const { return devices_; }
  const std::vector<Sum>& sums() const { return sums_; }
  /// What went wrong in the thread; "" where nothing did.
  const std::string& failure() const { return failure_; }

 private:
  void sample_until(const std::stop_token& stop) try {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    do {
      for (size_t i = 0; i < devices_.size(); ++i) {
        sums_[i].utilization += nvml_->utilization(devices_[i]);
        sums_[i].peak_memory = std::max(sums_[i].peak_memory, nvml_->used_memory(devices_[i]));
        ++sums_[i].count;
      }
      stopped.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
    } while (!stop.stop_requested());
  } catch (const std::exception& e) {
    failure_ = e.what();
  }

  std::unique_ptr<Nvml> nvml_;
  std::vector<int> devices_;
  std::vector<Sum> sums_;  ///< the thread's while it runs
  std::string failure_;
  std::jthread thread_;
};

namespace {

/// The numbers in CUDA_VISIBLE_DEVICES; none where it is not set, or names devices otherwise.
std::optional<std::vector<int>> visible_devices() {
  const char* text = std::getenv("CUDA_VISIBLE_DEVICES");
  if (!text) return std::nullopt;
  std::vector<int> devices;
  std::istringstream list{text};
  for (std::string item; std::getline(list, item, ',');) {
    if (item.empty() || item.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    devices.push_back(std::atoi(item.c_str()));
  }
  return devices;
}

std::vector<int> all_devices(int count) {
  std::vector<int> devices;
  for (int i = 0; i < count; ++i) devices.push_back(i);
  return devices;
}

}  // namespace

GPUTracker::GPUTracker(std::optional<std::vector<int>> devices) : devices_(std::move(devices)) {}
GPUTracker::GPUTracker(GPUTracker&&) noexcept = default;
GPUTracker::~GPUTracker() = default;

void GPUTracker::before_train() {
  std::string trouble;
  auto nvml = internal::Nvml::open(&trouble);
  if (!nvml || nvml->num_devices() == 0) {
    log_warning("[{}] there is nothing to look at: {}", name(), nvml ? "no GPU" : trouble);
    return;
  }
  std::vector<int> devices;
  if (devices_) {
    devices = *devices_;
  } else if (const auto visible = visible_devices()) {
    devices = *visible;
  } else {
    devices = all_devices(nvml->num_devices());
  }
  for (int device : devices) {
    if (device >= 0 && device < nvml->num_devices()) continue;
    throw UsageError(fmt::format("[{}] expected GPUs below {}, got {}", name(), nvml->num_devices(), device));
  }
  sampler_ = std::make_unique<internal::GpuSampler>(std::move(nvml), std::move(devices));
}

void GPUTracker::before_epoch() {
  if (sampler_) sampler_->start();
}

void GPUTracker::after_epoch() {
  if (sampler_) sampler_->stop();
}

void GPUTracker::trigger_epoch() {
  if (!sampler_) return;
  if (!sampler_->failure().empty()) {
    log_warning("[{}] stops looking: {}", name(), sampler_->failure());
    sampler_.reset();
    return;
  }
  for (size_t i = 0; i < sampler_->devices().size(); ++i) {
    const auto& sum = sampler_->sums()[i];
    if (sum.count > 0)
      put({.device = sampler_->devices()[i],
           .mean_utilization = sum.utilization / sum.count,
           .peak_memory = sum.peak_memory});
  }
}

void GPUTracker::after_train() {
  sampler_.reset();
}

void GPUUtilizationTracker::put(const Samples& samples) {
  trainer().monitors().put_scalar(fmt::format("GPUUtil/{}", samples.device), samples.mean_utilization);
}

void GPUMemoryTracker::put(const Samples& samples) {
  trainer().monitors().put_scalar(fmt::format("PeakMemory(MB)/gpu:{}", samples.device),
                                  samples.peak_memory / 1e6);
}

}  // namespace belfry
