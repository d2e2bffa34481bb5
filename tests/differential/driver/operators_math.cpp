#include "tests/differential/driver/operators.h"

#define UNARY DIFFERENTIAL_UNARY
#define BINARY DIFFERENTIAL_BINARY
#define ROW DIFFERENTIAL_ROW
#define WITH_NUMBER(name) ROW(#name "_number", {belfry::name(x[0], scalar_of(a["y"]))})

namespace belfry::differential {
namespace {

// The limits as numbers of the tensor's own kind where the function takes such.
template <typename T>
Tensor clip(const T& x, const Json& a) {
  if constexpr (requires { clip_by_value(x, c10::Scalar(), c10::Scalar()); })
    return clip_by_value(x, scalar_of(a["min"]), scalar_of(a["max"]));
  else
    return clip_by_value(x, number_of(a["min"]), number_of(a["max"]));
}

Tensors clip_all(const Tensors& x, const Json& a) {
  auto [clipped, norm] = clip_by_global_norm(x, number_of(a["max"]));
  clipped.push_back(norm);
  return clipped;
}

}  // namespace

Operators math_operators() {
  return {
      BINARY(add),
      BINARY(subtract),
      BINARY(multiply),
      BINARY(divide),
      BINARY(floor_div),
      BINARY(floor_mod),
      BINARY(maximum),
      BINARY(minimum),
      BINARY(squared_difference),
      BINARY(pow),
      BINARY(atan2),
      BINARY(equal),
      BINARY(not_equal),
      BINARY(less),
      BINARY(less_equal),
      BINARY(greater),
      BINARY(greater_equal),
      BINARY(logical_and),
      BINARY(logical_or),
      BINARY(logical_xor),

      WITH_NUMBER(floor_div),
      WITH_NUMBER(floor_mod),
      WITH_NUMBER(maximum),
      WITH_NUMBER(minimum),
      WITH_NUMBER(pow),
      WITH_NUMBER(equal),
      WITH_NUMBER(not_equal),
      WITH_NUMBER(less),
      WITH_NUMBER(less_equal),
      WITH_NUMBER(greater),
      WITH_NUMBER(greater_equal),
      ROW("add_number", {x[0] + scalar_of(a["y"])}),
      ROW("subtract_number", {x[0] - scalar_of(a["y"])}),
      ROW("multiply_number", {x[0] * scalar_of(a["y"])}),
      ROW("divide_number", {x[0] / scalar_of(a["y"])}),
      ROW("number_add", {scalar_of(a["y"]) + x[0]}),
      ROW("number_subtract", {scalar_of(a["y"]) - x[0]}),
      ROW("number_multiply", {scalar_of(a["y"]) * x[0]}),
      ROW("number_divide", {scalar_of(a["y"]) / x[0]}),
      ROW("number_pow", {belfry::pow(scalar_of(a["y"]), x[0])}),

      UNARY(abs),
      UNARY(neg),
      UNARY(sign),
      UNARY(exp),
      UNARY(expm1),
      UNARY(log),
      UNARY(log1p),
      UNARY(sqrt),
      UNARY(rsqrt),
      UNARY(square),
      UNARY(reciprocal),
      UNARY(sin),
      UNARY(cos),
      UNARY(tan),
      UNARY(asin),
      UNARY(acos),
      UNARY(atan),
      UNARY(sinh),
      UNARY(cosh),
      UNARY(erf),
      UNARY(floor),
      UNARY(ceil),
      UNARY(round),
      UNARY(is_nan),
      UNARY(is_inf),
      UNARY(is_finite),
      UNARY(logical_not),
      UNARY(stop_gradient),
      UNARY(identity),

      ROW("add_n", {add_n(x)}),
      ROW("clip_by_value", {clip(x[0], a)}),
      ROW("clip_by_norm", {clip_by_norm(x[0], number_of(a["max"]))}),
      ROW("global_norm", {global_norm(x)}),
      ROW("clip_by_global_norm", clip_all(x, a)),
      ROW("matmul", {matmul(x[0], x[1], MatmulAttributes{a["ta"].get<bool>(), a["tb"].get<bool>()})}),
      ROW("einsum", {einsum(a["equation"], x)}),
      ROW("tensordot", {tensordot(x[0], x[1], a["axes"].get<int64_t>())}),
      ROW("tensordot_lists", {tensordot(x[0], x[1], integers_of(a["axes"][0]), integers_of(a["axes"][1]))}),
      ROW("cumsum", {cumsum(x[0], axis_of(a))}),
      ROW("cumprod", {cumprod(x[0], axis_of(a))}),
      ROW("cast", {cast(x[0], dtype_of(a["dtype"]))}),
  };
}

}  // namespace belfry::differential
