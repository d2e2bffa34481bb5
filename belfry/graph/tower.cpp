#include "belfry/graph/tower.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/internal/build_context.h"

namespace belfry {

TowerContext::TowerContext(const std::string& name, Options options)
    : name_(name),
      options_(std::move(options)),
      reuses_(current_reuse() == Reuse::kReuse),
      collections_(default_graph()) {
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
  device_scope_.emplace(options_.device);
  context.tower = this;
}

TowerContext::~TowerContext() {
  internal::build_context().tower = nullptr;
  if (!options_.is_training) {
    collections_.restore({kSummaries, kMovingSummaries, kUpdateOps});
  } else if (options_.index > 0) {
    collections_.restore({kSummaries, kMovingSummaries});
  }
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

Tensor TowerTensorHandle::tensor(const std::string& name) const {
  const std::string scoped = name_.empty() ? name : name_ + "/" + name;
  if (Tensor found = graph_->find_tensor(scoped)) return found;
  if (inputs_.has(name)) return inputs_[name];
  if (Tensor found = graph_->find_tensor(name)) return found;
  return graph_->tensor(scoped);
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
}

Tensor TowerFunc::operator()(const TowerInputs& inputs) {
  const TowerContext& tower = current_tower_context("TowerFunc");
  std::vector<std::pair<std::string, Tensor>> ordered;
  for (const TensorSpec& spec : signature_) {
    ordered.emplace_back(spec.name, inputs.has(spec.name) ? inputs[spec.name] : Tensor());
    const Tensor& given = ordered.back().second;
    if (given.defined() && (given.dtype() != spec.dtype || !compatible(spec.shape, given.shape()))) {
      throw UsageError(fmt::format("[TowerFunc] expected {} {} for the input '{}', got {}",
                                   to_string(spec.dtype), to_string(spec.shape), spec.name, describe(given)));
    }
  }
  for (const auto& [name, tensor] : inputs.items()) {
    if (std::none_of(signature_.begin(), signature_.end(),
                     [&](const auto& spec) { return spec.name == name; })) {
      std::vector<std::string> names;
      for (const auto& spec : signature_) names.push_back(spec.name);
      throw UsageError(fmt::format("[TowerFunc] expected inputs among {}, got '{}'", names, name));
    }
  }
  TowerInputs arguments(std::move(ordered));
  const Tensor output = function_(arguments);
  towers_.emplace_back(tower, default_graph(), arguments, output);
  return output;
}

const TowerTensorHandle* TowerFunc::find_tower(const std::string& name) const {
  for (const auto& tower : towers_) {
    if (tower.name() == name) return &tower;
  }
  return nullptr;
}

}  // namespace belfry
