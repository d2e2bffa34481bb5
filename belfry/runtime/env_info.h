#pragma once

#include <string>
#include <utility>
#include <vector>

namespace belfry {

/// What a report of a fault or of a speed should say of where it came from: names and values, to be shown in
/// their order. System, processor, cores and memory; LibTorch with its parts, threads and kernels; CUDA and
/// its devices, where there are any. Names no user, host or path. What the system does not tell is left out.
std::vector<std::pair<std::string, std::string>> collect_env_info();

}  // namespace belfry
