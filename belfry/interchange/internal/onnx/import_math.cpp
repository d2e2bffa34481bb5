#include <algorithm>
#include <limits>
#include <numeric>

#include "belfry/interchange/internal/elementwise.h"
#include "belfry/interchange/internal/onnx/importer.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"

// Elementwise operators and reductions, by the typed functions. Where ONNX says the dtype of a result, or how
// integers are divided, in another way than ATen, the node is a cast or another operator.

namespace belfry::internal {
namespace {

using Tensors = std::vector<Tensor>;
using Unary = Tensor (*)(const Tensor&, const std::string&);
using Binary = Tensor (*)(const Tensor&, const Tensor&, const std::string&);

/// Infinities of either sign count unless an attribute says that they do not.
Tensors is_inf_as_onnx(const OnnxImport& x) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool negative = x.integer("detect_negative", 1) != 0, positive = x.integer("detect_positive", 1) != 0;
  if (negative && positive) return {is_inf(x.input())};
  if (negative) return {equal(x.input(), -kInfinity)};
  if (positive) return {equal(x.input(), kInfinity)};
  return {less(x.input(), -kInfinity)};  // nowhere
}

void add_unary(OnnxBuilds& builds) {
  const std::pair<const char*, Unary> unary[] = {
      {"Floor", floor},  {"Ceil", ceil},         {"Round", round},       {"Not", logical_not},
      {"IsNaN", is_nan}, {"Softplus", softplus}, {"Softsign", softsign},
  };
  const auto add = [&](const char* op, Unary function) {
    builds[op] = [function](const OnnxImport& x) -> Tensors { return {function(x.input(), "")}; };
  };
  for (const auto& [op, function] : unary) add(op, function);
  for (const ElementwiseFunction& row : elementwise_functions()) {
    if (row.onnx) add(row.onnx, row.function);
  }
  builds["IsInf"] = is_inf_as_onnx;
  builds["Sign"] = [](const OnnxImport& x) -> Tensors {  // of NaN it is NaN, and 0 in ATen
    const Tensor& input = x.input();
    const Tensor y = sign(input);
    return {c10::isFloatingType(input.dtype()) ? where(is_nan(input), input, y) : y};
  };
  builds["Elu"] = [](const OnnxImport& x) -> Tensors {
    return {call("aten::elu", {x.input()}, {{"alpha", x.number("alpha", 1)}})};
  };
  builds["Selu"] = [](const OnnxImport& x) -> Tensors {
    if (!x.has_attribute("alpha") && !x.has_attribute("gamma")) return {selu(x.input())};
    return {call("aten::elu", {x.input()},
                 {{"alpha", x.number("alpha", 1.67326319217681884765625)},
                  {"scale", x.number("gamma", 1.05070102214813232421875)}})};
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

/// In the dtype of the base, whatever that of the exponent is.
Tensor pow_as_onnx(const Tensor& x, const Tensor& y, const std::string& name) {
  if (x.dtype() == y.dtype() || (c10::isFloatingType(x.dtype()) && !c10::isFloatingType(y.dtype())))
    return cast(pow(x, y), x.dtype(), name);
  return cast(pow(cast(x, kFloat64), cast(y, kFloat64)), x.dtype(), name);
}

void add_binary(OnnxBuilds& builds) {
  const std::pair<const char*, Binary> binary[] = {{"Add", add},
                                                   {"Sub", subtract},
                                                   {"Mul", multiply},
                                                   {"Div", divide_as_onnx},
                                                   {"Pow", pow_as_onnx},
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
    builds[op] = [function = function](const OnnxImport& x) -> Tensors {
      if (x.size() != 2) throw ImportFailure{"expected two inputs"};
      return {function(x.input(0), x.input(1), "")};
    };
  }
  builds["Mod"] = [](const OnnxImport& x) -> Tensors {
    if (x.integer("fmod", 0) != 0) return {call("aten::fmod.Tensor", {x.input(0), x.input(1)})};
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
/// Of integers too, rounded towards zero.
Tensor mean_as_onnx(const Tensor& x, const Axes& axes, const ReduceAttributes& attributes,
                    const std::string& name) {
  if (c10::isFloatingType(x.dtype())) return mean(x, axes, attributes, name);
  return cast(mean(cast(x, kFloat64), axes, attributes), x.dtype(), name);
}

/// The first of equal elements, or the last one.
Tensors index_as_onnx(const OnnxImport& node, const std::string& aten) {
  const Tensor& x = node.input();
  const int64_t axis = from_front({node.integer("axis", 0)}, x.rank())[0];
  const bool keep = node.integer("keepdims", 1) != 0;
  if (node.integer("select_last_index", 0) == 0) return {call(aten, {x}, {{"dim", axis}, {"keepdim", keep}})};
  const Tensor from_end = call(aten, {reverse(x, {axis})}, {{"dim", axis}, {"keepdim", keep}});
  return {subtract(reshape(size_along(x, axis), {}) - 1, from_end)};
}

void add_reductions(OnnxBuilds& builds) {
  const std::pair<const char*, Reduction> reductions[] = {{"ReduceSum", sum},
                                                          {"ReduceMean", mean_as_onnx},
                                                          {"ReduceMax", max},
                                                          {"ReduceMin", min},
                                                          {"ReduceProd", prod},
                                                          {"ReduceL1", l1},
                                                          {"ReduceL2", l2},
                                                          {"ReduceSumSquare", sum_squares},
                                                          {"ReduceLogSumExp", logsumexp}};
  for (const auto& [op, function] : reductions) {
    // In opset 17 only ReduceSum has the attribute; without axes it then does nothing, not even sum.
    builds[op] = [function = function,
                  may_do_nothing = std::string(op) == "ReduceSum"](const OnnxImport& x) -> Tensors {
      const auto axes = x.axes(1);
      const bool keep_dims = x.integer("keepdims", 1) != 0;
      if (may_do_nothing && x.integer("noop_with_empty_axes", 0) != 0 && axes.empty()) return {x.input()};
      const Tensor y = function(x.input(), axes, {.keep_dims = keep_dims}, "");
      return {y.dtype() == x.input().dtype() ? y : cast(y, x.input().dtype())};  // ONNX keeps the dtype
    };
  }
  for (const auto& [op, aten] : {std::pair("ArgMax", "aten::argmax"), std::pair("ArgMin", "aten::argmin")}) {
    builds[op] = [aten = std::string(aten)](const OnnxImport& x) -> Tensors {
      return index_as_onnx(x, aten);
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
