#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace belfry::internal {

/// NVIDIA's management library, opened while the program runs: nothing of it is needed to build or to start.
class Nvml {
 public:
  /// Null where it is not there, or does not work; `trouble` says why.
  static std::unique_ptr<Nvml> open(std::string* trouble);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  int num_devices() const { return num_devices_; }
  /// The share of the last moments in which the device worked, in percent. These throw ResourceError where
  /// the library refuses.
  double utilization(int device) const;
  /// Memory of the device in use, by whomever, in bytes.
  double used_memory(int device) const;

 private:
  struct Functions;
  explicit Nvml(std::unique_ptr<Functions> functions);
  void* handle_of(int device) const;
  void check(int result, const char* what) const;

  std::unique_ptr<Functions> functions_;
  int num_devices_ = 0;
};

}  // namespace belfry::internal
