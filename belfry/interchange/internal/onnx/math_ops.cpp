#include <limits>
#include <numbers>

#include "belfry/interchange/internal/elementwise.h"
#include "belfry/interchange/internal/onnx/ops.h"

// Element by element. ONNX's operators want inputs of one dtype where ATen's promote.

namespace belfry::internal {
namespace {

void add_unary(OnnxOps& ops) {
  for (const ElementwiseFunction& row : elementwise_functions()) {
    if (!row.onnx) continue;
    ops[std::string(row.op)] = [onnx = row.onnx](OnnxCall& call) -> OnnxNames {
      return {call.out.elementwise(onnx, {call.value("self", call.result().dtype)})};
    };
  }
}

/// ATen's sign of NaN is 0.
OnnxNames sign(OnnxCall& call) {
  const DType dtype = call.result().dtype;
  const OnnxName x = call.value("self", dtype), sign = call.out.elementwise("Sign", {x});
  if (!c10::isFloatingType(dtype)) return {sign};
  return {
      call.out.elementwise("Where", {call.out.elementwise("IsNaN", {x}), call.out.constant(0, dtype), sign})};
}

/// Of integers ONNX has no such operator; each is whole already.
void add_rounding(OnnxOps& ops, const std::string& aten, const std::string& onnx) {
  ops[aten] = [onnx](OnnxCall& call) -> OnnxNames {
    const OnnxName x = call.value("self", call.result().dtype);
    return {c10::isFloatingType(call.result().dtype) ? call.out.elementwise(onnx, {x}) : x};
  };
}

/// `onnx` of two tensors, or of a tensor and the number in argument "other", in the dtype of the result.
void add_binary(OnnxOps& ops, const std::string& aten, const std::string& onnx) {
  ops[aten] = [onnx](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {call.out.elementwise(onnx, {call.value("self", dtype), call.value("other", dtype)})};
  };
}
void add_binary_scalar(OnnxOps& ops, const std::string& aten, const std::string& onnx) {
  ops[aten] = [onnx](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {call.out.elementwise(
        onnx, {call.value("self", dtype), call.out.constant(call.scalar("other"), dtype)})};
  };
}

/// self + alpha * other, the operands as given
OnnxName add_scaled(OnnxCall& call, const std::string& onnx, const OnnxName& x, const OnnxName& y) {
  const DType dtype = call.result().dtype;
  OnnxName scaled = y;
  if (call.number("alpha") != 1)
    scaled = call.out.elementwise("Mul", {y, call.out.constant(call.scalar("alpha"), dtype)});
  return call.out.elementwise(onnx, {x, scaled});
}

void add_sums(OnnxOps& ops) {
  for (const auto& [name, onnx] : {std::pair("aten::add", "Add"), std::pair("aten::sub", "Sub")}) {
    ops[std::string(name) + ".Tensor"] = [onnx = std::string(onnx)](OnnxCall& call) -> OnnxNames {
      const DType dtype = call.result().dtype;
      return {add_scaled(call, onnx, call.value("self", dtype), call.value("other", dtype))};
    };
    ops[std::string(name) + ".Scalar"] = [onnx = std::string(onnx)](OnnxCall& call) -> OnnxNames {
      const DType dtype = call.result().dtype;
      return {
          add_scaled(call, onnx, call.value("self", dtype), call.out.constant(call.scalar("other"), dtype))};
    };
  }
  ops["aten::rsub.Scalar"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {
        add_scaled(call, "Sub", call.out.constant(call.scalar("other"), dtype), call.value("self", dtype))};
  };
  ops["belfry::add_n"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    OnnxName sum;
    for (const Tensor& tensor : call.tensors("tensors")) {
      const OnnxName term = call.value(tensor, dtype);
      sum = sum.empty() ? term : call.out.elementwise("Add", {sum, term});
    }
    return {sum};
  };
}

void add_comparison(OnnxOps& ops, const std::string& aten, const std::string& onnx, bool negate = false) {
  const OnnxEmit emit = [onnx, negate](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.compared_dtype();
    const bool number = !call.tensor("other").defined();
    const OnnxName other =
        number ? call.out.constant(call.scalar("other"), dtype) : call.value("other", dtype);
    const OnnxName result = call.out.elementwise(onnx, {call.value("self", dtype), other});
    return {negate ? call.out.elementwise("Not", {result}) : result};
  };
  ops[aten + ".Tensor"] = emit;
  ops[aten + ".Scalar"] = emit;
}

void add_logic(OnnxOps& ops) {
  for (const auto& [name, onnx] : {std::pair("and", "And"), std::pair("or", "Or"), std::pair("xor", "Xor")}) {
    ops[std::string("aten::logical_") + name] = [onnx = std::string(onnx)](OnnxCall& call) -> OnnxNames {
      return {call.out.elementwise(onnx, {call.value("self", kBool), call.value("other", kBool)})};
    };
  }
  ops["aten::logical_not"] = [](OnnxCall& call) -> OnnxNames {
    return {call.out.elementwise("Not", {call.value("self", kBool)})};
  };
  for (const auto& [aten, onnx] : {std::pair("aten::isnan", "IsNaN"), std::pair("aten::isinf", "IsInf")}) {
    ops[aten] = [onnx = std::string(onnx)](OnnxCall& call) -> OnnxNames {
      const OnnxName x = call.value("self");
      if (!c10::isFloatingType(call.dtype("self")))
        return {call.out.elementwise("Xor", {call.value("self", kBool), call.value("self", kBool)})};
      return {call.out.elementwise(onnx, {x})};
    };
  }
  ops["aten::isfinite"] = [](OnnxCall& call) -> OnnxNames {
    // x - x is 0 for finite numbers, else NaN.
    const OnnxName x = call.value("self");
    if (!c10::isFloatingType(call.dtype("self"))) return {call.out.elementwise("Equal", {x, x})};
    const OnnxName zero = call.out.elementwise("Sub", {x, x});
    return {call.out.elementwise("Not", {call.out.elementwise("IsNaN", {zero})})};
  };
  ops["aten::where.ScalarOther"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {call.out.elementwise("Where", {call.value("condition", kBool), call.value("self", dtype),
                                           call.out.constant(call.scalar("other"), dtype)})};
  };
  ops["aten::where.ScalarSelf"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {call.out.elementwise(
        "Where", {call.value("condition", kBool), call.out.constant(call.scalar("self"), dtype),
                  call.value("other", dtype)})};
  };
  ops["aten::where.self"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {call.out.elementwise(
        "Where", {call.value("condition", kBool), call.value("self", dtype), call.value("other", dtype)})};
  };
}

bool is_float(DType dtype) {
  return c10::isFloatingType(dtype);
}

/// True where there is a remainder of `x` by `y` and its sign is not that of `y`.
OnnxName is_of_other_sign(OnnxCall& call, const OnnxName& remainder, const OnnxName& y) {
  OnnxBuilder& out = call.out;
  const OnnxName zero = out.constant(0, call.result().dtype);
  const auto negative = [&](const OnnxName& value) { return out.elementwise("Less", {value, zero}); };
  const OnnxName none = out.elementwise("Equal", {remainder, zero});
  return out.elementwise(
      "And", {out.elementwise("Not", {none}), out.elementwise("Xor", {negative(remainder), negative(y)})});
}

/// The sign is that of the divisor. ONNX's Mod of floats has that of the dividend, but is exact, where
/// x - floor(x / y) * y is not: of 1.0 and 0.1 it is 0.1, and their quotient is 10.
OnnxName remainder(OnnxCall& call, const OnnxName& x, const OnnxName& y) {
  OnnxBuilder& out = call.out;
  if (!is_float(call.result().dtype)) return out.elementwise("Mod", {x, y});
  const OnnxName rest = out.elementwise("Mod", {x, y}, {{"fmod", int64_t{1}}});
  return out.elementwise("Where", {is_of_other_sign(call, rest, y), out.elementwise("Add", {rest, y}), rest});
}

/// ONNX divides integers towards zero, which is one too many where something remains below it.
OnnxName floor_divide(OnnxCall& call, const OnnxName& x, const OnnxName& y) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const OnnxName quotient = out.elementwise("Div", {x, y});
  if (is_float(dtype)) return out.elementwise("Floor", {quotient});
  const OnnxName rest = out.elementwise("Sub", {x, out.elementwise("Mul", {quotient, y})});
  return out.elementwise("Sub", {quotient, out.cast(is_of_other_sign(call, rest, y), kBool, dtype)});
}

/// ONNX rounds the quotients of integers towards zero, as "trunc"; for floats the sign is put back.
OnnxNames divide_in_mode(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const OnnxName x = call.value("self", dtype), y = call.value("other", dtype);
  const std::string mode = call.has("rounding_mode") ? call.text("rounding_mode") : "";
  if (mode == "floor") return {floor_divide(call, x, y)};
  const OnnxName quotient = out.elementwise("Div", {x, y});
  if (mode.empty() || !is_float(dtype)) return {quotient};
  const OnnxName whole = out.elementwise("Floor", {out.elementwise("Abs", {quotient})});
  return {out.elementwise("Mul", {out.elementwise("Sign", {quotient}), whole})};
}

void add_divisions(OnnxOps& ops) {
  ops["aten::fmod.Tensor"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {call.out.elementwise("Mod", {call.value("self", dtype), call.value("other", dtype)},
                                 {{"fmod", int64_t{1}}})};
  };
  ops["aten::div.Tensor_mode"] = divide_in_mode;
  ops["aten::remainder.Tensor"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {remainder(call, call.value("self", dtype), call.value("other", dtype))};
  };
  ops["aten::remainder.Scalar"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {remainder(call, call.value("self", dtype), call.out.constant(call.scalar("other"), dtype))};
  };
  ops["aten::floor_divide.Scalar"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {floor_divide(call, call.value("self", dtype), call.out.constant(call.scalar("other"), dtype))};
  };
  ops["aten::floor_divide"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {floor_divide(call, call.value("self", dtype), call.value("other", dtype))};
  };
}

/// log(u) * x / (u - 1) for u = 1 + x as rounded: the error of u cancels, where log(u) alone has no digits
/// of a small x.
OnnxNames log1p(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const auto number = [&](double value) { return out.constant(value, dtype); };
  const OnnxName x = call.value("self", dtype), u = out.elementwise("Add", {x, number(1)});
  const OnnxName log = out.elementwise("Log", {u});
  const OnnxName ratio = out.elementwise("Div", {x, out.elementwise("Sub", {u, number(1)})});
  const OnnxName infinite = out.elementwise("Equal", {u, number(std::numeric_limits<double>::infinity())});
  const OnnxName exact = out.elementwise("Where", {infinite, log, out.elementwise("Mul", {log, ratio})});
  return {out.elementwise("Where", {out.elementwise("Equal", {u, number(1)}), x, exact})};
}

/// tanh(x / 2) * (exp(x) + 1), which has all digits of a small x.
OnnxNames expm1(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const OnnxName x = call.value("self", dtype);
  const OnnxName half = out.elementwise("Mul", {x, out.constant(0.5, dtype)});
  const OnnxName sum = out.elementwise("Add", {out.elementwise("Exp", {x}), out.constant(1, dtype)});
  return {out.elementwise("Mul", {out.elementwise("Tanh", {half}), sum})};
}

void add_powers(OnnxOps& ops) {
  ops["aten::pow.Scalar"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {call.out.elementwise(
        "Pow", {call.out.constant(call.scalar("self"), dtype), call.value("exponent", dtype)})};
  };
  ops["aten::pow.Tensor_Tensor"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {call.out.elementwise("Pow", {call.value("self", dtype), call.value("exponent", dtype)})};
  };
  ops["aten::pow.Tensor_Scalar"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {call.out.elementwise(
        "Pow", {call.value("self", dtype), call.out.constant(call.scalar("exponent"), dtype)})};
  };
  ops["aten::square"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName x = call.value("self");
    return {call.out.elementwise("Mul", {x, x})};
  };
  ops["belfry::squared_difference"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    const OnnxName d = call.out.elementwise("Sub", {call.value("x", dtype), call.value("y", dtype)});
    return {call.out.elementwise("Mul", {d, d})};
  };
  ops["aten::rsqrt"] = [](OnnxCall& call) -> OnnxNames {
    const OnnxName root = call.out.elementwise("Sqrt", {call.value("self", call.result().dtype)});
    return {call.out.elementwise("Reciprocal", {root})};
  };
  ops["aten::log1p"] = log1p;
  ops["aten::log10"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    return {call.out.elementwise("Mul", {call.out.elementwise("Log", {call.value("self", dtype)}),
                                         call.out.constant(std::numbers::log10e, dtype)})};
  };
  ops["aten::expm1"] = expm1;
}

/// atan(y / x), moved by half a turn where x is negative; y alone says the sign of the quarter where x is 0.
/// The signs of zeros count, and of two infinities.
OnnxNames atan2(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  const auto number = [&](double value) { return out.constant(value, dtype); };
  const OnnxName zero = number(0), one = number(1);
  const auto is_zero = [&](const OnnxName& value) { return out.elementwise("Equal", {value, zero}); };
  const auto is_infinite = [&](const OnnxName& value) {
    return out.elementwise(
        "Equal", {out.elementwise("Abs", {value}), number(std::numeric_limits<double>::infinity())});
  };
  const auto is_negative = [&](const OnnxName& value) {
    const OnnxName inverse = out.elementwise("Div", {one, value});
    return out.elementwise("Less", {out.elementwise("Where", {is_zero(value), inverse, value}), zero});
  };
  OnnxName y = call.value("self", dtype), x = call.value("other", dtype);
  const OnnxName both = out.elementwise("And", {is_infinite(y), is_infinite(x)});
  y = out.elementwise("Where", {both, out.elementwise("Sign", {y}), y});
  x = out.elementwise("Where", {both, out.elementwise("Sign", {x}), x});
  const OnnxName divisor = out.elementwise("Where", {is_zero(x), one, x});
  const OnnxName angle = out.elementwise("Atan", {out.elementwise("Div", {y, divisor})});
  const OnnxName half_turn =
      out.elementwise("Where", {is_negative(y), number(-std::numbers::pi), number(std::numbers::pi)});
  const OnnxName turned =
      out.elementwise("Where", {is_zero(x), half_turn, out.elementwise("Add", {angle, half_turn})});
  const OnnxName quarter =
      out.elementwise("Mul", {out.elementwise("Sign", {y}), number(std::numbers::pi / 2)});
  const OnnxName beside_axis = out.elementwise("Where", {is_negative(x), turned, angle});
  const OnnxName on_axis = out.elementwise("And", {is_zero(x), out.elementwise("Not", {is_zero(y)})});
  return {out.elementwise("Where", {on_axis, quarter, beside_axis})};
}

OnnxName limit(OnnxCall& call, const char* argument) {
  return call.has(argument) ? call.out.constant(call.scalar(argument), call.result().dtype) : OnnxName();
}

void add_limits(OnnxOps& ops) {
  const auto clip = [](OnnxCall& call, const OnnxName& low, const OnnxName& high) -> OnnxNames {
    const OnnxName x = call.value("self", call.result().dtype);
    OnnxNames limits;
    const OnnxName above = low.empty() ? x : call.out.elementwise("Max", {x, low});
    return {high.empty() ? above : call.out.elementwise("Min", {above, high})};
  };
  ops["aten::clamp"] = [clip](OnnxCall& call) { return clip(call, limit(call, "min"), limit(call, "max")); };
  ops["aten::clamp_min"] = [clip](OnnxCall& call) { return clip(call, limit(call, "min"), ""); };
  ops["aten::clamp_max"] = [clip](OnnxCall& call) { return clip(call, "", limit(call, "max")); };
  ops["aten::relu6"] = [clip](OnnxCall& call) {
    const DType dtype = call.result().dtype;
    return clip(call, call.out.constant(0, dtype), call.out.constant(6, dtype));
  };
}

}  // namespace

