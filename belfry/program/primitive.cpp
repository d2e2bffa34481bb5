#include "belfry/program/primitive.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"

namespace belfry::internal {

using dnnl::memory;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

void Primitive::add(int argument, const memory::desc& desc, TensorView tensor) {
  memories_.push_back(memory(desc, cpu_engine(), DNNL_MEMORY_NONE));
  tensors_.push_back(std::move(tensor));
  last_.push_back(nullptr);
  arguments_.push_back({argument, memories_.back().get()});
}

void Primitive::add(int argument, memory packed) {
  weights_.push_back(std::move(packed));
  arguments_.push_back({argument, weights_.back().get()});
}

// A feed's or a result's memory is another one with each call.
void Primitive::run() {
  for (size_t i = 0; i < memories_.size(); ++i) {
    void* data = tensors_[i].data();
    if (data == last_[i]) continue;
    last_[i] = data;
    dnnl_memory_set_data_handle_v2(memories_[i].get(), data, nullptr);
  }
  dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), stream_.get(),
                                                 static_cast<int>(arguments_.size()), arguments_.data()),
                          "could not run a primitive");
}

std::optional<memory::data_type> data_type(ElementType type) {
  if (type == ElementType::kFloat32) return memory::data_type::f32;
  if (type == ElementType::kBFloat16) return memory::data_type::bf16;
  return std::nullopt;
}

bool supported(std::initializer_list<TensorView> tensors) {
  return std::ranges::all_of(tensors, [](const TensorView& tensor) {
    return !tensor.defined() || (data_type(tensor.type()) && tensor.numel() > 0);
  });
}

memory::desc desc_of(const TensorView& tensor, const std::vector<int64_t>& order) {
  memory::dims sizes, strides;
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    const int64_t axis = order.empty() ? i : order[static_cast<size_t>(i)];
    sizes.push_back(tensor.size(axis));
    strides.push_back(tensor.stride(axis));
  }
  return {sizes, *data_type(tensor.type()), strides};
}

memory::desc image_desc(const TensorView& tensor) {
  return desc_of(tensor, {0, 3, 1, 2});
}

dnnl::primitive_attr attributes(const dnnl::post_ops& ops) {
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
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

}  // namespace belfry::internal
