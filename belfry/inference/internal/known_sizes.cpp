#include "belfry/inference/internal/known_sizes.h"

#include <c10/util/accumulate.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "belfry/graph/arguments_of.h"
#include "belfry/graph/kernel.h"
#include "belfry/graph/rewriter.h"
#include "belfry/ops/array.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/random.h"
#include "belfry/ops/state.h"

// Models compute sizes, places and counts of shapes that only a run knows. A program is made for feeds of
// known shapes, for which these are constants.

namespace belfry::internal {
namespace {

using Tensors = std::vector<Tensor>;

/// Whether an operator does nothing but compute: ATen's do, and of ours those that people use on sizes.
bool only_computes(const std::string& op) {
  static const std::set<std::string_view> ours = {"belfry::gather", "belfry::gather_nd",    "belfry::one_hot",
                                                  "belfry::pad",    "belfry::scatter_nd",   "belfry::slice",
                                                  "belfry::split",  "belfry::strided_slice"};
  return op.starts_with("aten::") || ours.contains(op);
}

/// Whether they are integers, and few.
bool are_few_integers(const NodeOutput& tensor) {
  constexpr int64_t kMost = 1024;
  int64_t count = 1;
  return c10::isIntegralType(tensor.dtype, /*includeBool=*/true) &&
         std::ranges::all_of(tensor.shape, [&](int64_t size) {
           return size >= 0 && !__builtin_mul_overflow(count, size, &count) && count <= kMost;
         });
}

/// Constants for the outputs of a node, where these are few integers that follow from constants and shapes.
Tensors constants(const Node& node, const Tensors& inputs) {
  if (!std::ranges::all_of(node.outputs(), are_few_integers)) return {};
  if (node.op_name() == "belfry::shape" || node.op_name() == "belfry::size") {
    const Shape& sizes = inputs[0].shape();
    if (std::ranges::count(sizes, kDynamic)) return {};
    const bool all = node.op_name() == "belfry::shape";
    return {all ? constant(sizes, {static_cast<int64_t>(sizes.size())})
                : constant(c10::multiply_integers(sizes), kInt64)};
  }
  if (!only_computes(node.op_name())) return {};
  std::vector<at::Tensor> values;
  for (const Tensor& input : inputs) {
    if (!may_be_sizes(input)) return {};
    values.push_back(input.node().attribute("value").toTensor());
  }
  c10::Stack stack = make_stack(node, [&](int index) { return values[static_cast<size_t>(index)]; });
  forward_kernel_of(node.op()).callBoxed(&stack);
  Tensors outputs;
  for (const at::Tensor& result : results_of(stack)) outputs.push_back(constant(result.contiguous()));
  return outputs;
}

RunTimeShape shape_of(const Node& node, const Tensor& sizes) {
  return {sizes, node.attribute("known").toIntVector()};
}

DType dtype_of(const Node& node) {
  return node.attribute("dtype").toScalarType();
}

PadAttributes pad_attributes(const Node& node) {
  const auto mode = node.attribute("mode").toStringView();
  return {.mode = mode == "constant"  ? PadMode::kConstant
                  : mode == "reflect" ? PadMode::kReflect
                                      : PadMode::kSymmetric,
          .value = node.attribute("value").toDouble()};
}

ResizeAttributes resize_attributes(const Node& node) {
  const auto method = node.attribute("method").toStringView();
  return {.method = method == "nearest"    ? ResizeMethod::kNearest
                    : method == "bilinear" ? ResizeMethod::kBilinear
                                           : ResizeMethod::kBicubic,
          .align_corners = node.attribute("align_corners").toBool(),
          .half_pixel_centers = node.attribute("half_pixel_centers").toBool(),
          .data_format = node.attribute("data_format").toStringRef()};
}

/// Of operators that take sizes, places or counts by tensors, the functions that make them. Where the graph
/// knows the integers these choose the operator that has them as attributes.
using Build = Tensors (*)(const Node& node, const Tensors& x, const std::string& name);

const std::map<std::string_view, Build>& operators_that_take_sizes() {
  using N = const Node&;
  using X = const Tensors&;
  using Name = const std::string&;
  static const std::map<std::string_view, Build> table = {
      {"belfry::reshape",
       [](N n, X x, Name name) -> Tensors { return {reshape(x[0], shape_of(n, x[1]), name)}; }},
      {"belfry::slice.tensors",
       [](N n, X x, Name name) -> Tensors { return {slice(x[0], x[1], shape_of(n, x[2]), name)}; }},
      {"belfry::strided_slice.tensors",
       [](N, X x, Name name) -> Tensors { return {strided_slice(x[0], x[1], x[2], x[3], name)}; }},
      {"belfry::pad.tensor",
       [](N n, X x, Name name) -> Tensors { return {pad(x[0], x[1], pad_attributes(n), name)}; }},
      {"belfry::resize.tensor",
       [](N n, X x, Name name) -> Tensors { return {resize(x[0], x[1], resize_attributes(n), name)}; }},
      {"belfry::one_hot.tensor",
       [](N n, X x, Name name) -> Tensors { return {one_hot(x[0], x[1], dtype_of(n), name)}; }},
      {"belfry::topk.tensor",
       [](N, X x, Name name) -> Tensors {
         const auto [values, indices] = topk(x[0], x[1], name);
         return {values, indices};
       }},
      {"belfry::range", [](N, X x, Name name) -> Tensors { return {range(x[0], name)}; }},
      {"belfry::fill",
       [](N n, X x, Name name) -> Tensors {
         return {fill(shape_of(n, x[0]), n.attribute("value").toScalar(), dtype_of(n), name)};
       }},
      {"belfry::random_uniform.run_time_shape",
       [](N n, X x, Name name) -> Tensors {
         return {random_uniform(shape_of(n, x[0]), n.attribute("low").toDouble(),
                                n.attribute("high").toDouble(), {.dtype = dtype_of(n)}, name)};
       }},
      {"belfry::random_normal.run_time_shape",
       [](N n, X x, Name name) -> Tensors {
         return {random_normal(shape_of(n, x[0]), n.attribute("mean").toDouble(),
                               n.attribute("stddev").toDouble(), {.dtype = dtype_of(n)}, name)};
       }},
  };
  return table;
}

}  // namespace

bool may_be_sizes(const Tensor& tensor) {
  return tensor.node().kind() == NodeKind::kConstant && are_few_integers(tensor.node().outputs()[0]);
}

std::vector<Tensor> with_known_sizes(const Node& node, const std::vector<Tensor>& inputs) {
  if (node.kind() != NodeKind::kCall || inputs.empty() || !node.mutated_inputs().empty()) return {};
  const auto found = operators_that_take_sizes().find(node.op_name());
  if (found != operators_that_take_sizes().end()) return found->second(node, inputs, node.name() + "/");
  return node.is_random() || node.outputs().empty() ? Tensors() : constants(node, inputs);
}

Function with_known_sizes(const Function& function, const std::vector<Shape>& input_shapes) {
  Rewriter rewriter(function, input_shapes);
  return rewriter.run([&](const Node& node) -> Tensor {
    if (node.kind() != NodeKind::kCall) return {};
    Tensors inputs;
    for (const Tensor& input : node.inputs()) inputs.push_back(rewriter(input));
    const Tensors outputs = with_known_sizes(node, inputs);
    for (size_t i = 0; i < outputs.size(); ++i) rewriter.define(node.output(static_cast<int>(i)), outputs[i]);
    return {};  // what it has of outputs is defined
  });
}

}  // namespace belfry::internal
