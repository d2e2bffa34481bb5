#include <numbers>

#include "belfry/interchange/internal/elementwise.h"
#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

// Element by element. TensorFlow's operators want inputs of one dtype where ATen's promote.

namespace belfry::internal {
namespace {

using Pairs = std::vector<std::pair<const char*, const char*>>;

void add_unary(TfOps& ops) {
  for (const ElementwiseFunction& row : elementwise_functions()) {
    if (!row.tensorflow) continue;
    ops[std::string(row.op)] = [tf = row.tensorflow](TfCall& call) -> TfNames {
      return {call.apply(tf, {call.value("self", call.dtype())})};
    };
  }
}

/// ATen's sign of NaN is 0.
TfNames sign(TfCall& call) {
  const TfName x = call.value("self", call.dtype()), sign = call.apply("Sign", {x});
  if (!c10::isFloatingType(call.dtype())) return {sign};
  return {call.apply("SelectV2", {call.apply("IsNan", {x}), call.literal(0), sign})};
}

/// Of integers TensorFlow has no such operator; each is whole already.
void add_rounding(TfOps& ops, const std::string& aten, const std::string& tf) {
  ops[aten] = [tf](TfCall& call) -> TfNames {
    const TfName x = call.value("self", call.dtype());
    return {c10::isFloatingType(call.dtype()) ? call.apply(tf, {x}) : x};
  };
}

/// "other" as a tensor or as a number, of the dtype of the result.
TfName other(TfCall& call) {
  if (call.tensor("other").defined()) return call.value("other", call.dtype());
  return call.out.constant(call.scalar("other"), call.dtype());
}

void add_binary(TfOps& ops, const std::string& aten, const std::string& tf) {
  ops[aten] = [tf](TfCall& call) -> TfNames {
    return {call.out.add(tf, {call.value("self", call.dtype()), other(call)}, call.dtype())};
  };
}

TfName scaled(TfCall& call, const TfName& x) {
  if (call.number("alpha") == 1) return x;
  return call.out.add("Mul", {x, call.out.constant(call.scalar("alpha"), call.dtype())}, call.dtype());
}

void add_arithmetic(TfOps& ops) {
  for (const auto& [aten, tf] : Pairs{{"aten::add", "AddV2"}, {"aten::sub", "Sub"}}) {
    const TfEmit emit = [tf = std::string(tf)](TfCall& call) -> TfNames {
      return {call.out.add(tf, {call.value("self", call.dtype()), scaled(call, other(call))}, call.dtype())};
    };
    ops[std::string(aten) + ".Tensor"] = emit;
    ops[std::string(aten) + ".Scalar"] = emit;
  }
  ops["aten::rsub.Scalar"] = [](TfCall& call) -> TfNames {
    return {call.out.add("Sub", {other(call), scaled(call, call.value("self", call.dtype()))}, call.dtype())};
  };
  for (const auto& [aten, tf] :
       Pairs{{"aten::mul", "Mul"}, {"aten::div", "RealDiv"}, {"aten::remainder", "FloorMod"}}) {
    add_binary(ops, std::string(aten) + ".Tensor", tf);
    add_binary(ops, std::string(aten) + ".Scalar", tf);
  }
  ops["aten::div.Tensor_mode"] = [](TfCall& call) -> TfNames {
    const std::string mode = call.has("rounding_mode") ? call.text("rounding_mode") : "";
    const bool whole = c10::isIntegralType(call.dtype(), /*includeBool=*/true);
    const TfName x = call.value("self", call.dtype()), y = other(call);
    if (mode == "floor") return {call.apply("FloorDiv", {x, y})};
    if (mode == "trunc" && whole) return {call.apply("TruncateDiv", {x, y})};
    const TfName quotient = call.apply("RealDiv", {x, y});
    if (mode.empty()) return {quotient};
    return {call.apply(
        "Mul", {call.apply("Sign", {quotient}), call.apply("Floor", {call.apply("Abs", {quotient})})})};
  };
  add_binary(ops, "aten::fmod.Tensor", "TruncateMod");
  add_binary(ops, "aten::floor_divide", "FloorDiv");
  add_binary(ops, "aten::floor_divide.Scalar", "FloorDiv");
  ops["aten::pow.Scalar"] = [](TfCall& call) -> TfNames {
    const TfName base = call.out.constant(call.scalar("self"), call.dtype());
    return {call.out.add("Pow", {base, call.value("exponent", call.dtype())}, call.dtype())};
  };
  add_binary(ops, "aten::atan2", "Atan2");
  add_binary(ops, "aten::maximum", "Maximum");
  add_binary(ops, "aten::minimum", "Minimum");
  ops["aten::pow.Tensor_Tensor"] = [](TfCall& call) -> TfNames {
    return {call.out.add("Pow", {call.value("self", call.dtype()), call.value("exponent", call.dtype())},
                         call.dtype())};
  };
  ops["aten::pow.Tensor_Scalar"] = [](TfCall& call) -> TfNames {
    return {call.out.add(
        "Pow", {call.value("self", call.dtype()), call.out.constant(call.scalar("exponent"), call.dtype())},
        call.dtype())};
  };
  ops["belfry::squared_difference"] = [](TfCall& call) -> TfNames {
    return {call.out.add("SquaredDifference", {call.value("x", call.dtype()), call.value("y", call.dtype())},
                         call.dtype())};
  };
  ops["belfry::add_n"] = [](TfCall& call) -> TfNames {
    TfNames terms;
    for (const Tensor& tensor : call.tensors("tensors")) terms.push_back(call.value(tensor, call.dtype()));
    return {call.out.add("AddN", terms, call.dtype(), {{"N", static_cast<int64_t>(terms.size())}})};
  };
}

void add_comparison(TfOps& ops, const std::string& aten, const std::string& tf) {
  const TfEmit emit = [tf](TfCall& call) -> TfNames {
    const DType dtype = call.compared_dtype();
    const TfName right = call.tensor("other").defined() ? call.value("other", dtype)
                                                        : call.out.constant(call.scalar("other"), dtype);
    return {call.out.add(tf, {call.value("self", dtype), right}, dtype)};
  };
  ops[aten + ".Tensor"] = emit;
  ops[aten + ".Scalar"] = emit;
}

void add_logic(TfOps& ops) {
  for (const auto& [aten, tf] :
       Pairs{{"aten::logical_and", "LogicalAnd"}, {"aten::logical_or", "LogicalOr"}}) {
    ops[aten] = [tf = std::string(tf)](TfCall& call) -> TfNames {
      return {call.out.add(tf, {call.value("self", kBool), call.value("other", kBool)})};
    };
  }
  ops["aten::logical_xor"] = [](TfCall& call) -> TfNames {
    return {call.out.add("NotEqual", {call.value("self", kBool), call.value("other", kBool)}, kBool)};
  };
  ops["aten::logical_not"] = [](TfCall& call) -> TfNames {
    return {call.out.add("LogicalNot", {call.value("self", kBool)})};
  };
  for (const auto& [aten, tf] :
       Pairs{{"aten::isnan", "IsNan"}, {"aten::isinf", "IsInf"}, {"aten::isfinite", "IsFinite"}}) {
    ops[aten] = [tf = std::string(tf)](TfCall& call) -> TfNames {
      const TfName x = call.value("self");
      if (c10::isFloatingType(call.dtype("self"))) return {call.out.add(tf, {x}, call.dtype("self"))};
      return {call.out.add(tf == "IsFinite" ? "Equal" : "NotEqual", {x, x}, call.dtype("self"))};
    };
  }
  ops["aten::where.ScalarOther"] = [](TfCall& call) -> TfNames {
    return {call.out.add("SelectV2",
                         {call.value("condition", kBool), call.value("self", call.dtype()), other(call)},
                         call.dtype())};
  };
  ops["aten::where.ScalarSelf"] = [](TfCall& call) -> TfNames {
    const TfName self = call.out.constant(call.scalar("self"), call.dtype());
    return {call.out.add(
        "SelectV2", {call.value("condition", kBool), self, call.value("other", call.dtype())}, call.dtype())};
  };
  ops["aten::where.self"] = [](TfCall& call) -> TfNames {
    return {call.out.add(
        "SelectV2",
        {call.value("condition", kBool), call.value("self", call.dtype()), call.value("other", call.dtype())},
        call.dtype())};
  };
}

TfName clip(TfCall& call, const char* min, const char* max) {
  TfName x = call.value("self", call.dtype());
  if (min && call.has(min))
    x = call.out.add("Maximum", {x, call.out.constant(call.scalar(min), call.dtype())}, call.dtype());
  if (max && call.has(max))
    x = call.out.add("Minimum", {x, call.out.constant(call.scalar(max), call.dtype())}, call.dtype());
  return x;
}

void add_limits(TfOps& ops) {
  ops["aten::clamp"] = [](TfCall& call) -> TfNames { return {clip(call, "min", "max")}; };
  ops["aten::clamp_min"] = [](TfCall& call) -> TfNames { return {clip(call, "min", nullptr)}; };
  ops["aten::clamp_max"] = [](TfCall& call) -> TfNames { return {clip(call, nullptr, "max")}; };
}

}  // namespace

void add_math_ops(TfOps& ops) {
  add_unary(ops);
  for (const auto& [aten, tf] : Pairs{{"floor", "Floor"}, {"ceil", "Ceil"}, {"round", "Round"}})
    add_rounding(ops, std::string("aten::") + aten, tf);
  ops["aten::sign"] = sign;
  add_arithmetic(ops);
  for (const auto& [aten, tf] : Pairs{{"aten::eq", "Equal"},
                                      {"aten::ne", "NotEqual"},
                                      {"aten::lt", "Less"},
                                      {"aten::le", "LessEqual"},
                                      {"aten::gt", "Greater"},
                                      {"aten::ge", "GreaterEqual"}})
    add_comparison(ops, aten, tf);
  add_logic(ops);
  add_limits(ops);
  ops["aten::log10"] = [](TfCall& call) -> TfNames {
    const TfName log = call.apply("Log", {call.value("self", call.dtype())});
    return {call.apply("Mul", {log, call.literal(std::numbers::log10e)})};
  };
}

}  // namespace belfry::internal
