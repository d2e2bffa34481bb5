#include "belfry/layers/nonlinearity.h"

#include "belfry/graph/variable.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/options.h"
#include "belfry/ops/initializers.h"
#include "belfry/ops/nn.h"

namespace belfry {

Tensor internal::build_prelu(const std::string& who, const Tensor& x, const PReLUOptions& options) {
  const Tensor alpha = get_variable(
      "alpha", {},
      {.dtype = variable_dtype(who, x), .initializer = constant_initializer(options.init.value_or(0.001))});
  return prelu(x, alpha);
}

Tensor internal::build_bn_relu(const std::string&, const Tensor& x, const BNReLUOptions&) {
  return relu(BatchNorm("bn", x));
}

}  // namespace belfry
