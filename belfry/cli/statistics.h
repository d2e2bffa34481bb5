#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace belfry::cli {

/// What the elements of a tensor are like. NaNs and infinities are counted and otherwise left out.
struct Statistics {
  /// In float64, std of the population. None when there is no finite element, and of complex numbers.
  struct Moments {
    double min, max, mean, std;
  };
  std::optional<Moments> moments;
  int64_t nan = 0;
  int64_t inf = 0;
};

Statistics statistics_of(const at::Tensor& tensor);

}  // namespace belfry::cli
