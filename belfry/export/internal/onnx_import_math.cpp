#include <algorithm>
#include <limits>
#include <numeric>

#include "belfry/export/internal/onnx_importer.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/reduce.h"

// Elementwise operators and reductions.

namespace belfry::internal {
namespace {

using Tensors = std::vector<Tensor>;
using Unary = Tensor (*)(const Tensor&, const std::string&);
using Binary = Tensor (*)(const Tensor&, const Tensor&, const std::string&);

void add_unary(OnnxBuilds& builds) {
  const std::pair<const char*, Unary> unary[] = {{"Abs", abs},
                                                 {"Neg", neg},
                                                 {"Sign", sign},
                                                 {"Exp", exp},
                                                 {"Log", log},
                                                 {"Sqrt", sqrt},
                                                 {"Sin", sin},
                                                 {"Cos", cos},
                                                 {"Erf", erf},
                                                 {"Floor", floor},
                                                 {"Ceil", ceil},
                                                 {"Round", round},
                                                 {"Reciprocal", reciprocal},
                                                 {"Not", logical_not},
                                                 {"IsNaN", is_nan},
                                                 {"Relu", relu},
                                                 {"Sigmoid", sigmoid},
                                                 {"Tanh", tanh},
                                                 {"HardSwish", hardswish},
                                                 {"Softplus", softplus},
                                                 {"Softsign", softsign},
                                                 {"Tan", tan},
                                                 {"Asin", asin},
                                                 {"Acos", acos},
                                                 {"Atan", atan},
                                                 {"Sinh", sinh},
                                                 {"Cosh", cosh},
                                                 {"IsInf", is_inf}};
  for (const auto& [op, function] : unary) {
    builds[op] = [function](const OnnxImport& x) -> Tensors { return {function(x.input(), "")}; };
  }
  builds["Elu"] = [](const OnnxImport& x) -> Tensors {
    return {call("aten::elu", {x.input()}, {{"alpha", x.number("alpha", 1)}})};
  };
  builds["Selu"] = [](const OnnxImport& x) -> Tensors {
    if (x.has_attribute("alpha") || x.has_attribute("gamma"))
      throw ImportFailure{"has an alpha or gamma of its own"};
    return {selu(x.input())};
  };
  builds["LeakyRelu"] = [](const OnnxImport& x) -> Tensors {
    return {leaky_relu(x.input(), x.number("alpha", 0.01))};
  };
  builds["Softmax"] = [](const OnnxImport& x) -> Tensors {
    return {softmax(x.input(), x.integer("axis", -1))};
  };
  builds["LogSoftmax"] = [](const OnnxImport& x) -> Tensors {
    return {log_softmax(x.input(), x.integer("axis", -1))};
  };
}

Tensor divide_as_onnx(const Tensor& x, const Tensor& y, const std::string& name) {
  if (c10::isFloatingType(x.dtype())) return divide(x, y, name);
  return call("aten::div.Tensor_mode", {x, y}, {{"rounding_mode", "trunc"}}, name);
}

void add_binary(OnnxBuilds& builds) {
  const std::pair<const char*, Binary> binary[] = {{"Add", add},
                                                   {"Sub", subtract},
                                                   {"Mul", multiply},
                                                   {"Div", divide_as_onnx},
                                                   {"Pow", pow},
                                                   {"Max", maximum},
                                                   {"Min", minimum},
                                                   {"Equal", equal},
                                                   {"Less", less},
                                                   {"Greater", greater},
                                                   {"LessOrEqual", less_equal},
                                                   {"GreaterOrEqual", greater_equal},
                                                   {"And", logical_and},
                                                   {"Or", logical_or},
                                                   {"Xor", logical_xor}};
  for (const auto& [op, function] : binary) {
    builds[op] = [function](const OnnxImport& x) -> Tensors {
      if (x.size() != 2) throw ImportFailure{"expected two inputs"};
      return {function(x.input(0), x.input(1), "")};
    };
  }
  builds["Mod"] = [](const OnnxImport& x) -> Tensors {
    if (x.integer("fmod", 0) != 0) throw ImportFailure{"is an fmod"};
    return {floor_mod(x.input(0), x.input(1))};
  };
  builds["Where"] = [](const OnnxImport& x) -> Tensors {
    return {call("aten::where.self", {x.input(0), x.input(1), x.input(2)})};
  };
  builds["Clip"] = [](const OnnxImport& x) -> Tensors {
    Tensor y = x.input();
    if (x.has(1)) y = maximum(y, x.input(1));
    if (x.has(2)) y = minimum(y, x.input(2));
    return {y};
  };
}

using Reduction = Tensor (*)(const Tensor&, const Axes&, const ReduceAttributes&, const std::string&);

Tensor sum_squares(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes,
                   const std::string& name) {
  return sum(square(x), axes, attributes, name);
}
Tensor l2(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes, const std::string& name) {
  return sqrt(sum_squares(x, axes, attributes, ""), name);
}
Tensor l1(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes, const std::string& name) {
  return sum(abs(x), axes, attributes, name);
}
/// In the dtype of `x`, as ONNX sums.
Tensor sum_as_onnx(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes,
                   const std::string& name) {
  return cast(sum(x, axes, attributes), x.dtype(), name);
}

void add_reductions(OnnxBuilds& builds) {
  const std::pair<const char*, Reduction> reductions[] = {{"ReduceSum", sum_as_onnx},
                                                          {"ReduceMean", mean},
                                                          {"ReduceMax", max},
                                                          {"ReduceMin", min},
                                                          {"ReduceProd", prod},
                                                          {"ReduceL1", l1},
                                                          {"ReduceL2", l2},
                                                          {"ReduceSumSquare", sum_squares},
                                                          {"ReduceLogSumExp", logsumexp}};
  for (const auto& [op, function] : reductions) {
    builds[op] = [function](const OnnxImport& x) -> Tensors {
      const auto axes = x.axes(1);
      if (axes.empty() && x.integer("noop_with_empty_axes", 0) != 0) return {x.input()};
      return {function(x.input(), axes, {.keep_dims = x.integer("keepdims", 1) != 0}, "")};
    };
  }
  for (const auto& [op, aten] : {std::pair("ArgMax", "aten::argmax"), std::pair("ArgMin", "aten::argmin")}) {
    builds[op] = [aten = std::string(aten)](const OnnxImport& x) -> Tensors {
      if (x.integer("select_last_index", 0) != 0) throw ImportFailure{"wants the last of equal ones"};
      return {call(aten, {x.input()},
                   {{"dim", x.integer("axis", 0)}, {"keepdim", x.integer("keepdims", 1) != 0}})};
    };
  }
  builds["CumSum"] = [](const OnnxImport& x) -> Tensors {
    if (x.integer("exclusive", 0) != 0 || x.integer("reverse", 0) != 0)
      throw ImportFailure{"is exclusive or reverse"};
    return {cumsum(x.input(), x.constant_integers(1).at(0))};
  };
}

}  // namespace

void add_math_builds(OnnxBuilds& builds) {
  add_unary(builds);
  add_binary(builds);
  add_reductions(builds);
}

}  // namespace belfry::internal
