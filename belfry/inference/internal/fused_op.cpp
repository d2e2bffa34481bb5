#include "belfry/inference/internal/fused_op.h"

#include <fmt/format.h>

#include <unordered_map>

#include "belfry/base/error.h"
#include "belfry/graph/arguments_of.h"
#include "belfry/ops/call.h"

namespace belfry::internal {
namespace {

Attribute to_attribute(const c10::IValue& value) {
  if (value.isNone()) return {};
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

bool is_call(const Node& node, std::string_view op) {
  return node.kind() == NodeKind::kCall && node.op_name() == op;
}

Tensor input_named(const Node& node, std::string_view argument) {
  const ArgumentsOf arguments(node);
  return arguments.takes(argument) ? arguments.tensor(argument) : Tensor();
}

bool is_unannounced_view(const Node& node) {
  return is_call(node, "belfry::slice") || is_call(node, "belfry::split");
}

std::optional<OpParts> fused_op(const Node& node) {
  if (node.kind() != NodeKind::kCall || !node.op_name().starts_with("belfry::fused_")) return std::nullopt;
  return OpParts(node);
}

namespace {

double number(const Node& node, const char* name) {
  return node.attribute(name).toScalar().toDouble();
}

using ReadActivation = std::optional<ActivationSpec> (*)(const Node&);

const std::unordered_map<std::string_view, ReadActivation>& activations() {
  using Spec = ActivationSpec;
  using Result = std::optional<ActivationSpec>;
  static const std::unordered_map<std::string_view, ReadActivation> table = {
      {"aten::relu", [](const Node&) -> Result { return Spec{"relu"}; }},
      {"aten::relu6",
       [](const Node&) -> Result {
         return Spec{"clamp", 0, 6};
       }},
      {"aten::sigmoid", [](const Node&) -> Result { return Spec{"sigmoid"}; }},
      {"aten::tanh", [](const Node&) -> Result { return Spec{"tanh"}; }},
      {"aten::silu", [](const Node&) -> Result { return Spec{"silu"}; }},
      {"aten::hardswish", [](const Node&) -> Result { return Spec{"hardswish"}; }},
      {"aten::gelu",
       [](const Node& node) -> Result {
         return Spec{node.attribute("approximate").toStringRef() == "tanh" ? "gelu_tanh" : "gelu"};
       }},
      {"aten::leaky_relu",
       [](const Node& node) -> Result {
         return Spec{"leaky_relu", number(node, "negative_slope")};
       }},
      {"aten::elu",
       [](const Node& node) -> Result {
         if (number(node, "scale") != 1 || number(node, "input_scale") != 1) return std::nullopt;
         return Spec{"elu", number(node, "alpha")};
       }},
      {"aten::clamp",
       [](const Node& node) -> Result {
         if (!node.attribute("min").isScalar() || !node.attribute("max").isScalar()) return std::nullopt;
         return Spec{"clamp", number(node, "min"), number(node, "max")};
       }},
  };
  return table;
}

}  // namespace

std::optional<ActivationSpec> activation_of(const Node& node) {
  const auto found = activations().find(node.op_name());
  return found == activations().end() ? std::nullopt : found->second(node);
}

std::vector<std::string_view> activation_operators() {
  std::vector<std::string_view> names;
  for (const auto& [name, read] : activations()) names.push_back(name);
  return names;
}

}  // namespace belfry::internal
