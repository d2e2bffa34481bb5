#include "belfry/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "belfry/base/edit_distance.h"
#include "belfry/base/error.h"
#include "belfry/base/error_context.h"
#include "belfry/graph/internal/arguments.h"
#include "belfry/graph/internal/build_context.h"
#include "belfry/graph/node.h"
#include "belfry/graph/shape_inference.h"
#include "belfry/graph/variable.h"

// A node is complete before others can look it up: append() enters its name last, under the lock of lookups.
// Names are unique without regard to case, as TensorFlow makes them, since checkpoints and file systems are
// asked for them.

namespace belfry {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// "aten::_fused_adam_.tensor_lr" -> "fused_adam_"
std::string short_name(std::string_view op) {
  const size_t colon = op.rfind(':');
  if (colon != std::string_view::npos) op.remove_prefix(colon + 1);
  op.remove_prefix(std::min(op.find_first_not_of('_'), op.size()));
  return std::string(op.substr(0, op.find('.')));
}

internal::BoundCall bind(const std::string& who, std::string_view op, const std::vector<Tensor>& inputs,
                         const Attributes& attributes) {
  try {
    return internal::bind_call(op, inputs, attributes, internal::build_context().device);
  } catch (const UsageError& e) {
    throw UsageError(fmt::format("[{}] {}", who, e.what()));
  }
}

std::vector<Node::Output> infer(const std::string& who, const c10::OperatorHandle& op,
                                const std::vector<Argument>& arguments, const std::vector<Tensor>& inputs) {
  try {
    return infer_outputs(op, arguments, inputs);
  } catch (const UsageError& e) {
    throw UsageError(fmt::format("[{}] {}", who, e.what()));
  } catch (const Error&) {
    rethrow_with_context(fmt::format("[{}]", who));
  }
}

bool writes_in_place(const c10::Argument& argument) {
  return argument.alias_info() && argument.alias_info()->isWrite();
}

}  // namespace

std::string internal::wanted_name(std::string_view op, const std::string& name) {
  if (name.ends_with('/')) return name.substr(0, name.size() - 1);
  return join_scope(build_context().name_scope, name.empty() ? short_name(op) : name);
}

Graph::Graph() = default;
Graph::~Graph() = default;

Tensor Graph::find_tensor(std::string_view name) const {
  int index = 0;
  const size_t colon = name.rfind(':');
  if (colon != std::string_view::npos) {
    const std::string_view digits = name.substr(colon + 1);
    if (digits.empty() || digits.size() > 6 ||
        !std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c); }))
      return {};
    index = std::stoi(std::string(digits));
    name = name.substr(0, colon);
  }
  std::shared_lock lock(lookup_);
  auto found = by_name_.find(name);
  if (found == by_name_.end() || index >= static_cast<int>(found->second->outputs().size())) return {};
  return found->second->output(index);
}

Tensor Graph::tensor(std::string_view name) const {
  if (Tensor found = find_tensor(name)) return found;
  const std::string_view wanted = name.substr(0, name.rfind(':'));
  std::vector<std::pair<size_t, std::string_view>> near;
  std::shared_lock lock(lookup_);
  for (const auto& [key, node] : by_name_) {
    const size_t slash = key.rfind('/');
    const std::string_view last = std::string_view(key).substr(slash == std::string::npos ? 0 : slash + 1);
    near.emplace_back(std::min(edit_distance(key, wanted), edit_distance(last, wanted) + 1), key);
  }
  std::sort(near.begin(), near.end());
  std::string suggestions;
  for (size_t i = 0; i < std::min<size_t>(near.size(), 3); ++i)
    suggestions += fmt::format("{}'{}'", i ? ", " : "", near[i].second);
  throw UsageError(fmt::format(
      "[Graph] expected the name of a tensor, got '{}', which the graph does not have; closest: {}", name,
      suggestions.empty() ? "none, the graph is empty" : suggestions));
}

VariableRecord* Graph::find_variable(std::string_view name) const {
  std::shared_lock lock(lookup_);
  auto found = variables_by_name_.find(name);
  return found == variables_by_name_.end() ? nullptr : found->second;
}

void Graph::add_to_collection(const std::string& key, Tensor tensor) {
  if (!tensor.defined())
    throw UsageError(fmt::format("[Graph] expected a tensor for the collection '{}', got none", key));
  collections_[key].push_back(tensor);
}

const std::vector<Tensor>& Graph::collection(const std::string& key) const {
  static const std::vector<Tensor> empty;
  auto found = collections_.find(key);
  return found == collections_.end() ? empty : found->second;
}

void Graph::truncate_collection(const std::string& key, size_t size) {
  auto found = collections_.find(key);
  if (found != collections_.end() && found->second.size() > size) found->second.resize(size);
}

std::string Graph::unique_name(const std::string& name, bool mark) {
  const std::string key = lower(name);
  auto found = names_in_use_.find(key);
  if (found == names_in_use_.end()) {
    if (mark) names_in_use_[key] = 1;
    return name;
  }
  int count = found->second;
  std::string candidate;
  do {
    candidate = fmt::format("{}_{}", key, count++);
  } while (names_in_use_.contains(candidate));
  if (mark) {
    found->second = count;
    names_in_use_[candidate] = 1;
  }
  return fmt::format("{}_{}", name, count - 1);
}

