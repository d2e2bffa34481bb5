#include "belfry/graph/tower.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <set>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/internal/build_context.h"
#include "belfry/graph/node.h"

// A tower is one call of the tower function, remembered with its inputs and outputs, so that tensors can be
// found by the names that the function gave them, whatever the tower's scope is.

namespace belfry {
namespace {

/// The ids of the nodes that were built in one TowerContext: from `first` to before `end`.
struct TowerNodes {
  std::string name;
  int64_t first;
  int64_t end = std::numeric_limits<int64_t>::max();
};

/// Of all the towers of a graph, in order.
struct NodesOfTowers : std::vector<TowerNodes> {};

/// What a tower adds in vain: only one tower is summarised, and only training updates.
std::vector<std::string> keys_to_freeze(const TowerContext::Options& options) {
  if (!options.is_training) return {kSummaries, kMovingSummaries, kUpdateOps};
  if (options.index > 0) return {kSummaries, kMovingSummaries};
  return {};
}

int64_t node_count(const Graph& graph) {
  return std::ssize(graph.nodes());
}

}  // namespace

TowerContext::TowerContext(const std::string& name, Options options)
    : name_(name),
      options_(std::move(options)),
      device_(options_.device.value_or(current_device())),
      reuses_(current_reuse() == Reuse::kReuse),
      graph_(&default_graph()),
      index_in_graph_(graph_->extension<NodesOfTowers>().size()),
      collections_(
          *graph_,
          {.name = name_, .check_diff = !is_main_training_tower(), .freeze_keys = keys_to_freeze(options_)}) {
  auto& context = internal::build_context();
  if (context.tower) {
    throw UsageError(
        fmt::format("[TowerContext {}] towers do not nest, '{}' is open", name_, context.tower->name()));
  }
  if (options_.index < 0 || options_.index >= options_.total) {
    throw UsageError(fmt::format("[TowerContext {}] expected an index below total = {}, got {}", name_,
                                 options_.total, options_.index));
  }
  if (!options_.variable_scope.empty() && name_.empty()) {
    throw UsageError(fmt::format("[TowerContext] a tower with the variable scope '{}' needs a name",
                                 options_.variable_scope));
  }
  variable_scope_.emplace(options_.variable_scope);
  name_scope_.emplace(name_.empty() ? "" : name_ + "/");
  device_scope_.emplace(device_);
  graph_->extension<NodesOfTowers>().push_back({.name = name_, .first = node_count(*graph_)});
  context.tower = this;
}

TowerContext::~TowerContext() {
  internal::build_context().tower = nullptr;
  graph_->extension<NodesOfTowers>()[index_in_graph_].end = node_count(*graph_);
  device_scope_.reset();
  name_scope_.reset();
  variable_scope_.reset();
}

bool TowerContext::has_own_variables() const {
  if (reuses_) return false;
  return !options_.is_training || options_.index == 0 || !options_.variable_scope.empty();
}

const TowerContext* current_tower_context_or_null() {
  return internal::build_context().tower;
}

const TowerContext& current_tower_context(const std::string& who) {
  if (const TowerContext* tower = current_tower_context_or_null()) return *tower;
  throw UsageError(fmt::format("[{}] expected to be called in a TowerContext, got none", who));
}

bool TowerInputs::has(const std::string& name) const {
  return std::any_of(inputs_.begin(), inputs_.end(),
                     [&](const auto& item) { return item.first == name && item.second.defined(); });
}

Tensor TowerInputs::operator[](const std::string& name) const {
  std::string given;
  for (const auto& [key, tensor] : inputs_) {
    if (key == name && tensor.defined()) return tensor;
    if (tensor.defined()) given += (given.empty() ? "" : ", ") + key;
  }
  throw UsageError(
      fmt::format("[tower function] expected the input '{}', got: {}", name, given.empty() ? "none" : given));
}

TowerTensorHandle::TowerTensorHandle(const TowerContext& tower, Graph& graph, TowerInputs inputs,
                                     TowerOutputs outputs)
    : name_(tower.name()),
      is_training_(tower.is_training()),
      variable_scope_(tower.variable_scope()),
      index_in_graph_(tower.index_in_graph_),
      graph_(&graph),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)) {
  for (const auto& [key, members] : graph.collections()) {
    if (auto added = tower.collection_in_tower(key); !added.empty()) collections_[key] = std::move(added);
  }
}

Tensor TowerTensorHandle::tensor(const std::string& name) const {
  const std::string input = name.ends_with(":0") ? name.substr(0, name.size() - 2) : name;
  if (inputs_.has(input)) return inputs_[input];
  const std::string scoped = internal::join_scope(name_, name);
  for (const std::string& candidate : {scoped, internal::join_scope(variable_scope_, name), name}) {
    if (const Tensor found = graph_->find_tensor(candidate)) return usable_here(found);
  }
  try {
    return graph_->tensor(scoped);
  } catch (const UsageError& e) {
    // The graph's own nodes may be far from what a caller of a tower function knows: the inputs' names.
    std::vector<std::string> inputs;
    for (const auto& [key, tensor] : inputs_.items()) {
      if (tensor.defined()) inputs.push_back(key);
    }
    throw UsageError(fmt::format("{}; inputs of the tower: {}", e.what(), fmt::join(inputs, ", ")));
  }
}

