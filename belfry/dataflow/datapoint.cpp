#include "belfry/dataflow/datapoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "belfry/base/error.h"

namespace belfry {

Datapoint Datapoint::named(std::vector<std::pair<std::string, at::Tensor>> components) {
  Datapoint datapoint;
  datapoint.reserve(components.size());
  auto names = std::make_shared<Names>();
  names->reserve(components.size());
  for (auto& [name, component] : components) {
    if (std::find(names->begin(), names->end(), name) != names->end())
      throw UsageError(fmt::format("[Datapoint] expected different names, got '{}' twice", name));
    names->push_back(std::move(name));
    datapoint.push_back(std::move(component));
  }
  datapoint.names_ = std::move(names);
  return datapoint;
}

const Datapoint::Names& Datapoint::names() const {
  static const Names none;
  return has_names() ? *names_ : none;
}

const std::shared_ptr<const Datapoint::Names>& Datapoint::shared_names() const {
  static const std::shared_ptr<const Names> none;
  return has_names() ? names_ : none;
}

void Datapoint::set_names(std::shared_ptr<const Names> names) {
  if (names && names->size() != size()) {
    throw UsageError(
        fmt::format("[Datapoint] expected a name for each of {} components, got {}", size(), names->size()));
  }
  names_ = std::move(names);
}

const at::Tensor* Datapoint::find(std::string_view name) const {
  const Names& all = names();
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] == name) return &(*this)[i];
  }
  return nullptr;
}

at::Tensor* Datapoint::find(std::string_view name) {
  return const_cast<at::Tensor*>(std::as_const(*this).find(name));
}

const at::Tensor& Datapoint::at(std::string_view name) const {
  if (const at::Tensor* component = find(name)) return *component;
  throw DataError(
      has_names()
          ? fmt::format("[Datapoint] expected a component '{}', got {}", name, fmt::join(names(), ", "))
          : fmt::format("[Datapoint] expected a component '{}', got {} components without names", name,
                        size()));
}

at::Tensor& Datapoint::at(std::string_view name) {
  return const_cast<at::Tensor&>(std::as_const(*this).at(name));
}

void Datapoint::set(std::string name, at::Tensor component) {
  if (!empty() && !has_names()) {
    throw UsageError(
        fmt::format("[Datapoint] expected components with names to set '{}', got {} without", name, size()));
  }
  if (at::Tensor* existing = find(name)) {
    *existing = std::move(component);
    return;
  }
  auto names = std::make_shared<Names>(this->names());
  names->push_back(std::move(name));
  push_back(std::move(component));
  names_ = std::move(names);
}

}  // namespace belfry
