#include "belfry/ops/internal/many_values.h"

#include <ATen/WrapDimUtils.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>
#include <torch/library.h>

#include <optional>

namespace belfry {
namespace {

using at::Tensor;
using OptionalDType = std::optional<at::ScalarType>;

/// The dtype to compute in over `count` values.
OptionalDType wide_enough(const Tensor& x, int64_t count, OptionalDType dtype) {
  const bool narrow = at::isFloatingType(x.scalar_type()) && x.scalar_type() != at::kDouble;
  return !dtype && narrow && count > internal::kManyValues ? OptionalDType(at::kDouble) : dtype;
}

Tensor restored(const Tensor& y, const Tensor& x, OptionalDType dtype) {
  return !dtype && y.scalar_type() != x.scalar_type() && x.is_floating_point() ? y.to(x.scalar_type()) : y;
}

int64_t size_along(const Tensor& x, int64_t dim) {
  return x.dim() == 0 ? 1 : x.size(dim);
}

Tensor softmax(const Tensor& x, int64_t dim, OptionalDType dtype) {
  return restored(at::softmax(x, dim, wide_enough(x, size_along(x, dim), dtype)), x, dtype);
}
Tensor log_softmax(const Tensor& x, int64_t dim, OptionalDType dtype) {
  return restored(at::log_softmax(x, dim, wide_enough(x, size_along(x, dim), dtype)), x, dtype);
}

/// ATen adds up float32 in float64, but bfloat16 in float32.
Tensor cumsum(const Tensor& x, int64_t dim, OptionalDType dtype) {
  const bool narrow = !dtype && at::isReducedFloatingType(x.scalar_type());
  return restored(at::cumsum(x, dim, narrow ? OptionalDType(at::kFloat) : dtype), x, dtype);
}

Tensor linalg_vector_norm(const Tensor& x, const at::Scalar& order, at::OptionalIntArrayRef axes,
                          bool keep_dims, OptionalDType dtype) {
  const bool all = !axes || axes->empty();
  if (all && !keep_dims && !dtype && order.equal(2)) return internal::norm_of_all(x);
  int64_t count = 1;
  if (all) {
    count = x.numel();
  } else {
    for (int64_t axis : *axes) count *= size_along(x, axis);
  }
  return restored(at::linalg_vector_norm(x, order, axes, keep_dims, wide_enough(x, count, dtype)), x, dtype);
}

}  // namespace

at::Tensor internal::norm_of_all(const Tensor& x) {
  constexpr int64_t kPart = 4096;
  if (x.numel() <= kPart) return at::linalg_vector_norm(x);
  const Tensor flat = x.reshape(-1);
  const int64_t even = x.numel() / kPart * kPart;
  const Tensor parts = at::linalg_vector_norm(flat.narrow(0, 0, even).reshape({-1, kPart}), 2, {1});
  const Tensor rest = at::linalg_vector_norm(flat.narrow(0, even, x.numel() - even));
  const Tensor norms = at::cat({parts, rest.reshape(1)});
  return norms.numel() > kPart ? norm_of_all(norms) : at::linalg_vector_norm(norms);
}

at::Tensor internal::softmax(const Tensor& x, int64_t dim) {
  return belfry::softmax(x, dim, std::nullopt);
}
at::Tensor internal::log_softmax(const Tensor& x, int64_t dim) {
  return belfry::log_softmax(x, dim, std::nullopt);
}

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", cumsum);
  m.def("softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", softmax);
  m.def("log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", log_softmax);
  m.def(
      "linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, "
      "ScalarType? dtype=None) -> Tensor",
      linalg_vector_norm);
}

}  // namespace belfry
