#include "belfry/callbacks/internal/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "belfry/base/error.h"

// The few functions and structs that are used, as nvml.h declares them: its interface is kept stable for
// programs that do not compile against it.

namespace belfry::internal {
namespace {

struct Utilization {
  unsigned gpu, memory;
};
struct MemoryInfo {
  unsigned long long total, free, used;
};

}  // namespace

struct Nvml::Functions {
  void* library = nullptr;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  const char* (*error_string)(int) = nullptr;
  int (*get_count)(unsigned*) = nullptr;
  int (*get_handle)(unsigned, void**) = nullptr;
  int (*get_utilization)(void*, Utilization*) = nullptr;
  int (*get_memory)(void*, MemoryInfo*) = nullptr;

  ~Functions() {
    if (library) ::dlclose(library);
  }

  template <typename Function>
  bool find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    return function != nullptr;
  }
  bool find_all() {
    return find(init, "nvmlInit_v2") && find(shutdown, "nvmlShutdown") &&
           find(error_string, "nvmlErrorString") && find(get_count, "nvmlDeviceGetCount_v2") &&
           find(get_handle, "nvmlDeviceGetHandleByIndex_v2") &&
           find(get_utilization, "nvmlDeviceGetUtilizationRates") &&
           find(get_memory, "nvmlDeviceGetMemoryInfo");
  }
};

std::unique_ptr<Nvml> Nvml::open(std::string* trouble) {
  auto functions = std::make_unique<Functions>();
  functions->library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!functions->library) {
    const char* reason = ::dlerror();
    *trouble = reason ? reason : "the library libnvidia-ml.so.1 does not open";
    return nullptr;
  }
  if (!functions->find_all()) {
    *trouble = "the library libnvidia-ml.so.1 is too old";
    return nullptr;
  }
  if (const int result = functions->init(); result != 0) {
    *trouble = functions->error_string(result);
    return nullptr;
  }
  auto nvml = std::unique_ptr<Nvml>(new Nvml(std::move(functions)));
  unsigned count = 0;
  if (const int result = nvml->functions_->get_count(&count); result != 0) {
    *trouble = nvml->functions_->error_string(result);
    return nullptr;
  }
  nvml->num_devices_ = static_cast<int>(count);
  return nvml;
}

Nvml::Nvml(std::unique_ptr<Functions> functions) : functions_(std::move(functions)) {}
Nvml::~Nvml() {
  functions_->shutdown();
}

void Nvml::check(int result, const char* what) const {
  if (result == 0) return;
  throw ResourceError(
      fmt::format("[NVML] expected the {} of a GPU, got: {}", what, functions_->error_string(result)));
}

void* Nvml::handle_of(int device) const {
  void* handle = nullptr;
  check(functions_->get_handle(static_cast<unsigned>(device), &handle), "handle");
  return handle;
}

double Nvml::utilization(int device) const {
  Utilization utilization{};
  check(functions_->get_utilization(handle_of(device), &utilization), "utilization");
  return utilization.gpu;
}

double Nvml::used_memory(int device) const {
  MemoryInfo memory{};
  check(functions_->get_memory(handle_of(device), &memory), "memory");
  return static_cast<double>(memory.used);
}

}  // namespace belfry::internal
