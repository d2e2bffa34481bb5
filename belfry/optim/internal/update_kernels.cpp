#include "belfry/optim/internal/update_kernels.h"

#include <ATen/ops/empty_like.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "belfry/base/error.h"

namespace belfry::internal {
namespace {

/// Whether element i of the memory of one is element i of the other. Strides of dimensions of size 1 say
/// nothing.
bool same_layout(const at::Tensor& a, const at::Tensor& b) {
  for (int64_t d = 0; d < a.dim(); ++d) {
    if (a.size(d) != 1 && a.stride(d) != b.stride(d)) return false;
  }
  return true;
}

}  // namespace

void check_like_variables(at::TensorList variables, at::TensorList others, const char* what) {
  if (others.size() != variables.size()) {
    throw UsageError(fmt::format("expected {} {}, got {}", variables.size(), what, others.size()));
  }
  for (size_t i = 0; i < others.size(); ++i) {
    if (others[i].sizes() != variables[i].sizes()) {
      throw UsageError(fmt::format("expected {} of the shape [{}], got [{}]", what,
                                   fmt::join(variables[i].sizes(), ", "),
                                   fmt::join(others[i].sizes(), ", ")));
    }
  }
}

void check_multipliers(at::TensorList variables, at::ArrayRef<double> multipliers) {
  if (!multipliers.empty() && multipliers.size() != variables.size()) {
    throw UsageError(fmt::format("expected {} multipliers, got {}", variables.size(), multipliers.size()));
  }
}

std::vector<at::Tensor> in_layout_of(at::TensorList variables, at::TensorList gradients) {
  std::vector<at::Tensor> result(gradients.begin(), gradients.end());
  for (size_t i = 0; i < result.size(); ++i) {
    if (!same_layout(result[i], variables[i])) result[i] = at::empty_like(variables[i]).copy_(result[i]);
  }
  return result;
}

}  // namespace belfry::internal