void Graph::check_inputs(std::string_view who, const std::vector<Tensor>& inputs) const {
  for (const Tensor& input : inputs) {
    if (&input.graph() != this) {
      const Node* newest = nodes_.empty() ? nullptr : nodes_.back().get();
      throw UsageError(
          fmt::format("[{}] expected tensors of the default graph (whose newest node is '{}'), got '{}' of "
                      "another graph (of {} nodes)",
                      who, newest ? newest->name() : "none", input.name(), input.graph().nodes().size()));
    }
    if (!input.has_value()) {
      throw UsageError(fmt::format("[{}] expected a tensor, got the operation '{}', which has no value", who,
                                   input.op_name()));
    }
  }
}

const Node& Graph::append(NodeData data) {
  if (finalized_) {
    throw UsageError(
        fmt::format("[{}] the graph is final: build nodes before training starts (callbacks: in setup_graph)",
                    data.name));
  }
  const auto& context = internal::build_context();
  data.device = context.device;
  if (data.kind != NodeKind::kVariable) data.control_inputs = context.control_inputs;
  auto node = std::make_unique<Node>(this, static_cast<int64_t>(nodes_.size()), std::move(data));
  const auto& schema = node->op().schema();
  for (size_t i = 0; i < node->arguments().size(); ++i) {
    const Argument& argument = node->arguments()[i];
    node->is_random_ |= argument.kind == Argument::Kind::kGenerator;
    if (writes_in_place(schema.arguments()[i]))
      node->mutated_inputs_.insert(node->mutated_inputs_.end(), argument.inputs.begin(),
                                   argument.inputs.end());
  }
  if (node->is_random_ && !node->data_.seed) node->data_.seed = context.seed;
  nodes_.push_back(std::move(node));
  const Node& added = *nodes_.back();
  std::lock_guard lock(lookup_);
  by_name_[added.name()] = &added;
  return added;
}

std::string Graph::node_name(std::string_view op, const std::string& name) {
  const std::string wanted = internal::wanted_name(op, name);
  internal::check_name(op, wanted);
  return unique_name(wanted);
}

const Node& Graph::add(std::string_view op, const std::vector<Tensor>& inputs, const Attributes& attributes,
                       const std::string& name) {
  const std::string who = fmt::format("{} {}", op, internal::wanted_name(op, name));
  auto call = bind(who, op, inputs, attributes);
  check_inputs(who, call.inputs);
  const auto& schema = call.op.schema();
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    if (!writes_in_place(schema.arguments()[i])) continue;
    for (int index : call.arguments[i].inputs) {
      const Tensor& target = call.inputs.at(index);
      if (target.node().kind() != NodeKind::kVariable) {
        throw UsageError(fmt::format("[{}] expected a variable for '{}', which is written in place, got {}",
                                     who, schema.arguments()[i].name(), describe(target)));
      }
    }
  }
  std::vector<Node::Output> outputs = infer(who, call.op, call.arguments, call.inputs);
  if (outputs.empty()) outputs.emplace_back();  // an operation without a value
  NodeData data{.kind = NodeKind::kCall,
                .name = node_name(op, name),
                .op = call.op,
                .arguments = std::move(call.arguments),
                .inputs = std::move(call.inputs),
                .control_inputs = {},
                .outputs = std::move(outputs)};
  return append(std::move(data));
}

const Node& Graph::add_special(NodeKind kind, std::string_view op, const std::vector<Tensor>& inputs,
                               const Attributes& attributes, const std::string& name,
                               std::vector<std::pair<DType, Shape>> outputs) {
  const std::string who = fmt::format("{} {}", op, internal::wanted_name(op, name));
  auto call = bind(who, op, inputs, attributes);
  for (const Tensor& input : call.inputs) {
    if (kind != NodeKind::kGroup || &input.graph() != this) check_inputs(who, {input});
  }
  NodeData data{.kind = kind,
                .name = node_name(op, name),
                .op = call.op,
                .arguments = std::move(call.arguments),
                .inputs = std::move(call.inputs),
                .control_inputs = {},
                .outputs = {}};
  for (auto& [dtype, shape] : outputs) data.outputs.push_back({dtype, std::move(shape)});
  if (data.outputs.empty()) data.outputs.emplace_back();
  return append(std::move(data));
}

const Node& Graph::add_copy(const Node& node, std::vector<Tensor> inputs) {
  check_inputs(node.name(), inputs);
  bool same = node.inputs().size() == inputs.size();
  for (size_t i = 0; same && i < inputs.size(); ++i) {
    same = inputs[i].dtype() == node.inputs()[i].dtype() && inputs[i].shape() == node.inputs()[i].shape();
  }
  NodeData data = node.data_;
  data.name = unique_name(node.name());
  data.inputs = std::move(inputs);
  if (!same) {
    data.outputs =
        infer(fmt::format("{} {}", node.op_name(), node.name()), data.op, data.arguments, data.inputs);
    if (data.outputs.empty()) data.outputs.emplace_back();
  }
  if (const auto seed = node.seed()) data.seed = NodeSeed{.value = *seed, .exact = true};
  return append(std::move(data));
}

VariableRecord& Graph::add_variable(std::unique_ptr<VariableRecord> record) {
  variables_.push_back(std::move(record));
  VariableRecord& added = *variables_.back();
  std::lock_guard lock(lookup_);
  variables_by_name_[added.tensor.op_name()] = &added;
  return added;
}

}  // namespace belfry
