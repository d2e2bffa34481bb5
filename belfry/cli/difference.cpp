#include "belfry/cli/difference.h"

#include <ATen/ops/ne.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace belfry::cli {
namespace {

/// `unequal`: which elements are not the same to start with, before rounding to Number (as int64 may).
template <typename Number>
Difference compare(const at::Tensor& a, const at::Tensor& b, const at::Tensor& unequal,
                   Tolerances tolerances) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool exact = tolerances.relative == 0 && tolerances.absolute == 0;
  const Number *x = a.const_data_ptr<Number>(), *y = b.const_data_ptr<Number>();
  const bool* is_unequal = unequal.const_data_ptr<bool>();
  Difference result;
  for (int64_t i = 0; i < a.numel(); ++i) {
    if (!is_unequal[i] || (x[i] != x[i] && y[i] != y[i])) continue;
    const double larger = std::max(std::abs(x[i]), std::abs(y[i]));
    double distance = std::abs(x[i] - y[i]);
    if (!std::isfinite(distance)) distance = kInfinity;
    const bool within = distance <= tolerances.absolute + tolerances.relative * larger;
    if (within && !exact && distance < kInfinity) continue;
    ++result.differing;
    result.max_absolute = std::max(result.max_absolute, distance);
    result.max_relative = std::max(result.max_relative, distance < kInfinity ? distance / larger : kInfinity);
  }
  return result;
}

}  // namespace

Difference difference_of(const at::Tensor& a, const at::Tensor& b, Tolerances tolerances) {
  if (a.numel() == 0 || std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0) return {};
  const at::Tensor unequal = a.ne(b);
  if (a.is_complex()) {
    return compare<c10::complex<double>>(a.to(at::kComplexDouble), b.to(at::kComplexDouble), unequal,
                                         tolerances);
  }
  return compare<double>(a.to(at::kDouble), b.to(at::kDouble), unequal, tolerances);
}

}  // namespace belfry::cli
