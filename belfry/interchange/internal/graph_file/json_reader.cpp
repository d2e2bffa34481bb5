#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "belfry/base/error.h"
#include "belfry/formats/json_limits.h"
#include "belfry/graph/special_nodes.h"
#include "belfry/interchange/internal/graph_file/json.h"
#include "belfry/interchange/internal/graph_operators.h"

// The text is checked for depth and form before it becomes a document. Nodes come in the order of building
// and refer to what is before them; each is added as a program would add it, so that Graph::add checks its
// arguments, and its shapes must be those that the file claims.

namespace belfry::internal {
namespace {

using nlohmann::json;

/// root, list of nodes, node, arguments, argument, list of tensors
constexpr size_t kMaxDepth = 7;
/// Each takes memory while shapes are inferred, a hundred times that of its name.
constexpr size_t kMostTensors = 65536;
/// What arrays of a model have; LibTorch knows others, which its operators do not take.
constexpr DType kDTypes[] = {kFloat32,
                             kFloat64,
                             kFloat16,
                             kBFloat16,
                             kInt8,
                             kInt16,
                             kInt32,
                             kInt64,
                             kUInt8,
                             kBool,
                             kComplex64,
                             kComplex128,
                             DType::UInt16,
                             DType::UInt32,
                             DType::UInt64,
                             DType::Float8_e5m2,
                             DType::Float8_e4m3fn,
                             DType::Float8_e5m2fnuz,
                             DType::Float8_e4m3fnuz};

json parse(const std::string& where, const std::string& text) {
  check_json(where, "the graph", text, {.depth = kMaxDepth});
  return json::parse(text);
}

class Reader {
 public:
  Reader(const std::string& where, const NamedWeights& weights, const std::vector<std::string>& operators)
      : where_(where), further_operators_(operators) {
    for (const auto& [name, value] : weights) weights_[name] = value;
  }

  Function read(const json& root) {
    const json& version = field(root, "version", json::value_t::number_unsigned);
    if (version != kGraphVersion)
      fail(fmt::format("expected a graph of version {}, got {}", kGraphVersion, version.dump()));
    result_.graph = std::make_shared<Graph>();
    GraphScope as_default(*result_.graph);
    for (const json& input : field(root, "inputs", json::value_t::array)) add_input(input);
    for (const json& node : field(root, "nodes", json::value_t::array)) add_node(node);
    for (const json& output : field(root, "outputs", json::value_t::array)) {
      result_.output_names.push_back(text(output, "name"));
      result_.outputs.push_back(tensor(text(output, "tensor")));
    }
    if (result_.outputs.empty()) fail("the graph has no outputs");
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw DataError(where_, what); }

  const json& field(const json& object, const char* name, json::value_t type) const {
    if (!object.is_object() || !object.contains(name) || object[name].type() != type)
      fail(fmt::format("expected the field '{}' of type {} in a part of the graph", name,
                       json(type).type_name()));
    return object[name];
  }
  std::string text(const json& object, const char* name) const {
    return field(object, name, json::value_t::string).get<std::string>();
  }

  DType dtype(const json& name) const {
    for (const DType dtype : kDTypes) {
      if (name == to_string(dtype)) return dtype;
    }
    fail(fmt::format("expected the name of a dtype, got {}", name.dump()));
  }
  Shape shape(const json& object) const {
    Shape shape;
    for (const json& size : field(object, "shape", json::value_t::array)) {
      if (!size.is_number_integer() || size < kDynamic || size > std::numeric_limits<int64_t>::max())
        fail(fmt::format("expected a size, got {}", size.dump()));
      shape.push_back(size.get<int64_t>());
    }
    return shape;
  }

  void define(const std::string& name, const Tensor& tensor) {
    if (weights_.contains(name) || !tensors_.emplace(name, tensor).second)
      fail(fmt::format("the graph has two tensors '{}'", name));
  }

  /// The tensor of that name; a weight becomes a constant when it is first used.
  Tensor tensor(const std::string& name) {
    if (auto found = tensors_.find(name); found != tensors_.end()) return found->second;
    auto weight = weights_.find(name);
    if (weight == weights_.end()) fail(fmt::format("the graph uses the tensor '{}' before it has it", name));
    return tensors_[name] = add_constant(weight->second, node_name(name));
  }

  void add_input(const json& input) {
    const std::string name = text(input, "name");
    const DType type = dtype(field(input, "dtype", json::value_t::string));
    const Shape size = shape(input);
    define(name, add_placeholder({.name = node_name(name), .shape = size, .dtype = type}));
    result_.inputs.push_back(tensors_[name]);
    result_.input_names.push_back(name);
  }

