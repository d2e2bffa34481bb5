#include "belfry/inference/internal/lowerings.h"
#include "belfry/inference/internal/program_builder.h"
#include "belfry/program/elementwise.h"

// Functions of each element by kernels of our own, of dense float32, and conversions from and to bfloat16.

namespace belfry::internal {
namespace {

/// Of one tensor, or of a gradient and another tensor, in the order of the schema.
template <ElementFunction function>
bool lower_function(ProgramBuilder& builder, const Node& node) {
  const Shape& shape = node.outputs()[0].shape;
  if (c10::multiply_integers(shape) == 0 || node.outputs()[0].dtype != kFloat32) return false;
  for (const Tensor& input : node.inputs()) {
    if (input.dtype() != kFloat32 || input.shape() != shape) return false;
  }
  std::vector<TensorView> operands;
  for (const Tensor& input : node.inputs()) operands.push_back(builder.dense(input));
  const TensorView y = builder.make_output_in_place(node, node.output());
  builder.emit(
      node, make_element_function(function, operands[0], operands.size() > 1 ? operands[1] : TensorView(), y),
      operands, {y});
  builder.define(node.output(), y);
  return true;
}

bool lower_relu_backward(ProgramBuilder& builder, const Node& node) {
  return node.attribute("threshold").toScalar().toDouble() == 0 &&
         lower_function<ElementFunction::kReluBackward>(builder, node);
}

bool lower_gelu_backward(ProgramBuilder& builder, const Node& node) {
  return node.attribute("approximate").toStringRef() == "none" &&
         lower_function<ElementFunction::kGeluBackward>(builder, node);
}

bool lower_conversion(ProgramBuilder& builder, const Node& node) {
  const Tensor& input = node.inputs()[0];
  const DType from = input.dtype(), to = node.outputs()[0].dtype;
  const bool is_ours = (from == kFloat32 && to == kBFloat16) || (from == kBFloat16 && to == kFloat32);
  if (!is_ours || c10::multiply_integers(input.shape()) == 0) return false;
  const TensorView x = builder.dense(input), y = builder.make_output(node.output());
  builder.emit(node, make_conversion(x, y), {x}, {y});
  builder.define(node.output(), y);
  return true;
}

}  // namespace

void add_elementwise_lowerings(Lowerings& table) {
  table["aten::_to_copy"].push_back(lower_conversion);
  table["aten::abs"].push_back(lower_function<ElementFunction::kAbs>);
  table["aten::exp"].push_back(lower_function<ElementFunction::kExp>);
  table["aten::neg"].push_back(lower_function<ElementFunction::kNegative>);
  table["aten::reciprocal"].push_back(lower_function<ElementFunction::kReciprocal>);
  table["aten::square"].push_back(lower_function<ElementFunction::kSquare>);
  table["aten::threshold_backward"].push_back(lower_relu_backward);
  table["aten::sigmoid_backward"].push_back(lower_function<ElementFunction::kSigmoidBackward>);
  table["aten::tanh_backward"].push_back(lower_function<ElementFunction::kTanhBackward>);
  table["aten::gelu_backward"].push_back(lower_gelu_backward);
  table["aten::silu_backward"].push_back(lower_function<ElementFunction::kSiluBackward>);
}

}  // namespace belfry::internal
