#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "belfry/base/error.h"
#include "belfry/interchange/internal/graph_file/json.h"

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
  Writer(const Function& function, NamedWeights& weights) : function_(function), weights_(weights) {}

  std::string write() {
    for (const Weight& weight : function_.weights) {
      weights_.emplace_back(weight.name, weight.value);
      names_[weight.tensor] = weight.name;
    }
    json root{{"version", kGraphVersion},
              {"inputs", json::array()},
              {"nodes", json::array()},
              {"outputs", json::array()}};
    for (size_t i = 0; i < function_.inputs.size(); ++i) {
      const Tensor& input = function_.inputs[i];
      const std::string& name = function_.input_names[i];
      names_[input] = name;
      root["inputs"].push_back(
          {{"name", name}, {"dtype", to_string(input.dtype())}, {"shape", input.shape()}});
    }
    for (const Node* node : function_.calls()) root["nodes"].push_back(describe_node(*node));
    for (size_t i = 0; i < function_.outputs.size(); ++i) {
      root["outputs"].push_back(
          {{"name", function_.output_names[i]}, {"tensor", reference(function_.outputs[i])}});
    }
    return root.dump();
  }

 private:
  std::string reference(const Tensor& tensor) const {
    const auto end = names_.find(tensor);
    return end == names_.end() ? public_name(tensor) : end->second;
  }

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
        node.name(), declared.name(), type->str(), describe_place(node)));
  }

  std::string add_weight(const Node& node, const c10::Argument& declared, const at::Tensor& value) {
    weights_.emplace_back(fmt::format("{}.{}", node.name(), declared.name()), value.cpu().contiguous());
    return weights_.back().first;
  }

  const Function& function_;
  NamedWeights& weights_;
  std::unordered_map<Tensor, std::string> names_;  ///< of inputs and weights
};

}  // namespace

std::string write_graph_json(const Function& function, NamedWeights& weights) {
  return Writer(function, weights).write();
}

}  // namespace belfry::internal
