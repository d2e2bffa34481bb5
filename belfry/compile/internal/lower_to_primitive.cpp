#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/compile/internal/fused_op.h"
#include "belfry/compile/internal/primitive.h"

namespace belfry {
namespace {

using dnnl::memory;
using Dims = memory::dims;

constexpr auto kInference = dnnl::prop_kind::forward_inference;

/// NHWC images, in oneDNN's logical order.
memory::desc image_desc(const NodeOutput& output) {
  const Shape& s = output.shape;
  return {{s[0], s[3], s[1], s[2]}, *data_type(output.dtype), memory::format_tag::nhwc};
}
memory::desc image_desc(const at::Tensor& tensor) {
  return desc_of(tensor, {0, 3, 1, 2});
}

/// Per channel of an image.
memory::desc channels_desc(const at::Tensor& tensor) {
  return {{1, tensor.numel()}, *data_type(tensor.scalar_type()), memory::format_tag::ab};
}

memory::desc any_layout(const memory::desc& desc) {
  return {desc.dims(), desc.data_type(), memory::format_tag::any};
}

/// An activation in oneDNN's words.
struct Eltwise {
  dnnl::algorithm algorithm;
  float alpha, beta;
};
Eltwise eltwise(const ActivationSpec& activation) {
  using dnnl::algorithm;
  const float alpha = static_cast<float>(activation.alpha), beta = static_cast<float>(activation.beta);
  if (activation.name == "relu") return {algorithm::eltwise_relu, 0, 0};
  if (activation.name == "clamp") return {algorithm::eltwise_clip, alpha, beta};
  if (activation.name == "sigmoid") return {algorithm::eltwise_logistic, 0, 0};
  if (activation.name == "tanh") return {algorithm::eltwise_tanh, 0, 0};
  if (activation.name == "gelu") return {algorithm::eltwise_gelu_erf, 0, 0};
  if (activation.name == "gelu_tanh") return {algorithm::eltwise_gelu_tanh, 0, 0};
  if (activation.name == "silu") return {algorithm::eltwise_swish, 1, 0};
  if (activation.name == "leaky_relu") return {algorithm::eltwise_relu, alpha, 0};
  if (activation.name == "hardswish") return {algorithm::eltwise_hardswish, 0, 0};
  if (activation.name == "elu") return {algorithm::eltwise_elu, alpha, 0};
  throw InternalError(fmt::format("[compile] unknown activation '{}'", activation.name));
}

/// The activation that a fused operator ends in.
void append_activation(dnnl::post_ops& ops, const OpParts& op) {
  if (!op.has_activation()) return;
  const auto [algorithm, alpha, beta] =
      eltwise({op.get<std::string>("activation"), op.get<double>("alpha"), op.get<double>("beta")});
  ops.append_eltwise(1.f, algorithm, alpha, beta);
}

/// Convolutions and linear operators add to what their output's memory holds. Where that is not the residual
/// already, a copy comes before: still faster than to read it from elsewhere, which oneDNN's best
/// implementations do not.
at::Tensor make_output(ProgramBuilder& builder, const Node& node, const Tensor& residual) {
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
  const at::Tensor weights = builder.value(op.inputs[1]);
  const at::Tensor bias = op.inputs[2].defined() ? builder.value(op.inputs[2]) : at::Tensor();
  return builder.is_weight(weights) && supported({builder.value(op.inputs[0]), weights, bias}) &&
         (!bias.defined() || bias.dim() == 1);
}

bool lower_conv2d(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  if (!has_primitive_form(builder, node, op)) return false;
  const at::Tensor input = builder.dense(op.inputs[0]), filter = builder.value(op.inputs[1]);
  const at::Tensor bias = op.inputs[2].defined() ? builder.value(op.inputs[2]) : at::Tensor();
  const int64_t groups = op.get<int64_t>("groups");
  const auto strides = op.get<std::vector<int64_t>>("strides"),
             dilations = op.get<std::vector<int64_t>>("dilations"),
             pads = op.get<std::vector<int64_t>>("pads");
  // [H, W, I, O] seen as [O, I, H, W], or [G, O/G, I, H, W].
  const at::Tensor grouped = groups == 1 ? filter : filter.unflatten(3, {groups, filter.size(3) / groups});
  const memory::desc filter_desc =
      groups == 1 ? desc_of(grouped, {3, 2, 0, 1}) : desc_of(grouped, {3, 4, 2, 0, 1});
  const Shape& out = node.outputs()[0].shape;
  Dims before, after, dilation;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t axis = static_cast<int64_t>(i), extent = (filter.size(axis) - 1) * dilations[i] + 1;
    int64_t total = 0;
    if (op.get<std::string>("padding") == "SAME") {
      const int64_t size = input.size(axis + 1) + pads[2 * i] + pads[2 * i + 1];
      total = std::max<int64_t>((out[i + 1] - 1) * strides[i] + extent - size, 0);
    }
    before.push_back(pads[2 * i] + total / 2);
    after.push_back(pads[2 * i + 1] + total - total / 2);
    dilation.push_back(dilations[i] - 1);
  }

