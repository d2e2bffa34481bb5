#include "belfry/layers/fully_connected.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/layers/internal/activity.h"
#include "belfry/layers/internal/weights.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"

namespace belfry {

Tensor detail::build_fully_connected(const std::string& who, const Tensor& x,
                                     const FullyConnectedOptions& options) {
  const int64_t units = required_option(who, "units", options.units);
  if (x.rank() < 1) {
    throw UsageError(fmt::format("[{}] expected an input of 1 dimension or more, got {}", who, describe(x)));
  }
  const Tensor flat = x.rank() == 2 ? x : batch_flatten(x);
  if (flat.dim(1) == kDynamic) {
    throw UsageError(fmt::format("[{}] expected static sizes after the first, got {}", who, describe(x)));
  }
  const auto [kernel, bias] =
      internal::get_weights(variable_dtype(who, x), {flat.dim(1), units}, units, options);
  const Tensor y = bias ? call("aten::addmm", {bias, flat, kernel}) : matmul(flat, kernel);
  return internal::activate(y, *options.activation, *options.activity_regularizer);
}

}  // namespace belfry
