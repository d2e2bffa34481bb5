#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "belfry/loop/callback.h"

namespace belfry {

namespace internal {
class GpuSampler;
}

/// Base of the callbacks that look at GPUs in a thread of their own while epochs run, through NVIDIA's
/// management library, which is looked for when training begins. Where it, or a GPU, is missing, the log says
/// so, and nothing else happens.
class GPUTracker : public Callback {
 public:
  ~GPUTracker() override;
  bool chief_only() const override { return false; }
  /// Throws UsageError for a device that the machine has not.
  void before_train() override;
  void before_epoch() override;
  void after_epoch() override;
  void trigger_epoch() override;
  void after_train() override;

 protected:
  explicit GPUTracker(std::optional<std::vector<int>> devices);
  GPUTracker(GPUTracker&&) noexcept;

  /// What the epoch's samples of a device come to, as a tag and a value.
  struct Samples {
    int device;
    double mean_utilization;  ///< percent
    double peak_memory;       ///< bytes
  };
  virtual void put(const Samples& samples) = 0;

 private:
  std::optional<std::vector<int>> devices_;
  std::unique_ptr<internal::GpuSampler> sampler_;
};

/// Puts to the monitors what part of each epoch's time GPUs have worked, in percent: "GPUUtil/0". Looks once
/// a second.
class GPUUtilizationTracker : public GPUTracker {
 public:
  /// `devices`: as the machine counts them. Default: those of CUDA_VISIBLE_DEVICES, or all.
  explicit GPUUtilizationTracker(std::optional<std::vector<int>> devices = {})
      : GPUTracker(std::move(devices)) {}
  std::string name() const override { return "GPUUtilizationTracker"; }

 protected:
  void put(const Samples& samples) override;
};

/// Puts to the monitors the most memory of GPUs that was in use in an epoch, by all programs together, in
/// units of 10^6 bytes: "PeakMemory(MB)/gpu:0". Looks once a second.
class GPUMemoryTracker : public GPUTracker {
 public:
  explicit GPUMemoryTracker(std::vector<int> devices = {0}) : GPUTracker(std::move(devices)) {}
  std::string name() const override { return "GPUMemoryTracker"; }

 protected:
  void put(const Samples& samples) override;
};

}  // namespace belfry
