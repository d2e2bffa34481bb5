#include "belfry/graph/special_nodes.h"

#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"

namespace belfry {
namespace {

Tensor add_placeholder(const TensorSpec& spec, const std::vector<Tensor>& inputs) {
  return default_graph()
      .add_special(NodeKind::kPlaceholder, "belfry::placeholder", inputs,
                   {{"dtype", spec.dtype}, {"shape", spec.shape}}, spec.name, {{spec.dtype, spec.shape}})
      .output();
}

}  // namespace

Tensor add_placeholder(const TensorSpec& spec) {
  return add_placeholder(spec, std::vector<Tensor>());
}

Tensor add_placeholder(const TensorSpec& spec, const Tensor& default_value) {
  return add_placeholder(spec, std::vector<Tensor>{default_value});
}

Tensor add_constant(const at::Tensor& value, const std::string& name) {
  return default_graph()
      .add_special(NodeKind::kConstant, "belfry::constant", {}, {{"value", value}}, name,
                   {{value.scalar_type(), value.sizes().vec()}})
      .output();
}

}  // namespace belfry