Variable TowerTensorHandle::variable(const std::string& name) const {
  const Tensor found = graph_->tensor(internal::join_scope(variable_scope_, name));
  if (const Variable variable = as_variable(found); variable.defined()) return variable;
  throw UsageError(fmt::format("[tower '{}'] expected a variable, got the node {}", name_, describe(found)));
}

std::vector<Tensor> TowerTensorHandle::tensors(const std::vector<std::string>& names) const {
  std::vector<Tensor> result;
  for (const std::string& name : names) result.push_back(tensor(name));
  return result;
}

std::vector<Variable> TowerTensorHandle::variables(const std::vector<std::string>& names) const {
  std::vector<Variable> result;
  for (const std::string& name : names) result.push_back(variable(name));
  return result;
}

std::vector<Tensor> TowerTensorHandle::collection(const std::string& key) const {
  const auto found = collections_.find(key);
  return found == collections_.end() ? std::vector<Tensor>() : found->second;
}

Tensor TowerTensorHandle::usable_here(const Tensor& found) const {
  const Node& node = found.node();
  if (is_training_ || node.kind() == NodeKind::kVariable) return found;
  const auto& towers = graph_->extension<NodesOfTowers>();
  const auto owner = std::find_if(towers.begin(), towers.end(), [&](const TowerNodes& tower) {
    return node.id() >= tower.first && node.id() < tower.end;
  });
  if (owner == towers.end() || owner - towers.begin() == static_cast<std::ptrdiff_t>(index_in_graph_))
    return found;
  throw UsageError(
      fmt::format("[tower '{}'] expected a tensor of this tower, or of none, got '{}' of the tower '{}'",
                  name_, found.name(), owner->name));
}

TowerTensorHandles TowerTensorHandles::training() const {
  TowerTensorHandles result;
  std::copy_if(begin(), end(), std::back_inserter(result),
               [](const auto& tower) { return tower.is_training(); });
  return result;
}

TowerTensorHandles TowerTensorHandles::inference() const {
  TowerTensorHandles result;
  std::copy_if(begin(), end(), std::back_inserter(result),
               [](const auto& tower) { return !tower.is_training(); });
  return result;
}

TowerFunc::TowerFunc(Function function, std::vector<TensorSpec> signature)
    : function_(std::move(function)), signature_(std::move(signature)) {
  std::set<std::string> names;
  for (const TensorSpec& spec : signature_) {
    if (spec.name.empty() || spec.name.find_first_of(":/ ") != std::string::npos) {
      throw UsageError(
          fmt::format("[TowerFunc] expected an input name without ':', '/' and ' ', got '{}'", spec.name));
    }
    if (!names.insert(spec.name).second)
      throw UsageError(fmt::format("[TowerFunc] two inputs are named '{}'", spec.name));
  }
  if (!function_) throw UsageError("[TowerFunc] expected a function that builds a tower, got null");
}

TowerOutputs TowerFunc::operator()(const TowerInputs& inputs) {
  const TowerContext& tower = current_tower_context("TowerFunc");
  std::vector<std::pair<std::string, Tensor>> ordered;
  for (const TensorSpec& spec : signature_)
    ordered.emplace_back(spec.name, inputs.has(spec.name) ? inputs[spec.name] : Tensor());
  for (const auto& [name, tensor] : inputs.items()) {
    if (std::none_of(signature_.begin(), signature_.end(),
                     [&given = name](const auto& spec) { return spec.name == given; })) {
      std::vector<std::string> names;
      for (const auto& spec : signature_) names.push_back(spec.name);
      throw UsageError(fmt::format("[TowerFunc] expected inputs among {}, got '{}'", names, name));
    }
  }
  return call(tower, std::move(ordered));
}

const TowerTensorHandle& TowerFunc::build(const TowerContext& tower, const std::vector<Tensor>& tensors) {
  if (tensors.size() != signature_.size()) {
    throw UsageError(fmt::format("[TowerFunc] expected {} inputs, one for each of the signature, got {}",
                                 signature_.size(), tensors.size()));
  }
  std::vector<std::pair<std::string, Tensor>> inputs;
  for (size_t i = 0; i < tensors.size(); ++i) inputs.emplace_back(signature_[i].name, tensors[i]);
  call(tower, std::move(inputs));
  return towers_.back();
}

/// Requires: `inputs` are in the order of the signature.
TowerOutputs TowerFunc::call(const TowerContext& tower, std::vector<std::pair<std::string, Tensor>> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec& spec = signature_[i];
    const Tensor& given = inputs[i].second;
    if (given.defined() && (given.dtype() != spec.dtype || !is_compatible_with(spec.shape, given.shape()))) {
      throw UsageError(fmt::format("[TowerFunc] expected {} {} for the input '{}', got {}",
                                   to_string(spec.dtype), to_string(spec.shape), spec.name, describe(given)));
    }
  }
  TowerInputs arguments(std::move(inputs));
  TowerOutputs outputs = function_(arguments);
  if (outputs.list() == std::vector<Tensor>{Tensor()}) outputs = {};  // a function of one tensor gave none
  towers_.emplace_back(tower, default_graph(), arguments, outputs);
  return outputs;
}

const TowerTensorHandle* TowerFunc::find_tower(const std::string& name) const {
  for (const auto& tower : towers_) {
    if (tower.name() == name) return &tower;
  }
  return nullptr;
}

}  // namespace belfry
