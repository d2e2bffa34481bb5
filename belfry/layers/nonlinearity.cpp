#include "belfry/layers/nonlinearity.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/variable.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/options.h"
#include "belfry/ops/call.h"
#include "belfry/ops/initializers.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/reduce.h"

namespace belfry {

Tensor detail::build_prelu(const std::string& who, const Tensor& x, const PReLUOptions& options) {
  const Tensor alpha = get_variable(
      "alpha", {}, {.dtype = variable_dtype(who, x), .initializer = constant_initializer(*options.init)});
  // tensorpack's form: its gradient at 0 is the mean of both sides.
  return ((1 + alpha) * x + (1 - alpha) * abs(x)) * 0.5;
}

Tensor detail::build_maxout(const std::string& who, const Tensor& x, const MaxoutOptions& options) {
  const int64_t units = required_option(who, "units", options.units);
  if (x.rank() < 2 || x.dim(-1) == kDynamic || units < 1 || x.dim(-1) % units != 0) {
    throw UsageError(fmt::format("[{}] expected a static number of channels that .units = {} divides, got {}",
                                 who, units, describe(x)));
  }
  return max(call("aten::unflatten.int", {x}, {{"dim", -1}, {"sizes", std::vector<int64_t>{-1, units}}}), -1);
}

Tensor detail::build_bn_relu(const std::string&, const Tensor& x, const BNReLUOptions&) {
  return relu(BatchNorm("bn", x));
}

}  // namespace belfry
