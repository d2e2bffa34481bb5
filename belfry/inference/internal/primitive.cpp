#include "belfry/inference/internal/primitive.h"

#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"

namespace belfry::internal {

using dnnl::memory;

void Primitive::add(int argument, const memory::desc& desc, at::Tensor tensor) {
  memories_.push_back(memory(desc, cpu_engine(), DNNL_MEMORY_NONE));
  tensors_.push_back(std::move(tensor));
  arguments_.push_back({argument, memories_.back().get()});
}

void Primitive::add(int argument, memory packed) {
  weights_.push_back(std::move(packed));
  arguments_.push_back({argument, weights_.back().get()});
}

// A feed's or a result's memory is another one with each call.
void Primitive::run() {
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

void emit(ProgramBuilder& builder, const Node& node, std::unique_ptr<Primitive> primitive,
          const at::Tensor& output) {
  // Primitives that hand their work to others look for scratch memory even where they need none.
  const memory::desc scratchpad = primitive->scratchpad_;
  primitive->add(DNNL_ARG_SCRATCHPAD, scratchpad,
                 builder.make({static_cast<int64_t>(scratchpad.get_size())}, kUInt8));
  const std::vector<at::Tensor> tensors = primitive->tensors_;
  builder.emit(node, std::move(primitive), tensors, {output});
}

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

memory::desc desc_of(const at::Tensor& tensor, const std::vector<int64_t>& order) {
  memory::dims sizes, strides;
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    const int64_t axis = order.empty() ? i : order[static_cast<size_t>(i)];
    sizes.push_back(tensor.size(axis));
    strides.push_back(tensor.stride(axis));
  }
  return {sizes, *data_type(tensor.scalar_type()), strides};
}

dnnl::primitive_attr attributes(const dnnl::post_ops& ops) {
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

bool emit_output(ProgramBuilder& builder, const Node& node, std::unique_ptr<Primitive> primitive,
                 const at::Tensor& output) {
  emit(builder, node, std::move(primitive), output);
  builder.define(node.output(), output);
  return true;
}

dnnl::memory::desc image_desc(const NodeOutput& output) {
  const Shape& s = output.shape;
  return {{s[0], s[3], s[1], s[2]}, *data_type(output.dtype), dnnl::memory::format_tag::nhwc};
}
dnnl::memory::desc image_desc(const at::Tensor& tensor) {
  return desc_of(tensor, {0, 3, 1, 2});
}

at::Tensor as_matrix(const at::Tensor& x) {
  return x.dim() == 2 ? x : x.view({-1, x.size(-1)});
}

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

void append_activation(dnnl::post_ops& ops, const OpParts& op) {
  if (!op.has_activation()) return;
  const auto [algorithm, alpha, beta] =
      eltwise({op.get<std::string>("activation"), op.get<double>("alpha"), op.get<double>("beta")});
  ops.append_eltwise(1.f, algorithm, alpha, beta);
}

}  // namespace belfry::internal
