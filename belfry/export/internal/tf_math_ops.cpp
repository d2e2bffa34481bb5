#include <algorithm>

#include "belfry/export/internal/graph_def_builder.h"

// Elementwise operators and reductions. TensorFlow's want inputs of one dtype where ATen's promote.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;
using Pairs = std::vector<std::pair<const char*, const char*>>;

void add_unary(TfOps& ops, const std::string& aten, const std::string& tf) {
  ops[aten] = [tf](TfCall& call) -> TfNames {
    return {call.out.add(tf, {call.value("self", call.dtype())}, call.dtype())};
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
  add_binary(ops, "aten::floor_divide", "FloorDiv");
  add_binary(ops, "aten::floor_divide.Scalar", "FloorDiv");
  ops["aten::pow.Scalar"] = [](TfCall& call) -> TfNames {
    const TfName base = call.out.constant(call.scalar("self"), call.dtype());
    return {call.out.add("Pow", {base, call.value("exponent", call.dtype())}, call.dtype())};
  };
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
      return {call.out.add(tf, {call.value("self")}, call.dtype("self"))};
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

TfName reduce(GraphDefBuilder& out, const std::string& op, const TfName& x, DType dtype, const Ints& axes,
              bool keep) {
  TfAttributes attributes{{"keep_dims", keep}};
  if (op != "Any" && op != "All") attributes["T"] = tf_dtype(dtype);
  return out.add(op, {x, out.constant(axes)}, attributes);
}

void add_reduction(TfOps& ops, const std::string& aten, const std::string& tf) {
  ops[aten] = [tf](TfCall& call) -> TfNames {
    return {reduce(call.out, tf, call.value("self", call.dtype()), call.dtype(),
                   call.axes("dim", call.rank("self")), call.flag("keepdim"))};
  };
}

TfNames logsumexp(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const DType dtype = call.dtype();
  const TfName x = call.value("self", dtype);
  const Ints axes = call.axes("dim", call.rank("self"));
  const bool keep = call.flag("keepdim");
  const TfName most = reduce(out, "Max", x, dtype, axes, /*keep=*/true);
  const TfName exp = out.add("Exp", {out.add("Sub", {x, most}, dtype)}, dtype);
  const TfName log = out.add("Log", {reduce(out, "Sum", exp, dtype, axes, keep)}, dtype);
  return {out.add("AddV2", {log, reduce(out, "Max", x, dtype, axes, keep)}, dtype)};
}

TfNames var_mean(TfCall& call) {
  if (call.has("correction") && call.number("correction") != 0)
    call.unsupported("a variance with a correction");
  GraphDefBuilder& out = call.out;
  const DType dtype = call.dtype();
  const TfName x = call.value("self");
  const Ints axes = call.axes("dim", call.rank("self"));
  const bool keep = call.flag("keepdim");
  const TfName centre = reduce(out, "Mean", x, dtype, axes, /*keep=*/true);
  const TfName squares = out.add("SquaredDifference", {x, centre}, dtype);
  return {reduce(out, "Mean", squares, dtype, axes, keep), reduce(out, "Mean", x, dtype, axes, keep)};
}

void add_index(TfOps& ops, const std::string& aten, const std::string& tf) {
  ops[aten] = [tf](TfCall& call) -> TfNames {
    GraphDefBuilder& out = call.out;
    TfName x = call.value("self");
    int64_t axis = 0;
    if (call.has("dim")) {
      axis = call.integer("dim");
    } else {
      x = out.reshape(x, call.dtype("self"), {-1});
    }
    const TfName index = out.add(tf, {x, out.axis(axis)}, call.dtype("self"));
    if (!call.flag("keepdim")) return {index};
    return {out.add("ExpandDims", {index, out.axis(axis)}, kInt64)};
  };
}

void add_reductions(TfOps& ops) {
  for (const auto& [aten, tf] : Pairs{{"aten::sum.dim_IntList", "Sum"},
                                      {"aten::mean.dim", "Mean"},
                                      {"aten::amax", "Max"},
                                      {"aten::amin", "Min"},
                                      {"aten::any.dims", "Any"},
                                      {"aten::all.dims", "All"}})
    add_reduction(ops, aten, tf);
  ops["belfry::prod"] = [](TfCall& call) -> TfNames {
    return {reduce(call.out, "Prod", call.value("x", call.dtype()), call.dtype(),
                   call.axes("axes", call.rank("x")), call.flag("keep_dims"))};
  };
  ops["aten::logsumexp"] = logsumexp;
  ops["aten::var_mean.correction"] = var_mean;
  add_index(ops, "aten::argmax", "ArgMax");
  add_index(ops, "aten::argmin", "ArgMin");
  ops["aten::cumsum"] = [](TfCall& call) -> TfNames {
    return {call.out.add("Cumsum", {call.value("self", call.dtype()), call.out.axis(call.integer("dim"))},
                         call.dtype())};
  };
}

}  // namespace

void add_math_ops(TfOps& ops) {
  for (const auto& [aten, tf] : Pairs{{"abs", "Abs"},
                                      {"neg", "Neg"},
                                      {"sign", "Sign"},
                                      {"exp", "Exp"},
                                      {"expm1", "Expm1"},
                                      {"log", "Log"},
                                      {"log1p", "Log1p"},
                                      {"sqrt", "Sqrt"},
                                      {"rsqrt", "Rsqrt"},
                                      {"square", "Square"},
                                      {"reciprocal", "Reciprocal"},
                                      {"sin", "Sin"},
                                      {"cos", "Cos"},
                                      {"erf", "Erf"},
                                      {"floor", "Floor"},
                                      {"ceil", "Ceil"},
                                      {"round", "Round"},
                                      {"tan", "Tan"},
                                      {"asin", "Asin"},
                                      {"acos", "Acos"},
                                      {"atan", "Atan"},
                                      {"sinh", "Sinh"},
                                      {"cosh", "Cosh"}})
    add_unary(ops, std::string("aten::") + aten, tf);
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
  add_reductions(ops);
}

}  // namespace belfry::internal
