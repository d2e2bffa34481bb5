#include "tests/support/close.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isnan.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace belfry::test {
namespace {

std::vector<int64_t> unflatten(int64_t flat, at::IntArrayRef sizes) {
  std::vector<int64_t> index(sizes.size());
  for (size_t d = sizes.size(); d-- > 0; flat /= sizes[d]) index[d] = flat % sizes[d];
  return index;
}

}  // namespace

testing::AssertionResult close(const at::Tensor& actual, const at::Tensor& expected, Tolerance tolerance) {
  if (actual.sizes() != expected.sizes()) {
    return testing::AssertionFailure()
           << fmt::format("expected the shape [{}], got [{}]", fmt::join(expected.sizes(), ", "),
                          fmt::join(actual.sizes(), ", "));
  }
  if (actual.numel() == 0) return testing::AssertionSuccess();
  const at::Tensor a = actual.to(at::kDouble).reshape({-1}), e = expected.to(at::kDouble).reshape({-1});
  const at::Tensor error = (a - e).abs();
  const at::Tensor excess = error - (e.abs() * tolerance.relative + tolerance.absolute);
  const at::Tensor is_out = (excess > 0).logical_or(at::isnan(error));
  const int64_t count = is_out.sum().item<int64_t>();
  if (count == 0) return testing::AssertionSuccess();
  const int64_t worst = excess.nan_to_num(1e300).argmax().item<int64_t>();
  return testing::AssertionFailure() << fmt::format(
             "{} of {} elements are off; worst at [{}]: expected {:.9g}, got {:.9g}, error {:.3g}; largest "
             "error {:.3g}; tolerance {:.3g} relative + {:.3g}",
             count, a.numel(), fmt::join(unflatten(worst, expected.sizes()), ", "), e[worst].item<double>(),
             a[worst].item<double>(), error[worst].item<double>(), error.max().item<double>(),
             tolerance.relative, tolerance.absolute);
}

}  // namespace belfry::test
