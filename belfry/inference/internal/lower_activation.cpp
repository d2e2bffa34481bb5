#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lower_to_primitive.h"
#include "belfry/inference/internal/lowerings.h"

namespace belfry::internal {
namespace {

/// An activation that stands alone.
bool lower_activation(ProgramBuilder& builder, const Node& node) {
  const auto activation = activation_of(node);
  if (!activation) return false;
  const Tensor x = node.inputs()[0];
  if (!supported({builder.value(x)})) return false;
  const TensorView input = builder.dense(x);
  const dnnl::memory::desc line({input.numel()}, *data_type(input.type()), dnnl::memory::format_tag::a);
  const auto [algorithm, alpha, beta] = eltwise(*activation);
  const dnnl::eltwise_forward::desc desc(dnnl::prop_kind::forward_inference, algorithm, line, alpha, beta);
  const dnnl::eltwise_forward::primitive_desc description(desc, attributes({}), cpu_engine());
  if (!is_usable(description)) return false;
  const TensorView output = builder.make_output_in_place(node, node.output());
  auto primitive = make_primitive<dnnl::eltwise_forward>(description);
  primitive->add(DNNL_ARG_SRC, line, input);
  primitive->add(DNNL_ARG_DST, line, output);
  return emit_output(builder, node, std::move(primitive), output);
}

}  // namespace

void add_activation_lowerings(Lowerings& table) {
  for (const std::string_view op : activation_operators()) table[op].push_back(lower_activation);
}

}  // namespace belfry::internal
