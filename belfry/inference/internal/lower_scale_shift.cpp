#include <limits>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lower_to_primitive.h"
#include "belfry/inference/internal/lowerings.h"
#include "belfry/program/scale_shift.h"

// y = x scale + shift by channel, with limits, as one kernel of our own. Other activations go to oneDNN's
// binary primitive.

namespace belfry::internal {
namespace {

bool lower_scale_shift(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float low = -kInfinity, high = kInfinity;
  const std::string activation = op.get<std::string>("activation");
  if (activation == "relu") {
    low = 0;
  } else if (activation == "clamp") {
    low = static_cast<float>(op.get<double>("alpha"));
    high = static_cast<float>(op.get<double>("beta"));
  } else if (activation != "none") {
    return false;
  }
  const TensorView scale = builder.value(op.inputs[1]), shift = builder.value(op.inputs[2]);
  const DType dtype = op.inputs[0].dtype();
  if ((dtype != kFloat32 && dtype != kBFloat16) || node.outputs()[0].dtype != dtype ||
      scale.type() != ElementType::kFloat32 || shift.type() != ElementType::kFloat32 || scale.dim() != 1 ||
      shift.sizes() != scale.sizes() || !scale.is_contiguous() || !shift.is_contiguous() ||
      scale.numel() == 0)
    return false;
  const TensorView x = builder.dense(op.inputs[0]);
  const TensorView y = builder.make_output_in_place(node, node.output());
  builder.emit(node,
               make_scale_shift({.x = x, .scale = scale, .shift = shift, .y = y, .low = low, .high = high}),
               {x, scale, shift}, {y});
  builder.define(node.output(), y);
  return true;
}

/// Per channel of an image.
dnnl::memory::desc channels_desc(const TensorView& tensor) {
  return {{1, tensor.numel()}, *data_type(tensor.type()), dnnl::memory::format_tag::ab};
}

/// The same with any activation.
bool lower_scale_shift_primitive(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  const TensorView scale = builder.value(op.inputs[1]), shift = builder.value(op.inputs[2]);
  if (!supported({builder.value(op.inputs[0]), scale, shift}) || scale.dim() != 1 || shift.dim() != 1)
    return false;
  const TensorView input = as_matrix(builder.dense(op.inputs[0]));
  const TensorView output = builder.make_output_in_place(node, node.output());
  const dnnl::memory::desc channels = channels_desc(scale);
  dnnl::post_ops ops;
  ops.append_binary(dnnl::algorithm::binary_add, channels);
  append_activation(ops, op);
  const dnnl::binary::desc desc(dnnl::algorithm::binary_mul, desc_of(input), channels,
                                desc_of(as_matrix(output)));
  const dnnl::binary::primitive_desc description(desc, attributes(ops), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = make_primitive<dnnl::binary>(description);
  primitive->add(DNNL_ARG_SRC_0, desc_of(input), input);
  primitive->add(DNNL_ARG_SRC_1, channels, scale);
  primitive->add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, channels, shift);
  primitive->add(DNNL_ARG_DST, desc_of(as_matrix(output)), output);
  return emit_output(builder, node, std::move(primitive), output);
}

}  // namespace

void add_scale_shift_lowerings(Lowerings& table) {
  table["belfry::fused_scale_shift"] = {lower_scale_shift, lower_scale_shift_primitive};
}

}  // namespace belfry::internal