  double number(const json& value) const {
    if (value.is_number()) return value.get<double>();
    const std::string name = text(value, "float");
    if (name == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (name == "inf") return std::numeric_limits<double>::infinity();
    if (name == "-inf") return -std::numeric_limits<double>::infinity();
    fail(fmt::format("expected a number, got {}", value.dump()));
  }

  Attribute list(const json& values) const {
    if (std::all_of(values.begin(), values.end(), [](const json& v) { return v.is_number_integer(); }))
      return values.get<std::vector<int64_t>>();
    std::vector<double> numbers;
    for (const json& value : values) numbers.push_back(number(value));
    return numbers;
  }

  Attribute attribute(const json& value) {
    switch (value.type()) {
      case json::value_t::boolean:
        return value.get<bool>();
      case json::value_t::number_integer:
      case json::value_t::number_unsigned:
        return value.get<int64_t>();
      case json::value_t::number_float:
        return value.get<double>();
      case json::value_t::string:
        return value.get<std::string>();
      case json::value_t::array:
        return list(value);
      case json::value_t::object:
        break;
      default:
        fail(fmt::format("expected an argument, got {}", value.dump()));
    }
    if (value.contains("tensor")) return tensor(text(value, "tensor"));
    if (value.contains("dtype")) return dtype(value["dtype"]);
    if (!value.contains("tensors")) return number(value);
    const json& names = field(value, "tensors", json::value_t::array);
    if (names.size() > kMostTensors)
      fail(fmt::format("expected at most {} tensors as an argument, got {}", kMostTensors, names.size()));
    std::vector<Tensor> tensors;
    for (const json& name : names)
      tensors.push_back(name.is_null() ? Tensor() : tensor(name.is_string() ? name.get<std::string>() : ""));
    return tensors;
  }

  /// Most operators of a dispatcher are safe for no stranger: some read memory that is not theirs when
  /// arguments or values are wrong, some read files.
  void check_operator(const std::string& op, const Attributes& attributes) const {
    const size_t dot = op.find('.');
    const auto found = c10::Dispatcher::singleton().findSchema(
        {op.substr(0, dot), dot == std::string::npos ? "" : op.substr(dot + 1)});
    if (!found) fail(fmt::format("the graph needs the operator {}, which this program has not", op));
    if (!is_graph_file_operator(op) &&
        std::ranges::find(further_operators_, op) == further_operators_.end()) {
      fail(
          fmt::format("expected operators that Belfry's functions make, got {}: the options of "
                      "load_inference_graph can allow it, for a file that you trust",
                      op));
    }
    const bool takes_tensors = std::any_of(attributes.begin(), attributes.end(), [](const auto& attribute) {
      const auto& value = attribute.second.value();
      return std::holds_alternative<Tensor>(value) || std::holds_alternative<std::vector<Tensor>>(value);
    });
    if (found->schema().is_mutable() || !takes_tensors || found->schema().returns().empty())
      fail(fmt::format("expected operators that compute tensors from tensors, got {}", op));
  }

  void add_node(const json& entry) {
    const std::string name = text(entry, "name"), op = text(entry, "op");
    Attributes attributes;
    for (const auto& [argument, value] : field(entry, "arguments", json::value_t::object).items())
      attributes.emplace_back(argument, attribute(value));
    check_operator(op, attributes);
    const Node* node = nullptr;
    try {
      node = &result_.graph->add(op, {}, attributes, name);
    } catch (const std::exception& e) {
      fail(fmt::format("node '{}': {}", name, e.what()));
    }
    if (node->is_random()) fail(fmt::format("node '{}' draws random numbers", name));
    const json& outputs = field(entry, "outputs", json::value_t::array);
    if (outputs.size() != node->outputs().size())
      fail(fmt::format("node '{}': expected {} outputs, got {}", name, outputs.size(),
                       node->outputs().size()));
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Tensor output = node->output(static_cast<int>(i));
      if (dtype(field(outputs[i], "dtype", json::value_t::string)) != output.dtype() ||
          !is_compatible_with(shape(outputs[i]), output.shape())) {
        fail(fmt::format("node '{}': expected {} {}, got {}", name, outputs[i]["dtype"].get<std::string>(),
                         to_string(shape(outputs[i])), describe(output)));
      }
      define(i == 0 ? name : fmt::format("{}:{}", name, i), output);
    }
  }

  const std::string& where_;
  const std::vector<std::string>& further_operators_;
  std::unordered_map<std::string, at::Tensor> weights_;
  std::unordered_map<std::string, Tensor> tensors_;
  Function result_;
};

}  // namespace

Function read_graph_json(const std::string& where, const std::string& text, const NamedWeights& weights,
                         const std::vector<std::string>& further_operators) {
  const json root = parse(where, text);
  try {
    return Reader(where, weights, further_operators).read(root);
  } catch (const UsageError& e) {  // a name that no graph takes
    throw DataError(where, e.what());
  }
}

}  // namespace belfry::internal
