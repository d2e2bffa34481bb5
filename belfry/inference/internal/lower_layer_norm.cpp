#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/lower_to_primitive.h"
#include "belfry/inference/internal/lowerings.h"

namespace belfry::internal {
namespace {

bool lower_layer_norm(ProgramBuilder& builder, const Node& node) {
  const Tensor x = input_named(node, "input"), scale = input_named(node, "weight"),
               shift = input_named(node, "bias");
  if (node.attribute("normalized_shape").toIntVector().size() != 1 || !scale.defined() || !shift.defined())
    return false;
  const TensorView weight = builder.value(scale), bias = builder.value(shift);
  if (!supported({builder.value(x)}) || x.dtype() != node.outputs()[0].dtype ||
      weight.type() != ElementType::kFloat32 || bias.type() != ElementType::kFloat32)
    return false;
  const TensorView input = as_matrix(builder.dense(x)), output = builder.make_output(node.output());
  const dnnl::layer_normalization_forward::desc desc(
      dnnl::prop_kind::forward_inference, desc_of(input),
      static_cast<float>(node.attribute("eps").toDouble()),
      dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift);
  const dnnl::layer_normalization_forward::primitive_desc description(desc, attributes({}), cpu_engine());
  if (!is_usable(description)) return false;
  auto primitive = make_primitive<dnnl::layer_normalization_forward>(description);
  primitive->add(DNNL_ARG_SRC, desc_of(input), input);
  primitive->add(DNNL_ARG_SCALE, desc_of(weight), weight);
  primitive->add(DNNL_ARG_SHIFT, desc_of(bias), bias);
  primitive->add(DNNL_ARG_DST, desc_of(as_matrix(output)), output);
  return emit_output(builder, node, std::move(primitive), output);
}

}  // namespace

void add_layer_norm_lowerings(Lowerings& table) {
  table["aten::layer_norm"].push_back(lower_layer_norm);
}

}  // namespace belfry::internal
