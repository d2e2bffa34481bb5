#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <future>
#include <vector>

namespace belfry::internal {

/// Gives `done` a result that is ready. What it throws is logged: there is nobody else to tell.
void call_back(const std::function<void(std::future<std::vector<at::Tensor>>)>& done,
               std::future<std::vector<at::Tensor>> result);

}  // namespace belfry::internal
