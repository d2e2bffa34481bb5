#include "belfry/cli/statistics.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/view_as_real.h>

namespace belfry::cli {

Statistics statistics_of(const at::Tensor& tensor) {
  if (tensor.is_complex()) {
    const at::Tensor is_nan = tensor.isnan(), is_finite = tensor.isfinite();
    const int64_t nan = is_nan.sum().item<int64_t>();
    return {.nan = nan, .inf = tensor.numel() - nan - is_finite.sum().item<int64_t>()};
  }
  at::Tensor values = tensor.to(at::kDouble).flatten();
  Statistics result;
  const at::Tensor is_finite = values.isfinite();
  if (!is_finite.all().item<bool>()) {
    result.nan = values.isnan().sum().item<int64_t>();
    values = values.masked_select(is_finite);
    result.inf = tensor.numel() - result.nan - values.numel();
  }
  if (values.numel() > 0) {
    result.moments = {values.min().item<double>(), values.max().item<double>(), values.mean().item<double>(),
                      values.std(/*unbiased=*/false).item<double>()};
  }
  return result;
}

}  // namespace belfry::cli
