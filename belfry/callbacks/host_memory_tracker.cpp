#include "belfry/callbacks/host_memory_tracker.h"

#include <fstream>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

/// What the kernel reckons programs could still take without swapping.
double available_gb() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (double value = 0; file >> key >> value;) {
    std::getline(file, unit);
    if (key == "MemAvailable:") return value / (1024 * 1024);  // from kB
  }
  throw ResourceError("[HostMemoryTracker] expected MemAvailable in /proc/meminfo, got none");
}

}  // namespace

void HostMemoryTracker::setup_graph() {
  log_info("[HostMemoryTracker] Free RAM in setup_graph() is {:.2f} GB.", available_gb());
}

void HostMemoryTracker::before_train() {
  log_info("[HostMemoryTracker] Free RAM in before_train() is {:.2f} GB.", available_gb());
}

void HostMemoryTracker::trigger() {
  trainer().monitors().put_scalar("HostFreeMemory (GB)", available_gb());
}

}  // namespace belfry
