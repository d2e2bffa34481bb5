#include "belfry/graph/variable.h"

#include <fmt/format.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/internal/build_context.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/variable_getter.h"

// get_variable finds or makes a variable by its full name; getters of the scopes around it see each call
// first. Invariant: an initial value is built outside of the tower, of control dependencies and of reuse,
// since it runs once, before any step.

namespace belfry {
namespace {

/// Uniform in ±sqrt(6 / (fan in + fan out)) (Glorot and Bengio, 2010) for floats, zero for the rest.
Tensor default_initial_value(const Shape& shape, DType dtype) {
  Graph& graph = default_graph();
  if (!c10::isFloatingType(dtype)) {
    return graph.add("aten::zeros", {}, {{"size", shape}, {"dtype", dtype}}).output();
  }
  double receptive = 1;
  for (size_t i = 0; i + 2 < shape.size(); ++i) receptive *= static_cast<double>(shape[i]);
  const double fan_in = shape.empty() ? 1 : shape[shape.size() < 2 ? 0 : shape.size() - 2] * receptive;
  const double fan_out = shape.empty() ? 1 : shape.back() * receptive;
  const double limit = std::sqrt(6.0 / (fan_in + fan_out));
  const Tensor unit = graph.add("aten::rand.generator", {}, {{"size", shape}, {"dtype", dtype}}).output();
  const Tensor centred = graph.add("aten::sub.Scalar", {unit}, {{"other", 0.5}}).output();
  return graph.add("aten::mul.Scalar", {centred}, {{"other", 2 * limit}}).output();
}

/// Builds initial values and regularisers outside of the tower, the control dependencies and the reuse around
/// the call.
class DetachedScope : detail::ScopeGuard {
 public:
  explicit DetachedScope(const std::string& name_scope) {
    auto& context = internal::build_context();
    context.control_inputs.clear();
    context.name_scope = name_scope;
  }
};

Variable find_existing(const VariableRecord& record, const Shape& shape, DType dtype) {
  const Tensor& tensor = record.tensor;
  if (tensor.shape() != shape || tensor.dtype() != dtype) {
    throw UsageError(fmt::format("[get_variable {}] expected {} {} as the variable was created, got {} {}",
                                 tensor.op_name(), to_string(tensor.dtype()), to_string(tensor.shape()),
                                 to_string(dtype), to_string(shape)));
  }
  return Variable(&record);
}

/// The variable of that full name, whatever getters there are.
Variable find_or_create(const VariableRequest& request) {
  const auto& [full_name, shape, options] = request;
  Graph& graph = default_graph();
  for (int64_t size : shape) {
    if (size < 0)
      throw UsageError(
          fmt::format("[get_variable {}] expected static sizes, got {}", full_name, to_string(shape)));
  }
  const Reuse reuse = current_reuse();
  if (const VariableRecord* existing = graph.find_variable(full_name)) {
    if (reuse == Reuse::kCreate) {
      throw UsageError(
          fmt::format("[get_variable {}] the variable exists already; enter the scope with reuse to share it",
                      full_name));
    }
    return find_existing(*existing, shape, options.dtype);
  }
  if (reuse == Reuse::kReuse) {
    throw UsageError(fmt::format(
        "[get_variable {}] expected a variable that exists, as the scope reuses, got a new name", full_name));
  }

  if (graph.unique_name(full_name, /*mark=*/false) != full_name) {
    throw UsageError(fmt::format(
        "[get_variable {}] expected a free name, got one that another node or scope has", full_name));
  }

  auto record = std::make_unique<VariableRecord>();
  record->trainable = options.trainable;
  {
    DetachedScope scope("");
    record->tensor =
        graph
            .add_special(NodeKind::kVariable, "belfry::variable", {},
                         {{"dtype", options.dtype}, {"shape", shape}, {"memory_order", options.memory_order}},
                         full_name, {{options.dtype, shape}})
            .output();
  }
  {
    DetachedScope scope(full_name + "/Initializer");
    record->initial_value = options.initializer ? options.initializer(shape, options.dtype)
                                                : default_initial_value(shape, options.dtype);
  }
  const Tensor& value = record->initial_value;
  if (value.shape() != shape || value.dtype() != options.dtype) {
    throw UsageError(fmt::format("[get_variable {}] expected an initializer that gives {} {}, got {}",
                                 full_name, to_string(options.dtype), to_string(shape), describe(value)));
  }
  const Variable variable(&graph.add_variable(std::move(record)));
  for (const auto& key : options.collections) graph.add_to_collection(key, variable.tensor());
  if (options.trainable) graph.add_to_collection(kTrainableVariables, variable.tensor());
  if (options.regularizer) {
    DetachedScope scope(full_name + "/Regularizer");
    if (Tensor loss = options.regularizer(variable)) graph.add_to_collection(kRegularizationLosses, loss);
  }
  return variable;
}

/// While a getter runs, those of the scopes around its own are the getters.
class OuterGetters : detail::ScopeGuard {
 public:
  explicit OuterGetters(const internal::GetterInScope& current) {
    internal::build_context().getters = current.outer;
  }
};

Variable get_through(std::shared_ptr<const internal::GetterInScope> current, const VariableRequest& request) {
  if (!current) return find_or_create(request);
  const OuterGetters outer(*current);
  const Variable variable = current->getter(
      [&](const VariableRequest& passed_on) { return get_through(current->outer, passed_on); }, request);
  if (!variable.defined())
    throw UsageError(
        fmt::format("[get_variable {}] expected a variable of the scope's getter, got none", request.name));
  return variable;
}

}  // namespace

const VariableRecord& Variable::record() const {
  if (!record_) throw UsageError("[Variable] expected a variable of a graph, got none");
  return *record_;
}

Variable get_variable(const std::string& name, const Shape& shape, const VariableOptions& options) {
  return get_through(internal::build_context().getters,
                     {internal::join_scope(current_variable_scope(), name), shape, options});
}

Variable as_variable(const Tensor& tensor) {
  if (!tensor.defined() || tensor.node().kind() != NodeKind::kVariable) return {};
  return Variable(tensor.graph().find_variable(tensor.op_name()));
}

std::vector<Variable> variables_in(const Graph& graph, const std::string& collection) {
  std::vector<Variable> result;
  for (const Tensor& tensor : graph.collection(collection)) {
    if (Variable variable = as_variable(tensor); variable.defined()) result.push_back(variable);
  }
  return result;
}

std::vector<Variable> trainable_variables() {
  return variables_in(default_graph(), kTrainableVariables);
}
std::vector<Variable> global_variables() {
  return variables_in(default_graph(), kGlobalVariables);
}

}  // namespace belfry
