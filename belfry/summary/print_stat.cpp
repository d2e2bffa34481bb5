#include "belfry/summary/print_stat.h"

#include <vector>

#include "belfry/graph/scope.h"
#include "belfry/ops/array.h"
#include "belfry/ops/math.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

Tensor as_float(const Tensor& x) {
  return c10::isFloatingType(x.dtype()) ? x : cast(x, kFloat32);
}

}  // namespace

Tensor rms(const Tensor& x, const std::string& name) {
  const Tensor mean_square = mean(square(as_float(x)));
  if (!name.empty()) return sqrt(mean_square, name);
  const NameScope root("");  // the tensor's name has its scope
  return sqrt(mean_square, x.op_name() + "/rms");
}

Tensor print_stat(const Tensor& x, const std::string& message) {
  std::vector<Tensor> data = {shape(x), mean(as_float(x))};
  if (c10::isFloatingType(x.dtype())) data.push_back(rms(x));
  return print(x, data, {.message = message.empty() ? x.op_name() : message, .summarize = 20}, "print_stat");
}

}  // namespace belfry
