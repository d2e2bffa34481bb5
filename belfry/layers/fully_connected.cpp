#include "belfry/layers/fully_connected.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/layers/internal/activity.h"
#include "belfry/layers/internal/defaults.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"

namespace belfry {

FullyConnectedOptions::Resolved FullyConnectedOptions::resolve(const std::string& who) const {
  return {
      .units = required(who, "units", units),
      .activation = activation.value_or(nullptr),
      .use_bias = use_bias.value_or(true),
      .kernel_initializer = kernel_initializer.value_or(internal::default_kernel_initializer()),
      .bias_initializer = bias_initializer.value_or(zeros_initializer()),
      .kernel_regularizer = kernel_regularizer.value_or(nullptr),
      .bias_regularizer = bias_regularizer.value_or(nullptr),
      .activity_regularizer = activity_regularizer.value_or(nullptr),
  };
}

Tensor internal::build_fully_connected(const std::string& who, const Tensor& x,
                                       const FullyConnectedOptions& given) {
  const auto options = given.resolve(who);
  if (x.rank() < 1) {
    throw UsageError(fmt::format("[{}] expected an input of 1 dimension or more, got {}", who, describe(x)));
  }
  const Tensor flat = x.rank() == 2 ? x : batch_flatten(x);
  if (flat.dim(1) == kDynamic) {
    throw UsageError(fmt::format("[{}] expected static sizes after the first, got {}", who, describe(x)));
  }
  const DType dtype = variable_dtype(who, x);
  const Tensor weights = get_variable(
      "W", {flat.dim(1), options.units},
      {.dtype = dtype, .initializer = options.kernel_initializer, .regularizer = options.kernel_regularizer});
  Tensor bias;
  if (options.use_bias) {
    bias = get_variable(
        "b", {options.units},
        {.dtype = dtype, .initializer = options.bias_initializer, .regularizer = options.bias_regularizer});
  }
  const Tensor y = bias ? call("aten::addmm", {bias, flat, weights}) : matmul(flat, weights);
  return internal::activate(y, options.activation, options.activity_regularizer);
}

}  // namespace belfry
