#include "belfry/graph/scope.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/internal/build_context.h"
#include "belfry/graph/node.h"

namespace belfry {
namespace internal {

BuildContext& build_context() {
  thread_local BuildContext context;
  return context;
}

void check_name(std::string_view who, std::string_view name) {
  static const std::string first = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.";
  static const std::string any = first + "_\\/>-";
  if (!name.empty() && first.find(name[0]) != std::string::npos &&
      name.find_first_not_of(any) == std::string_view::npos)
    return;
  throw UsageError(fmt::format(
      "[{}] expected a name of letters, digits and _.\\/>- that starts with a letter, a digit or a dot, got "
      "'{}'",
      who, name));
}

namespace {

void enter_name_scope(const std::string& name) {
  BuildContext& context = build_context();
  if (name.empty()) {
    context.name_scope.clear();
  } else if (name.back() == '/') {
    check_name("NameScope", name);
    context.name_scope = name.substr(0, name.size() - 1);
  } else {
    check_name("NameScope", join_scope(context.name_scope, name));
    context.name_scope = default_graph().unique_name(join_scope(context.name_scope, name));
  }
}

}  // namespace
}  // namespace internal

using internal::build_context;

detail::ScopeGuard::ScopeGuard() : saved_(std::make_unique<internal::BuildContext>(build_context())) {}
detail::ScopeGuard::~ScopeGuard() {
  build_context() = std::move(*saved_);
}

struct GraphScope::Saved {
  internal::BuildContext context;
};

GraphScope::GraphScope(Graph& graph) : GraphScope(graph, c10::kCPU) {}
GraphScope::GraphScope(Graph& graph, c10::Device device) : saved_(new Saved{build_context()}) {
  build_context() = {};
  build_context().graph = &graph;
  build_context().device = device;
}
GraphScope::~GraphScope() {
  build_context() = std::move(saved_->context);
}

Graph& default_graph() {
  if (Graph* graph = build_context().graph) return *graph;
  throw UsageError("[default_graph] expected a GraphScope to be active in this thread, got none");
}
Graph* default_graph_or_null() {
  return build_context().graph;
}

NameScope::NameScope(const std::string& name) {
  internal::enter_name_scope(name);
}

VariableScope::VariableScope(const std::string& name) : VariableScope(name, Options{}) {}

VariableScope::VariableScope(const std::string& name, Options options) {
  internal::BuildContext& context = build_context();
  if (!name.empty()) {
    internal::enter_name_scope(name);
    context.variable_scope = internal::join_scope(
        context.variable_scope, name.back() == '/' ? name.substr(0, name.size() - 1) : name);
  }
  if (options.reuse != Reuse::kInherit && context.reuse != Reuse::kReuse) context.reuse = options.reuse;
}

ControlDependencies::ControlDependencies(const std::vector<Tensor>& tensors) {
  for (const Tensor& tensor : tensors) {
    if (tensor.defined()) build_context().control_inputs.push_back(&tensor.node());
  }
}

DeviceScope::DeviceScope(c10::Device device) {
  build_context().device = device;
}

SeedScope::SeedScope(uint64_t seed) : SeedScope(seed, Options{}) {}
SeedScope::SeedScope(uint64_t seed, Options options) {
  build_context().seed = NodeSeed{.value = seed, .exact = options.exact};
}

const std::string& current_name_scope() {
  return build_context().name_scope;
}
const std::string& current_variable_scope() {
  return build_context().variable_scope;
}
Reuse current_reuse() {
  return build_context().reuse;
}
c10::Device current_device() {
  return build_context().device;
}

}  // namespace belfry
