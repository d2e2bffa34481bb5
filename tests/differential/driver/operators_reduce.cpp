#include "tests/differential/driver/operators.h"

#define ROW DIFFERENTIAL_ROW
#define REDUCTION(name) ROW("reduce_" #name, {belfry::name(x[0], axes_of(a), keep(a))})

namespace belfry::differential {
namespace {

ReduceAttributes keep(const Json& a) {
  return {.keep_dims = a["keep"].get<bool>()};
}

Tensors both(const std::pair<Tensor, Tensor>& results) {
  return {results.first, results.second};
}

}  // namespace

Operators reduce_operators() {
  return {
      REDUCTION(sum),
      REDUCTION(mean),
      REDUCTION(max),
      REDUCTION(min),
      REDUCTION(prod),
      REDUCTION(any),
      REDUCTION(all),
      REDUCTION(logsumexp),
      REDUCTION(variance),
      REDUCTION(stddev),
      REDUCTION(norm),
      ROW("moments", both(moments(x[0], axes_of(a), keep(a)))),
      ROW("argmax", {argmax(x[0], axis_of(a))}),
      ROW("argmin", {argmin(x[0], axis_of(a))}),
  };
}

}  // namespace belfry::differential