  const memory::desc bias_desc = bias.defined() ? desc_of(bias) : memory::desc();
  const dnnl::convolution_forward::desc desc(
      kInference, dnnl::algorithm::convolution_direct, image_desc(input), any_layout(filter_desc), bias_desc,
      image_desc(node.outputs()[0]), {strides[0], strides[1]}, dilation, before, after);
  const dnnl::convolution_forward::primitive_desc description(desc, attributes(sum_and_activation(op)),
                                                              cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = std::make_unique<Primitive>(dnnl::convolution_forward(description), description);
  const at::Tensor output = make_output(builder, node, op.inputs[3]);
  primitive->add(DNNL_ARG_SRC, description.src_desc(), input);
  primitive->add(DNNL_ARG_WEIGHTS,
                 builder.prepared().packed(filter, filter_desc, description.weights_desc()));
  if (bias.defined()) primitive->add(DNNL_ARG_BIAS, bias_desc, bias);
  primitive->add(DNNL_ARG_DST, description.dst_desc(), output);
  emit(builder, node, std::move(primitive), output);
  builder.define(node.output(), output);
  return true;
}

/// The last dimension against all others.
at::Tensor as_matrix(const at::Tensor& x) {
  return x.dim() == 2 ? x : x.view({-1, x.size(-1)});
}

bool lower_linear(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  if (!has_primitive_form(builder, node, op)) return false;
  const at::Tensor input = as_matrix(builder.dense(op.inputs[0])), weight = builder.value(op.inputs[1]);
  const at::Tensor bias = op.inputs[2].defined() ? builder.value(op.inputs[2]) : at::Tensor();
  const memory::desc weight_desc = desc_of(weight, {1, 0}),
                     bias_desc = bias.defined() ? desc_of(bias) : memory::desc(),
                     output_desc({input.size(0), weight.size(1)}, *data_type(node.outputs()[0].dtype),
                                 memory::format_tag::ab);
  const dnnl::inner_product_forward::desc desc(kInference, desc_of(input), any_layout(weight_desc), bias_desc,
                                               output_desc);
  const dnnl::inner_product_forward::primitive_desc description(desc, attributes(sum_and_activation(op)),
                                                                cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = std::make_unique<Primitive>(dnnl::inner_product_forward(description), description);
  const at::Tensor output = make_output(builder, node, op.inputs[3]);
  primitive->add(DNNL_ARG_SRC, description.src_desc(), input);
  primitive->add(DNNL_ARG_WEIGHTS,
                 builder.prepared().packed(weight, weight_desc, description.weights_desc()));
  if (bias.defined()) primitive->add(DNNL_ARG_BIAS, bias_desc, bias);
  primitive->add(DNNL_ARG_DST, output_desc, output);
  emit(builder, node, std::move(primitive), output);
  builder.define(node.output(), output);
  return true;
}

bool lower_scale_shift_primitive(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  const at::Tensor scale = builder.value(op.inputs[1]), shift = builder.value(op.inputs[2]);
  if (!supported({builder.value(op.inputs[0]), scale, shift}) || scale.dim() != 1 || shift.dim() != 1)
    return false;
  const at::Tensor input = as_matrix(builder.dense(op.inputs[0]));
  const at::Tensor output = builder.make_output_in_place(node, node.output());
  const memory::desc channels = channels_desc(scale);
  dnnl::post_ops ops;
  ops.append_binary(dnnl::algorithm::binary_add, channels);
  append_activation(ops, op);
  const dnnl::binary::desc desc(dnnl::algorithm::binary_mul, desc_of(input), channels,
                                desc_of(as_matrix(output)));
  const dnnl::binary::primitive_desc description(desc, attributes(ops), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = std::make_unique<Primitive>(dnnl::binary(description), description);
  primitive->add(DNNL_ARG_SRC_0, desc_of(input), input);
  primitive->add(DNNL_ARG_SRC_1, channels, scale);
  primitive->add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, channels, shift);
  primitive->add(DNNL_ARG_DST, desc_of(as_matrix(output)), output);
  emit(builder, node, std::move(primitive), output);
  builder.define(node.output(), output);
  return true;
}

/// An activation that stands alone.
bool lower_activation(ProgramBuilder& builder, const Node& node, const ActivationSpec& activation) {
  const Tensor x = node.inputs()[0];
  if (!supported({builder.value(x)})) return false;
  const at::Tensor input = builder.dense(x);
  const memory::desc line({input.numel()}, *data_type(input.scalar_type()), memory::format_tag::a);
  const auto [algorithm, alpha, beta] = eltwise(activation);
  const dnnl::eltwise_forward::desc desc(kInference, algorithm, line, alpha, beta);
  const dnnl::eltwise_forward::primitive_desc description(desc, attributes({}), cpu_engine());
  if (!is_usable(description)) return false;
  const at::Tensor output = builder.make_output_in_place(node, node.output());
  auto primitive = std::make_unique<Primitive>(dnnl::eltwise_forward(description), description);
  primitive->add(DNNL_ARG_SRC, line, input);
  primitive->add(DNNL_ARG_DST, line, output);
  emit(builder, node, std::move(primitive), output);
  builder.define(node.output(), output);
  return true;
}

bool lower_layer_norm(ProgramBuilder& builder, const Node& node) {
  const Tensor x = input_named(node, "input"), scale = input_named(node, "weight"),
               shift = input_named(node, "bias");
  if (node.attribute("normalized_shape").toIntVector().size() != 1 || !scale.defined() || !shift.defined())
    return false;
  const at::Tensor weight = builder.value(scale), bias = builder.value(shift);
  if (!supported({builder.value(x)}) || x.dtype() != node.outputs()[0].dtype ||
      weight.scalar_type() != kFloat32 || bias.scalar_type() != kFloat32)
    return false;
  const at::Tensor input = as_matrix(builder.dense(x)), output = builder.make_output(node.output());
  const dnnl::layer_normalization_forward::desc desc(
      kInference, desc_of(input), static_cast<float>(node.attribute("eps").toDouble()),
      dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift);
  const dnnl::layer_normalization_forward::primitive_desc description(desc, attributes({}), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = std::make_unique<Primitive>(dnnl::layer_normalization_forward(description), description);
  primitive->add(DNNL_ARG_SRC, desc_of(input), input);
  primitive->add(DNNL_ARG_SCALE, desc_of(weight), weight);
  primitive->add(DNNL_ARG_SHIFT, desc_of(bias), bias);
  primitive->add(DNNL_ARG_DST, desc_of(as_matrix(output)), output);
  emit(builder, node, std::move(primitive), output);
  builder.define(node.output(), output);
  return true;
}

/// Windows over height and width; `before` and `after`: padding, which an average does not count.
struct Windows {
  Dims kernel, strides, before, after;
};

bool lower_pooling(ProgramBuilder& builder, const Node& node, dnnl::algorithm algorithm,
                   const Windows& windows) {
  // oneDNN adds one value after the other: of a million equal ones it loses 1 %.
  constexpr int64_t kMostSummed = 256;
  if (algorithm != dnnl::algorithm::pooling_max && windows.kernel[0] * windows.kernel[1] > kMostSummed)
    return false;
  const at::Tensor input = builder.dense(node.inputs()[0]);
  const Dims sizes = image_desc(input).dims();
  Dims out = {sizes[0], sizes[1]};
  for (size_t i = 0; i < 2; ++i) {
    out.push_back(
        (sizes[i + 2] + windows.before[i] + windows.after[i] - windows.kernel[i]) / windows.strides[i] + 1);
  }
  const memory::desc output_desc(out, *data_type(input.scalar_type()), memory::format_tag::nhwc);
  const dnnl::pooling_v2_forward::desc desc(kInference, algorithm, image_desc(input), output_desc,
                                            windows.strides, windows.kernel, {0, 0}, windows.before,
                                            windows.after);
  const dnnl::pooling_v2_forward::primitive_desc description(desc, attributes({}), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = std::make_unique<Primitive>(dnnl::pooling_v2_forward(description), description);
  const at::Tensor output = builder.make_output(node.output());
  primitive->add(DNNL_ARG_SRC, image_desc(input), input);
  primitive->add(DNNL_ARG_DST, output_desc, output);
  emit(builder, node, std::move(primitive), output);
  builder.define(node.output(), output);
  return true;
}

bool lower_pool2d(ProgramBuilder& builder, const Node& node, dnnl::algorithm algorithm) {
  const OpParts op(node);
  if (op.get<std::string>("data_format") != "NHWC" || !supported({builder.value(op.inputs[0])})) return false;
  const Shape &in = op.inputs[0].shape(), &out = node.outputs()[0].shape;
  Windows windows{.kernel = op.get<std::vector<int64_t>>("kernel"),
                  .strides = op.get<std::vector<int64_t>>("strides")};
  for (size_t i = 0; i < 2; ++i) {
    const int64_t needed = (out[i + 1] - 1) * windows.strides[i] + windows.kernel[i] - in[i + 1];
    const int64_t total = op.get<std::string>("padding") == "SAME" ? std::max<int64_t>(needed, 0) : 0;
    windows.before.push_back(total / 2);
    windows.after.push_back(total - total / 2);
  }
  return lower_pooling(builder, node, algorithm, windows);
}

/// The mean of small images is a pooling with one window, which is several times faster.
bool lower_mean(ProgramBuilder& builder, const Node& node) {
  const Tensor x = node.inputs()[0];
  const c10::IValue dims = node.attribute("dim");
  if (x.rank() != 4 || !dims.isIntList() || x.dtype() != node.outputs()[0].dtype ||
      !supported({builder.value(x)}))
    return false;
  std::vector<int64_t> axes = dims.toIntVector();
  for (int64_t& axis : axes) axis = axis < 0 ? axis + 4 : axis;
  std::sort(axes.begin(), axes.end());
  if (axes != std::vector<int64_t>{1, 2}) return false;
  return lower_pooling(
      builder, node, dnnl::algorithm::pooling_avg_exclude_padding,
      {.kernel = {x.dim(1), x.dim(2)}, .strides = {1, 1}, .before = {0, 0}, .after = {0, 0}});
}

}  // namespace

bool lower_to_primitive(ProgramBuilder& builder, const Node& node) {
  const std::string op = node.op_name();
  if (op == "belfry::fused_conv2d") return lower_conv2d(builder, node);
  if (op == "belfry::fused_linear") return lower_linear(builder, node);
  if (op == "belfry::fused_scale_shift") return lower_scale_shift_primitive(builder, node);
  if (op == "aten::layer_norm") return lower_layer_norm(builder, node);
  if (op == "aten::mean.dim") return lower_mean(builder, node);
  if (const auto activation = activation_of(node)) return lower_activation(builder, node, *activation);
  if (op == "belfry::max_pool2d") return lower_pool2d(builder, node, dnnl::algorithm::pooling_max);
  if (op == "belfry::avg_pool2d")
    return lower_pool2d(builder, node, dnnl::algorithm::pooling_avg_exclude_padding);
  return false;
}

}  // namespace belfry
