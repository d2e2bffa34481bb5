#include "belfry/compile/internal/fused_op.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/function.h"
#include "belfry/ops/call.h"

namespace belfry {
namespace {

Attribute to_attribute(const c10::IValue& value) {
  if (value.isInt()) return value.toInt();
  if (value.isDouble()) return value.toDouble();
  if (value.isBool()) return value.toBool();
  if (value.isString()) return value.toStringRef();
  return value.toIntVector();
}

}  // namespace

OpParts::OpParts(const Node& node) : op(node.op_name()) {
  const auto& arguments = node.op().schema().arguments();
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].kwarg_only()) {
      attributes.emplace_back(arguments[i].name(), to_attribute(node.arguments()[i].constant));
    } else {
      inputs.push_back(input_named(node, arguments[i].name()));
    }
  }
}

const Attribute& OpParts::find(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name) return value;
  }
  throw InternalError(fmt::format("[compile] {} has no attribute '{}'", op, name));
}

Tensor OpParts::build(const std::string& name) const {
  return call(op, inputs, attributes, name + "/");  // the slash: not under the current scope
}

Tensor input_named(const Node& node, std::string_view argument) {
  const auto index = node.op().schema().argumentIndexWithName(argument);
  if (!index) return {};
  const auto& inputs = node.arguments()[*index].inputs;
  return inputs.empty() || inputs[0] < 0 ? Tensor() : node.inputs()[static_cast<size_t>(inputs[0])];
}

std::optional<OpParts> fused_op(const Node& node) {
  if (node.kind() != NodeKind::kCall || !node.op_name().starts_with("belfry::fused_")) return std::nullopt;
  return OpParts(node);
}

std::optional<ActivationSpec> activation_of(const Node& node) {
  const std::string op = node.op_name();
  auto number = [&](const char* name) { return node.attribute(name).toScalar().toDouble(); };
  if (op == "aten::relu") return ActivationSpec{"relu"};
  if (op == "aten::relu6") return ActivationSpec{"clamp", 0, 6};
  if (op == "aten::sigmoid") return ActivationSpec{"sigmoid"};
  if (op == "aten::tanh") return ActivationSpec{"tanh"};
  if (op == "aten::silu") return ActivationSpec{"silu"};
  if (op == "aten::hardswish") return ActivationSpec{"hardswish"};
  if (op == "aten::gelu") {
    return ActivationSpec{node.attribute("approximate").toStringRef() == "tanh" ? "gelu_tanh" : "gelu"};
  }
  if (op == "aten::leaky_relu") return ActivationSpec{"leaky_relu", number("negative_slope")};
  if (op == "aten::elu" && number("scale") == 1 && number("input_scale") == 1)
    return ActivationSpec{"elu", number("alpha")};
  if (op == "aten::clamp" && node.attribute("min").isScalar() && node.attribute("max").isScalar())
    return ActivationSpec{"clamp", number("min"), number("max")};
  return std::nullopt;
}

}  // namespace belfry
