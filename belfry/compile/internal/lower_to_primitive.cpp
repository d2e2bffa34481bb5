#include <fmt/format.h>

#include <dnnl.hpp>
#include <optional>

#include "belfry/base/error.h"
#include "belfry/compile/internal/fused_op.h"
#include "belfry/compile/internal/program.h"

namespace belfry {
namespace {

using dnnl::memory;
using Dims = memory::dims;

constexpr auto kInference = dnnl::prop_kind::forward_inference;

std::optional<memory::data_type> data_type(DType dtype) {
  if (dtype == kFloat32) return memory::data_type::f32;
  if (dtype == kBFloat16) return memory::data_type::bf16;
  return std::nullopt;
}

bool supported(std::initializer_list<at::Tensor> tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [](const at::Tensor& t) {
    return !t.defined() || (data_type(t.scalar_type()) && t.numel() > 0);
  });
}

/// As it lies in memory, dimensions in the order given by `order`.
memory::desc desc_of(const at::Tensor& tensor, const std::vector<int64_t>& order = {}) {
  Dims sizes, strides;
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    const int64_t axis = order.empty() ? i : order[static_cast<size_t>(i)];
    sizes.push_back(tensor.size(axis));
    strides.push_back(tensor.stride(axis));
  }
  return {sizes, *data_type(tensor.scalar_type()), strides};
}

/// NHWC images, in oneDNN's logical order.
memory::desc image_desc(const at::Tensor& tensor) {
  return desc_of(tensor, {0, 3, 1, 2});
}

/// Per channel of an image.
memory::desc channels_desc(const at::Tensor& tensor, int64_t rank) {
  Dims sizes(static_cast<size_t>(rank), 1), strides(static_cast<size_t>(rank), tensor.numel());
  sizes[1] = tensor.numel();
  strides[1] = 1;
  return {sizes, *data_type(tensor.scalar_type()), strides};
}

memory::desc any_layout(const memory::desc& desc) {
  return {desc.dims(), desc.data_type(), memory::format_tag::any};
}

class Primitive : public Instruction {
 public:
  Primitive(dnnl::primitive primitive, std::string implementation)
      : primitive_(std::move(primitive)), implementation_(std::move(implementation)), stream_(cpu_engine()) {}

  void add(int argument, const memory::desc& desc, at::Tensor tensor) {
    memories_.push_back(memory(desc, cpu_engine(), DNNL_MEMORY_NONE));
    tensors_.push_back(std::move(tensor));
    arguments_.push_back({argument, memories_.back().get()});
  }
  const std::vector<at::Tensor>& tensors() const { return tensors_; }

  void add(int argument, memory packed) {
    weights_.push_back(std::move(packed));
    arguments_.push_back({argument, weights_.back().get()});
  }

  // A feed's or a result's memory is another one with each call.
  void run() override {
    for (size_t i = 0; i < memories_.size(); ++i) {
      void* data = tensors_[i].data_ptr();
      if (data == last_[i]) continue;
      last_[i] = data;
      dnnl_memory_set_data_handle_v2(memories_[i].get(), data, nullptr);
    }
    dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), stream_.get(),
                                                   static_cast<int>(arguments_.size()), arguments_.data()),
                            "could not run a primitive");
  }
  void bind() override { last_.assign(memories_.size(), nullptr); }
  std::string describe() const override { return "onednn " + implementation_; }

 private:
  dnnl::primitive primitive_;
  std::string implementation_;
  dnnl::stream stream_;
  std::vector<memory> memories_, weights_;
  std::vector<at::Tensor> tensors_;
  std::vector<void*> last_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

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

