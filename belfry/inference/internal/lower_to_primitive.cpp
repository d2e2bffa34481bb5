#include "belfry/inference/internal/lower_to_primitive.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace belfry::internal {

void emit(ProgramBuilder& builder, const Node& node, std::unique_ptr<Primitive> primitive,
          const std::vector<TensorView>& outputs) {
  // Primitives that hand their work to others look for scratch memory even where they need none.
  const dnnl::memory::desc scratchpad = primitive->scratchpad();
  primitive->add(DNNL_ARG_SCRATCHPAD, scratchpad,
                 builder.make({static_cast<int64_t>(scratchpad.get_size())}, kUInt8));
  const std::vector<TensorView> tensors = primitive->tensors();
  builder.emit(node, std::move(primitive), tensors, outputs);
}

bool emit_output(ProgramBuilder& builder, const Node& node, std::unique_ptr<Primitive> primitive,
                 const TensorView& output) {
  emit(builder, node, std::move(primitive), {output});
  builder.define(node.output(), output);
  return true;
}

Padding padding_of(const OpParts& op, int64_t size, int64_t extent, int64_t stride, int64_t outputs) {
  if (op.get<std::string>("padding") != "SAME") return {};
  const int64_t total = std::max<int64_t>((outputs - 1) * stride + extent - size, 0);
  return {total / 2, total - total / 2};
}

dnnl::memory::desc any_layout(const dnnl::memory::desc& desc, dnnl::memory::data_type type) {
  return {desc.dims(), type, dnnl::memory::format_tag::any};
}

dnnl::memory::desc filter_desc(const TensorView& filter, int64_t groups) {
  return groups == 1 ? desc_of(filter, {3, 2, 0, 1})
                     : desc_of(filter.unflatten(3, {groups, filter.size(3) / groups}), {3, 4, 2, 0, 1});
}

dnnl::memory::desc image_desc(const NodeOutput& output) {
  const Shape& s = output.shape;
  return {{s[0], s[3], s[1], s[2]}, *data_type(element_type(output.dtype)), dnnl::memory::format_tag::nhwc};
}

void append_activation(dnnl::post_ops& ops, const OpParts& op) {
  if (!op.has_activation()) return;
  const auto [algorithm, alpha, beta] =
      eltwise({op.get<std::string>("activation"), op.get<double>("alpha"), op.get<double>("beta")});
  ops.append_eltwise(1.f, algorithm, alpha, beta);
}

TensorView bias_of(ProgramBuilder& builder, const Tensor& tensor) {
  if (!tensor.defined()) return {};
  const TensorView weight = builder.weight_of(tensor);
  return weight.defined() ? weight : builder.value(tensor);
}

}  // namespace belfry::internal
