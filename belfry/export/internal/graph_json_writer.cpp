#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "belfry/base/error.h"
#include "belfry/export/internal/graph_json.h"

namespace belfry::internal {
namespace {

using json = nlohmann::ordered_json;

/// JSON has no infinity and no NaN.
json number(double value) {
  if (std::isfinite(value)) return value;
  return {{"float", std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf"}};
}

template <typename Values>
json list(const Values& values) {
  json result = json::array();
  for (const auto& value : values) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) {
      result.push_back(number(value));
    } else {
      result.push_back(static_cast<int64_t>(value));
    }
  }
  return result;
}

class Writer {
 public:
  explicit Writer(const FrozenGraph& graph) : graph_(graph) {}

  WrittenGraph write() {
    for (const auto& [tensor, value] : graph_.values)
      result_.weights.emplace_back(public_name(tensor), value);
    json root{{"version", kGraphVersion},
              {"inputs", json::array()},
              {"nodes", json::array()},
              {"outputs", json::array()}};
    for (const Tensor& input : graph_.inputs) {
      root["inputs"].push_back(
          {{"name", public_name(input)}, {"dtype", to_string(input.dtype())}, {"shape", input.shape()}});
    }
    for (const Node* node : graph_.nodes) root["nodes"].push_back(describe_node(*node));
    for (const Tensor& output : graph_.outputs)
      root["outputs"].push_back({{"name", public_name(output)}, {"tensor", reference(output)}});
    result_.json = root.dump();
    return std::move(result_);
  }

 private:
  std::string reference(const Tensor& tensor) const { return public_name(graph_.source(tensor)); }

  json describe_node(const Node& node) {
    json arguments = json::object();
    for (size_t i = 0; i < node.arguments().size(); ++i) {
      const c10::Argument& declared = node.op().schema().arguments()[i];
      if (auto value = argument(node, declared, node.arguments()[i])) arguments[declared.name()] = *value;
    }
    json outputs = json::array();
    for (const NodeOutput& output : node.outputs())
      outputs.push_back({{"dtype", to_string(output.dtype)}, {"shape", output.shape}});
    return {{"name", node.name()}, {"op", node.op_name()}, {"arguments", arguments}, {"outputs", outputs}};
  }

  /// None for an argument that is left to its default.
  std::optional<json> argument(const Node& node, const c10::Argument& declared, const Argument& given) {
    if (given.kind == Argument::Kind::kInput)
      return json{{"tensor", reference(node.inputs()[static_cast<size_t>(given.inputs[0])])}};
    if (given.kind == Argument::Kind::kInputList) {
      json tensors = json::array();
      for (int index : given.inputs)
        tensors.push_back(index < 0 ? json() : json(reference(node.inputs()[static_cast<size_t>(index)])));
      return json{{"tensors", tensors}};
    }
    return constant(node, declared, given.constant);
  }

  std::optional<json> constant(const Node& node, const c10::Argument& declared, const c10::IValue& value) {
    using c10::TypeKind;
    c10::TypePtr type = declared.real_type();
    if (auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
    const TypeKind kind = type->kind();
    if (value.isNone() || kind == TypeKind::DeviceObjType) return std::nullopt;
    if (kind == TypeKind::ScalarTypeType)
      return json{{"dtype", to_string(static_cast<DType>(value.toInt()))}};
    if (kind == TypeKind::LayoutType || kind == TypeKind::MemoryFormatType) return std::nullopt;
    if (value.isTensor()) return json{{"tensor", add_weight(node, declared, value.toTensor())}};
    if (value.isBool()) return json(value.toBool());
    if (value.isInt()) return json(value.toInt());
    if (value.isDouble()) return number(value.toDouble());
    if (value.isString()) return json(value.toStringRef());
    if (value.isIntList()) return list(value.toIntVector());
    if (value.isDoubleList()) return list(value.toDoubleVector());
    if (value.isBoolList()) return list(value.toBoolList().vec());
    throw UsageError(fmt::format(
        "[save_inference_graph {}] expected arguments that a graph file can hold, got '{}' of type {} ({})",
        node.name(), declared.name(), type->str(), locate(node)));
  }

  std::string add_weight(const Node& node, const c10::Argument& declared, const at::Tensor& value) {
    result_.weights.emplace_back(fmt::format("{}.{}", node.name(), declared.name()),
                                 value.cpu().contiguous());
    return result_.weights.back().first;
  }

  const FrozenGraph& graph_;
  WrittenGraph result_;
};

}  // namespace

WrittenGraph write_graph_json(const FrozenGraph& graph) {
  return Writer(graph).write();
}

}  // namespace belfry::internal
