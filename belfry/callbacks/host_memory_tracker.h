#pragma once

#include <string>

#include "belfry/loop/callback.h"

namespace belfry {

/// Puts how much memory of the host is available when it is triggered to the monitors, "HostFreeMemory (GB)",
/// in units of 1024^3 bytes, and logs it before training.
class HostMemoryTracker : public Callback {
 public:
  std::string name() const override { return "HostMemoryTracker"; }
  bool chief_only() const override { return false; }
  /// Throws ResourceError where the system does not tell.
  void setup_graph() override;
  void before_train() override;
  void trigger() override;
};

}  // namespace belfry
