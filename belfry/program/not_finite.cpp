#include "belfry/program/not_finite.h"

#include <algorithm>
#include <cmath>

namespace belfry::internal {
namespace {

template <typename T>
NotFinite find(const T* x, const TensorView& tensor, int64_t axis) {
  if (axis == tensor.dim())
    return std::isnan(*x) ? NotFinite::kNaN : std::isinf(*x) ? NotFinite::kInfinity : NotFinite::kNone;
  NotFinite worst = NotFinite::kNone;
  for (int64_t i = 0; i < tensor.size(axis) && worst != NotFinite::kNaN; ++i)
    worst = std::max(worst, find(x + i * tensor.stride(axis), tensor, axis + 1));
  return worst;
}

}  // namespace

NotFinite find_not_finite(const TensorView& tensor) {
  if (tensor.numel() == 0) return NotFinite::kNone;
  if (tensor.type() == ElementType::kFloat32) return find(tensor.data_as<const float>(), tensor, 0);
  if (tensor.type() == ElementType::kFloat64) return find(tensor.data_as<const double>(), tensor, 0);
  return NotFinite::kNone;
}

}  // namespace belfry::internal
