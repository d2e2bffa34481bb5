#include "belfry/interchange/internal/onnx/builder.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "belfry/base/error.h"
#include "belfry/checkpoint/element_type.h"

// Nodes are added as emitters ask, and what needs not be there is not: constants are computed at once,
// transpositions that follow each other become one, and those before an elementwise operator move behind it.
// finish() leaves out what no output needs.

namespace belfry::internal {
namespace {

using Permutation = std::vector<int64_t>;

bool is_identity(const Permutation& permutation) {
  return std::is_sorted(permutation.begin(), permutation.end());
}

Permutation inverse(const Permutation& permutation) {
  Permutation result(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i)
    result[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  return result;
}

OnnxValue describe_value(const std::string& name, DType dtype, const Shape& shape) {
  OnnxValue value{name, to_stored(dtype, name), {}};
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == kDynamic) {
      value.shape.emplace_back(fmt::format("{}.{}", name, axis));
    } else {
      value.shape.emplace_back(shape[axis]);
    }
  }
  return value;
}

/// The values that a node uses, in the graphs that it holds too.
void add_used(const OnnxNode& node, std::unordered_set<OnnxName>& names) {
  names.insert(node.inputs.begin(), node.inputs.end());
  for (const OnnxAttribute& attribute : node.attributes) {
    if (auto* graph = std::get_if<std::shared_ptr<const OnnxGraph>>(&attribute.value)) {
      for (const OnnxNode& inner : (*graph)->nodes) add_used(inner, names);
    }
  }
}

}  // namespace

int64_t onnx_dtype(DType dtype) {
  switch (dtype) {
    case kFloat32:
      return 1;
    case kUInt8:
      return 2;
    case kInt8:
      return 3;
    case kInt16:
      return 5;
    case kInt32:
      return 6;
    case kInt64:
      return 7;
    case kBool:
      return 9;
    case kFloat16:
      return 10;
    case kFloat64:
      return 11;
    case kBFloat16:
      return 16;
    default:
      throw UsageError(fmt::format("[onnx] expected a dtype that ONNX has, got {}", to_string(dtype)));
  }
}

OnnxTensor inline_tensor(const OnnxName& name, const at::Tensor& value) {
  OnnxTensor tensor{{name, to_stored(value.scalar_type(), name), value.sizes().vec()}, ""};
  tensor.bytes.assign(static_cast<const char*>(value.const_data_ptr()), value.nbytes());
  return tensor;
}

std::string OnnxBuilder::unique(const std::string& name) {
  if (around_) return around_->unique(name);  // names of inner graphs hide none
  std::string candidate = name;
  for (int count = 1; !names_.insert(candidate).second; ++count)
    candidate = fmt::format("{}_{}", name, count);
  return candidate;
}

const at::Tensor* OnnxBuilder::find_constant(const OnnxName& name) const {
  auto found = constants_.find(name);
  if (found != constants_.end()) return &found->second;
  return around_ ? around_->find_constant(name) : nullptr;
}

OnnxName OnnxBuilder::input(const std::string& name, DType dtype, const Shape& shape) {
  model_.inputs.push_back(describe_value(unique(name), dtype, shape));
  return model_.inputs.back().name;
}

void OnnxBuilder::output(const std::string& name, const OnnxName& value, DType dtype, const Shape& shape) {
  const std::string result = unique(name);
  model_.nodes.push_back({"Identity", result, {value}, {result}, {}});
  model_.outputs.push_back(describe_value(result, dtype, shape));
}

OnnxNames OnnxBuilder::add_multi(const std::string& op, const OnnxNames& inputs, size_t outputs,
                                 OnnxAttributes attributes) {
  const std::string name = unique(fmt::format("{}/{}", scope_, op));
  OnnxNames results;
  for (size_t i = 0; i < outputs; ++i) results.push_back(outputs == 1 ? name : fmt::format("{}:{}", name, i));
  model_.nodes.push_back({op, name, inputs, results, std::move(attributes)});
  return results;
}

OnnxName OnnxBuilder::add(const std::string& op, const OnnxNames& inputs, OnnxAttributes attributes) {
  return add_multi(op, inputs, 1, std::move(attributes))[0];
}

