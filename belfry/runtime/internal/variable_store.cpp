#include "belfry/runtime/internal/variable_store.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <random>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/kernel_error.h"

namespace belfry::internal {
namespace {

uint64_t seed_of(const Node& node) {
  if (const auto seed = node.seed()) return *seed;
  std::random_device entropy;
  return (uint64_t{entropy()} << 32) | entropy();
}

at::Generator make_generator(c10::Device device, uint64_t seed) {
  if (device.is_cpu()) return at::detail::createCPUGenerator(seed);
  at::Generator generator = at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  return generator;
}

/// Memory for a variable's value: its logical shape over the memory order that it asks for.
at::Tensor allocate_value(const Node& variable) try {
  const c10::InferenceMode normal_tensor(false);  // whatever mode the caller is in
  const Shape& shape = variable.outputs()[0].shape;
  const auto options = at::TensorOptions().dtype(variable.outputs()[0].dtype).device(variable.device());
  const auto order = variable.attribute("memory_order").toIntVector();
  if (order.empty()) return at::empty(shape, options);
  Shape physical(shape.size()), logical(shape.size());
  for (size_t i = 0; i < order.size(); ++i) {
    physical[i] = shape.at(order[i]);
    logical[order[i]] = static_cast<int64_t>(i);
  }
  return at::empty(physical, options).permute(logical);
} catch (...) {
  rethrow_kernel_error(
      {.who = fmt::format("Session, variable {}", variable.name()), .inputs = {}, .values_to_blame = {}});
}

}  // namespace

VariableStore::Cell& VariableStore::cell(const Node& variable) {
  std::lock_guard lock(mutex_);
  auto& cell = cells_[&variable];
  if (!cell) cell.reset(new Cell{&variable, allocate_value(variable)});
  return *cell;
}

const at::Generator& VariableStore::generator(const Node& node) {
  std::lock_guard lock(mutex_);
  auto found = generators_.find(&node);
  if (found == generators_.end()) {
    found = generators_.emplace(&node, make_generator(node.device(), seed_of(node))).first;
  }
  return found->second;
}

std::map<std::string, at::Tensor> VariableStore::generator_states() {
  std::lock_guard lock(mutex_);
  std::map<std::string, at::Tensor> states;
  for (auto& [node, generator] : generators_) {
    std::lock_guard numbers(generator.mutex());
    states.emplace(node->name(), generator.get_state());
  }
  return states;
}

bool VariableStore::set_generator_state(const Node& node, const at::Tensor& state) {
  at::Generator shared = generator(node);
  std::lock_guard numbers(shared.mutex());
  try {
    shared.set_state(state);
    return true;
  } catch (const c10::Error&) {
    return false;
  }
}

void VariableStore::Cell::throw_uninitialized() const {
  throw UsageError(
      fmt::format("[Session] the variable '{}' has no value yet: call initialize_variables(), or restore it",
                  variable->name()));
}

}  // namespace belfry::internal
