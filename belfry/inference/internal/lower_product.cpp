// Convolutions and products by weights, each as one of oneDNN's primitives with a bias, a residual and an
// activation inside. Weights are packed once as the primitive wants them, so they must be known.

#include <string_view>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lower_to_primitive.h"
#include "belfry/inference/internal/lowerings.h"

namespace belfry::internal {
namespace {

using dnnl::memory;
using Dims = memory::dims;

constexpr auto kInference = dnnl::prop_kind::forward_inference;

/// Packed as the primitive likes it, for inputs of that type.
memory::desc packed_for(const TensorView& input, const memory::desc& weights) {
  return any_layout(weights, *data_type(input.type()));
}

/// Convolutions and linear operators add to what their output's memory holds. Where that is not the residual
/// already, a copy comes before: still faster than to read it from elsewhere, which oneDNN's best
/// implementations do not.
TensorView make_output(ProgramBuilder& builder, const Node& node, const Tensor& residual) {
  return residual.defined() ? builder.make_output_from(node, residual) : builder.make_output(node.output());
}

dnnl::post_ops sum_and_activation(const OpParts& op) {
  dnnl::post_ops ops;
  if (op.inputs[3].defined()) ops.append_sum();
  append_activation(ops, op);
  return ops;
}

/// Whether the weights are known and the residual is laid out as the output.
bool has_primitive_form(ProgramBuilder& builder, const Node& node, const OpParts& op) {
  const NodeOutput& output = node.outputs()[0];
  const Tensor& residual = op.inputs[3];
  if (residual.defined() && (residual.shape() != output.shape || residual.dtype() != output.dtype))
    return false;
  const TensorView weights = builder.weight_of(op.inputs[1]), bias = bias_of(builder, op.inputs[2]);
  return weights.defined() && supported({builder.value(op.inputs[0]), weights, bias}) &&
         (!bias.defined() || bias.dim() == 1);
}

/// Values in a window of an image of few channels.
constexpr int64_t kFewValues = 32;

/// oneDNN offers the implementation by batches of matrix products first, which takes 1.4 to 2.5 times the
/// time of the direct one where the matrices have so few rows (3x3 of 1 and of 3 channels). With results that
/// are added to a residual of 3 channels, in bfloat16, the direct one is wrong.
void prefer_direct(dnnl::convolution_forward::primitive_desc& description) {
  if (!std::string_view(description.impl_info_str()).starts_with("brgconv")) return;
  dnnl::convolution_forward::primitive_desc next = description;
  if (next.next_impl() && std::string_view(next.impl_info_str()).starts_with("jit")) description = next;
}

bool lower_conv2d(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  if (!has_primitive_form(builder, node, op)) return false;
  const TensorView input = builder.dense(op.inputs[0]), filter = builder.weight_of(op.inputs[1]);
  const TensorView bias = bias_of(builder, op.inputs[2]);
  const int64_t groups = op.get<int64_t>("groups");
  const auto strides = op.get<std::vector<int64_t>>("strides"),
             dilations = op.get<std::vector<int64_t>>("dilations"),
             pads = op.get<std::vector<int64_t>>("pads");
  const memory::desc weights_desc = filter_desc(filter, groups);
  Dims before, after, dilation;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t axis = static_cast<int64_t>(i), extent = (filter.size(axis) - 1) * dilations[i] + 1;
    const int64_t size = input.size(axis + 1) + pads[2 * i] + pads[2 * i + 1];
    const Padding padding = padding_of(op, size, extent, strides[i], node.outputs()[0].shape[i + 1]);
    before.push_back(pads[2 * i] + padding.before);
    after.push_back(pads[2 * i + 1] + padding.after);
    dilation.push_back(dilations[i] - 1);
  }

  const memory::desc bias_desc = bias.defined() ? desc_of(bias) : memory::desc();
  const dnnl::convolution_forward::desc desc(
      kInference, dnnl::algorithm::convolution_direct, image_desc(input), packed_for(input, weights_desc),
      bias_desc, image_desc(node.outputs()[0]), {strides[0], strides[1]}, dilation, before, after);
  dnnl::convolution_forward::primitive_desc description(desc, attributes(sum_and_activation(op)),
                                                        cpu_engine());
  const int64_t window = filter.size(0) * filter.size(1) * filter.size(2);
  if (window <= kFewValues && filter.size(3) % 16 == 0 && !op.inputs[3].defined()) prefer_direct(description);
  if (!is_usable(description)) return false;
  auto primitive = make_primitive<dnnl::convolution_forward>(description);
  const TensorView output = make_output(builder, node, op.inputs[3]);
  primitive->add(DNNL_ARG_SRC, description.src_desc(), input);
  primitive->add(DNNL_ARG_WEIGHTS,
                 builder.prepared().packed(filter, weights_desc, description.weights_desc()));
  if (bias.defined()) primitive->add(DNNL_ARG_BIAS, bias_desc, bias);
  primitive->add(DNNL_ARG_DST, description.dst_desc(), output);
  return emit_output(builder, node, std::move(primitive), output);
}

bool lower_linear(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  if (!has_primitive_form(builder, node, op)) return false;
  const TensorView input = as_matrix(builder.dense(op.inputs[0])), weight = builder.weight_of(op.inputs[1]);
  const TensorView bias = bias_of(builder, op.inputs[2]);
  const memory::desc weight_desc = desc_of(weight, {1, 0}),
                     bias_desc = bias.defined() ? desc_of(bias) : memory::desc(),
                     output_desc({input.size(0), weight.size(1)},
                                 *data_type(element_type(node.outputs()[0].dtype)), memory::format_tag::ab);
  const dnnl::inner_product_forward::desc desc(kInference, desc_of(input), packed_for(input, weight_desc),
                                               bias_desc, output_desc);
  const dnnl::inner_product_forward::primitive_desc description(desc, attributes(sum_and_activation(op)),
                                                                cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = make_primitive<dnnl::inner_product_forward>(description);
  const TensorView output = make_output(builder, node, op.inputs[3]);
  primitive->add(DNNL_ARG_SRC, description.src_desc(), input);
  primitive->add(DNNL_ARG_WEIGHTS,
                 builder.prepared().packed(weight, weight_desc, description.weights_desc()));
  if (bias.defined()) primitive->add(DNNL_ARG_BIAS, bias_desc, bias);
  primitive->add(DNNL_ARG_DST, output_desc, output);
  return emit_output(builder, node, std::move(primitive), output);
}

}  // namespace

void add_product_lowerings(Lowerings& table) {
  table["belfry::fused_conv2d"].push_back(lower_conv2d);
  table["belfry::fused_linear"].push_back(lower_linear);
}

}  // namespace belfry::internal
