#include "belfry/compile/internal/primitive.h"

#include <algorithm>

namespace belfry {

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

}  // namespace belfry