dnnl::primitive_attr attributes(const dnnl::post_ops& ops) {
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

/// False for oneDNN's reference implementations, which are slower than anything else, and for those on its
/// general matrix product: LibTorch exports pieces of its own copy of that (std::call_once for dnnl's
/// gemm_info_t), which the loader then gives to the system's oneDNN too.
template <typename Description>
bool is_usable(const Description& description) {
  const std::string_view name = description.impl_info_str();
  return !name.starts_with("ref") && name.find("gemm:jit") == name.npos && name.find("gemm:any") == name.npos;
}

/// Adds scratch memory, appends the instruction and defines the node's output.
template <typename Description>
void emit(ProgramBuilder& builder, const Node& node, std::unique_ptr<Primitive> primitive,
          const Description& description, const at::Tensor& output) {
  // Primitives that hand their work to others look for scratch memory even where they need none.
  const auto scratch = description.scratchpad_desc();
  primitive->add(DNNL_ARG_SCRATCHPAD, scratch,
                 builder.make({static_cast<int64_t>(scratch.get_size())}, kUInt8));
  const std::vector<at::Tensor> tensors = primitive->tensors();
  builder.emit(node, std::move(primitive), tensors, {output});
  builder.define(node.output(), output);
}

bool lower_conv2d(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  const Tensor &x = op.inputs[0], &residual_tensor = op.inputs[3];
  const at::Tensor filter = builder.value(op.inputs[1]);
  const at::Tensor bias = op.inputs[2].defined() ? builder.value(op.inputs[2]) : at::Tensor();
  if (residual_tensor.defined() && residual_tensor.shape() != node.outputs()[0].shape) return false;
  if (!builder.is_weight(filter) || !supported({builder.value(x), filter, bias})) return false;
  if (residual_tensor.defined() && residual_tensor.dtype() != node.outputs()[0].dtype) return false;

  const at::Tensor input = builder.dense(x);
  const at::Tensor residual = residual_tensor.defined() ? builder.dense(residual_tensor) : at::Tensor();
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

  dnnl::post_ops ops;
  if (residual.defined()) ops.append_binary(dnnl::algorithm::binary_add, image_desc(residual));
  append_activation(ops, op);
  const at::Tensor output = builder.make_output(node.output());
  const memory::desc bias_desc = bias.defined() ? desc_of(bias) : memory::desc();
  const dnnl::convolution_forward::desc desc(
      kInference, dnnl::algorithm::convolution_direct, image_desc(input), any_layout(filter_desc), bias_desc,
      image_desc(output), {strides[0], strides[1]}, dilation, before, after);
  const dnnl::convolution_forward::primitive_desc description(desc, attributes(ops), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive =
      std::make_unique<Primitive>(dnnl::convolution_forward(description), description.impl_info_str());
  primitive->add(DNNL_ARG_SRC, description.src_desc(), input);
  primitive->add(DNNL_ARG_WEIGHTS,
                 builder.prepared().packed(filter, filter_desc, description.weights_desc()));
  if (bias.defined()) primitive->add(DNNL_ARG_BIAS, bias_desc, bias);
  if (residual.defined())
    primitive->add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, image_desc(residual), residual);
  primitive->add(DNNL_ARG_DST, description.dst_desc(), output);
  emit(builder, node, std::move(primitive), description, output);
  return true;
}

/// The last dimension against all others.
at::Tensor as_matrix(const at::Tensor& x) {
  return x.dim() == 2 ? x : x.view({-1, x.size(-1)});
}

bool lower_linear(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  const Tensor &x = op.inputs[0], &residual_tensor = op.inputs[3];
  const at::Tensor weight = builder.value(op.inputs[1]);
  const at::Tensor bias = op.inputs[2].defined() ? builder.value(op.inputs[2]) : at::Tensor();
  if (residual_tensor.defined() && residual_tensor.shape() != node.outputs()[0].shape) return false;
  if (!builder.is_weight(weight) || !supported({builder.value(x), weight, bias})) return false;
  if (bias.defined() && bias.dim() != 1) return false;

  const at::Tensor input = builder.dense(x), matrix = as_matrix(input);
  const at::Tensor residual = residual_tensor.defined() ? builder.dense(residual_tensor) : at::Tensor();
  dnnl::post_ops ops;
  if (residual.defined()) ops.append_binary(dnnl::algorithm::binary_add, desc_of(as_matrix(residual)));
  append_activation(ops, op);
  const at::Tensor output = builder.make_output(node.output());
  const memory::desc weight_desc = desc_of(weight, {1, 0}),
                     bias_desc = bias.defined() ? desc_of(bias) : memory::desc();
  const dnnl::inner_product_forward::desc desc(kInference, desc_of(matrix), any_layout(weight_desc),
                                               bias_desc, desc_of(as_matrix(output)));
  const dnnl::inner_product_forward::primitive_desc description(desc, attributes(ops), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive =
      std::make_unique<Primitive>(dnnl::inner_product_forward(description), description.impl_info_str());
  primitive->add(DNNL_ARG_SRC, description.src_desc(), matrix);
  primitive->add(DNNL_ARG_WEIGHTS,
                 builder.prepared().packed(weight, weight_desc, description.weights_desc()));
  if (bias.defined()) primitive->add(DNNL_ARG_BIAS, bias_desc, bias);
  if (residual.defined())
    primitive->add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, desc_of(as_matrix(residual)),
                   residual);
  primitive->add(DNNL_ARG_DST, description.dst_desc(), output);
  emit(builder, node, std::move(primitive), description, output);
  return true;
}

bool lower_scale_shift(ProgramBuilder& builder, const Node& node) {
  const OpParts op(node);
  const at::Tensor scale = builder.value(op.inputs[1]), shift = builder.value(op.inputs[2]);
  if (!supported({builder.value(op.inputs[0]), scale, shift}) || scale.dim() != 1 || shift.dim() != 1)
    return false;
  const at::Tensor input = as_matrix(builder.dense(op.inputs[0]));
  const at::Tensor output = builder.make_output_in_place(node, node.output());
  const memory::desc channels = channels_desc(scale, 2);
  dnnl::post_ops ops;
  ops.append_binary(dnnl::algorithm::binary_add, channels);
  append_activation(ops, op);
  const dnnl::binary::desc desc(dnnl::algorithm::binary_mul, desc_of(input), channels,
                                desc_of(as_matrix(output)));
  const dnnl::binary::primitive_desc description(desc, attributes(ops), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = std::make_unique<Primitive>(dnnl::binary(description), description.impl_info_str());
  primitive->add(DNNL_ARG_SRC_0, desc_of(input), input);
  primitive->add(DNNL_ARG_SRC_1, channels, scale);
  primitive->add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, channels, shift);
  primitive->add(DNNL_ARG_DST, desc_of(as_matrix(output)), output);
  emit(builder, node, std::move(primitive), description, output);
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
  auto primitive =
      std::make_unique<Primitive>(dnnl::eltwise_forward(description), description.impl_info_str());
  primitive->add(DNNL_ARG_SRC, line, input);
  primitive->add(DNNL_ARG_DST, line, output);
  emit(builder, node, std::move(primitive), description, output);
  return true;
}

bool lower_layer_norm(ProgramBuilder& builder, const Node& node) {
  const Tensor x = input_named(node, "input"), scale = input_named(node, "weight"),
               shift = input_named(node, "bias");
  if (node.attribute("normalized_shape").toIntVector().size() != 1 || !scale.defined() || !shift.defined())
    return false;
  const at::Tensor weight = builder.value(scale), bias = builder.value(shift);
  if (builder.value(x).scalar_type() != kFloat32 || weight.scalar_type() != kFloat32 ||
      bias.scalar_type() != kFloat32)
    return false;
  const at::Tensor input = as_matrix(builder.dense(x)), output = builder.make_output(node.output());
  const dnnl::layer_normalization_forward::desc desc(
      kInference, desc_of(input), static_cast<float>(node.attribute("eps").toDouble()),
      dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift);
  const dnnl::layer_normalization_forward::primitive_desc description(desc, attributes({}), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = std::make_unique<Primitive>(dnnl::layer_normalization_forward(description),
                                               description.impl_info_str());
  primitive->add(DNNL_ARG_SRC, desc_of(input), input);
  primitive->add(DNNL_ARG_SCALE, desc_of(weight), weight);
  primitive->add(DNNL_ARG_SHIFT, desc_of(bias), bias);
  primitive->add(DNNL_ARG_DST, desc_of(as_matrix(output)), output);
  emit(builder, node, std::move(primitive), description, output);
  return true;
}

bool lower_pool2d(ProgramBuilder& builder, const Node& node, dnnl::algorithm algorithm) {
  const OpParts op(node);
  if (op.get<std::string>("data_format") != "NHWC" || !supported({builder.value(op.inputs[0])})) return false;
  const at::Tensor input = builder.dense(op.inputs[0]);
  const auto kernel = op.get<std::vector<int64_t>>("kernel"),
             strides = op.get<std::vector<int64_t>>("strides");
  const Shape& out = node.outputs()[0].shape;
  Dims before, after;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t total =
        op.get<std::string>("padding") == "SAME"
            ? std::max<int64_t>(
                  (out[i + 1] - 1) * strides[i] + kernel[i] - input.size(static_cast<int64_t>(i) + 1), 0)
            : 0;
    before.push_back(total / 2);
    after.push_back(total - total / 2);
  }
  const at::Tensor output = builder.make_output(node.output());
  const dnnl::pooling_v2_forward::desc desc(kInference, algorithm, image_desc(input), image_desc(output),
                                            {strides[0], strides[1]}, {kernel[0], kernel[1]}, {0, 0}, before,
                                            after);
  const dnnl::pooling_v2_forward::primitive_desc description(desc, attributes({}), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive =
      std::make_unique<Primitive>(dnnl::pooling_v2_forward(description), description.impl_info_str());
  primitive->add(DNNL_ARG_SRC, image_desc(input), input);
  primitive->add(DNNL_ARG_DST, image_desc(output), output);
  emit(builder, node, std::move(primitive), description, output);
  return true;
}

}  // namespace

bool lower_to_primitive(ProgramBuilder& builder, const Node& node) {
  const std::string op = node.op_name();
  if (op == "belfry::fused_conv2d") return lower_conv2d(builder, node);
  if (op == "belfry::fused_linear") return lower_linear(builder, node);
  if (op == "belfry::fused_scale_shift") return lower_scale_shift(builder, node);
  if (op == "aten::layer_norm") return lower_layer_norm(builder, node);
  if (const auto activation = activation_of(node)) return lower_activation(builder, node, *activation);
  if (op == "belfry::max_pool2d") return lower_pool2d(builder, node, dnnl::algorithm::pooling_max);
  if (op == "belfry::avg_pool2d")
    return lower_pool2d(builder, node, dnnl::algorithm::pooling_avg_exclude_padding);
  return false;
}

}  // namespace belfry