void add_math_ops(OnnxOps& ops) {
  add_unary(ops);
  for (const auto& [aten, onnx] :
       {std::pair("floor", "Floor"), std::pair("ceil", "Ceil"), std::pair("round", "Round")})
    add_rounding(ops, std::string("aten::") + aten, onnx);
  add_sums(ops);
  for (const auto& [aten, onnx] : {std::pair("aten::mul", "Mul"), std::pair("aten::div", "Div")}) {
    add_binary(ops, std::string(aten) + ".Tensor", onnx);
    add_binary_scalar(ops, std::string(aten) + ".Scalar", onnx);
  }
  add_binary(ops, "aten::maximum", "Max");
  add_binary(ops, "aten::minimum", "Min");
  ops["aten::sign"] = sign;
  ops["aten::atan2"] = atan2;
  add_divisions(ops);
  add_powers(ops);
  add_limits(ops);
  add_comparison(ops, "aten::eq", "Equal");
  add_comparison(ops, "aten::ne", "Equal", /*negate=*/true);
  add_comparison(ops, "aten::lt", "Less");
  add_comparison(ops, "aten::le", "LessOrEqual");
  add_comparison(ops, "aten::gt", "Greater");
  add_comparison(ops, "aten::ge", "GreaterOrEqual");
  add_logic(ops);
}

}  // namespace belfry::internal