OnnxName OnnxBuilder::elementwise(const std::string& op, const OnnxNames& inputs, OnnxAttributes attributes) {
  const Permutation* permutation = nullptr;
  for (const OnnxName& input : inputs) {
    auto found = transposes_.find(input);
    if (found != transposes_.end()) permutation = &found->second.permutation;
  }
  if (!permutation) return add(op, inputs, std::move(attributes));
  const Permutation moved = *permutation;
  const int64_t rank = static_cast<int64_t>(moved.size());
  OnnxNames sources;
  for (const OnnxName& input : inputs) {
    auto found = transposes_.find(input);
    const at::Tensor* value = find_constant(input);
    if (found != transposes_.end() && found->second.permutation == moved) {
      sources.push_back(found->second.source);
    } else if (value && value->dim() == 0) {
      sources.push_back(input);
    } else if (value && value->dim() <= rank) {
      std::vector<int64_t> shape(static_cast<size_t>(rank - value->dim()), 1);
      shape.insert(shape.end(), value->sizes().begin(), value->sizes().end());
      sources.push_back(constant(value->reshape(shape).permute(inverse(moved))));
    } else {
      return add(op, inputs, std::move(attributes));
    }
  }
  return transpose(add(op, sources, std::move(attributes)), moved);
}

OnnxName OnnxBuilder::constant(const at::Tensor& value, const std::string& name) {
  const std::string full = unique(scope_.empty() ? name : scope_ + "/" + name);
  constants_[full] = value.contiguous();
  constant_order_.push_back(full);
  return full;
}
OnnxName OnnxBuilder::constant(const c10::Scalar& value, DType dtype) {
  return constant(at::scalar_tensor(value, dtype));
}
OnnxName OnnxBuilder::constant(const std::vector<int64_t>& values) {
  return constant(at::tensor(values, at::kLong));
}

OnnxName OnnxBuilder::transpose(const OnnxName& x, const Permutation& permutation) {
  if (is_identity(permutation)) return x;
  if (auto* value = find_constant(x)) return constant(value->permute(permutation));
  if (auto found = transposes_.find(x); found != transposes_.end()) {
    const Transposed before = found->second;
    Permutation both;
    for (int64_t axis : permutation) both.push_back(before.permutation[static_cast<size_t>(axis)]);
    return transpose(before.source, both);
  }
  const OnnxName result = add("Transpose", {x}, {{"perm", permutation}});
  transposes_[result] = {x, permutation};
  return result;
}

OnnxName OnnxBuilder::cast(const OnnxName& x, DType from, DType to) {
  if (from == to) return x;
  if (auto* value = find_constant(x)) return constant(value->to(to));
  return elementwise("Cast", {x}, {{"to", onnx_dtype(to)}});
}

OnnxName OnnxBuilder::reshape(const OnnxName& x, const std::vector<int64_t>& shape) {
  if (auto* value = find_constant(x)) return constant(value->reshape(shape));
  OnnxAttributes attributes;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) attributes = {{"allowzero", int64_t{1}}};
  return add("Reshape", {x, constant(shape)}, attributes);
}

OnnxName OnnxBuilder::unsqueeze(const OnnxName& x, const std::vector<int64_t>& axes) {
  return axes.empty() ? x : add("Unsqueeze", {x, constant(axes)});
}
OnnxName OnnxBuilder::squeeze(const OnnxName& x, const std::vector<int64_t>& axes) {
  return axes.empty() ? x : add("Squeeze", {x, constant(axes)});
}

OnnxName OnnxBuilder::sizes(const OnnxName& x, int64_t begin, int64_t end) {
  return add("Shape", {x}, {{"start", begin}, {"end", end}});
}

std::optional<Permutation> OnnxBuilder::common_permutation(const OnnxNames& values) const {
  std::optional<Permutation> common;
  for (const OnnxName& value : values) {
    auto found = transposes_.find(value);
    if (found == transposes_.end() || (common && *common != found->second.permutation)) return std::nullopt;
    common = found->second.permutation;
  }
  return common;
}

OnnxModel OnnxBuilder::finish(std::vector<std::pair<OnnxName, at::Tensor>>& weights) {
  std::unordered_set<OnnxName> needed;
  for (const OnnxValue& output : model_.outputs) needed.insert(output.name);
  std::vector<OnnxNode> kept;
  for (auto node = model_.nodes.rbegin(); node != model_.nodes.rend(); ++node) {
    if (std::none_of(node->outputs.begin(), node->outputs.end(),
                     [&](const OnnxName& name) { return needed.contains(name); }))
      continue;
    add_used(*node, needed);
    kept.push_back(std::move(*node));
  }
  model_.nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  for (const OnnxName& name : constant_order_) {
    if (needed.contains(name)) weights.emplace_back(name, constants_.at(name));
  }
  return std::move(model_);
}

std::shared_ptr<const OnnxGraph> OnnxBuilder::finish_inner(const std::string& name) {
  std::vector<std::pair<OnnxName, at::Tensor>> weights;
  OnnxModel model = finish(weights);
  auto graph = std::make_shared<OnnxGraph>();
  graph->name = name;
  graph->nodes = std::move(model.nodes);
  graph->inputs = std::move(model.inputs);
  graph->outputs = std::move(model.outputs);
  for (const auto& [constant, value] : weights) graph->initializers.push_back(inline_tensor(constant, value));
  return graph;
}

}  // namespace belfry::internal
