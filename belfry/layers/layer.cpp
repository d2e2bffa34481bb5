#include "belfry/layers/layer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/layers/internal/layer_records.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

/// What a graph knows of its layers besides their list.
struct LayerOutputs {
  std::unordered_map<Tensor, std::string> scopes;  ///< the variable scope of each outcome
  bool logs = true;
};

const std::string& checked_name(const std::string& kind, const std::string& name,
                                const std::vector<Tensor>& inputs) {
  if (name.empty()) throw UsageError(fmt::format("[{}] expected a name, got an empty one", kind));
  if (inputs.empty() || !std::ranges::all_of(inputs, &Tensor::defined))
    throw UsageError(fmt::format("[{} {}] expected an input tensor, got none", kind, name));
  return name;
}

std::string shapes_of(const std::vector<Tensor>& tensors) {
  std::vector<std::string> texts;
  for (const Tensor& tensor : tensors) texts.push_back(to_string(tensor.shape()));
  return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

namespace detail {

LayerScope::LayerScope(const char* kind, const std::string& name, const std::vector<Tensor>& inputs,
                       bool log_shape)
    : kind_(kind), name_(checked_name(kind_, name, inputs)), scope_(name), log_shape_(log_shape) {
  auto& records = default_graph().extension<internal::LayerRecords>().list;
  const bool listed = std::any_of(records.begin(), records.end(), [&](const internal::LayerRecord& record) {
    return record.kind == kind_ && record.name == current_variable_scope();
  });
  if (listed) return;
  record_ = records.size();
  records.push_back({kind_, current_variable_scope(), inputs, {}});
}

LayerScope::~LayerScope() {
  if (!finished_ && record_) default_graph().extension<internal::LayerRecords>().list.resize(*record_);
}

std::string LayerScope::who() const {
  return kind_ + " " + current_variable_scope();
}

Tensor LayerScope::finish(const Tensor& result) {
  return finish(std::vector<Tensor>{result})[0];
}

std::vector<Tensor> LayerScope::finish(std::vector<Tensor> results) {
  LayerOutputs& outputs = default_graph().extension<LayerOutputs>();
  for (Tensor& result : results) {
    result = identity(result, "output");
    outputs.scopes[result] = current_variable_scope();
  }
  if (record_) {
    internal::LayerRecord& record = default_graph().extension<internal::LayerRecords>().list[*record_];
    record.outputs = results;
    if (log_shape_ && outputs.logs)
      log_info("'{}': {} --> {}", record.name, shapes_of(record.inputs), shapes_of(results));
  }
  finished_ = true;
  return results;
}

}  // namespace detail

Tensor print_tensor(const Tensor& x) {
  log_info("{}", x.defined() ? describe(x) : "none");
  return x;
}

Variable LayerVariables::operator[](const std::string& name) const {
  const std::string full = scope_ + "/" + name;
  if (const VariableRecord* found = graph_->find_variable(full)) return Variable(found);
  std::vector<std::string> names;
  for (const Variable& variable : list()) names.push_back(variable.name());
  throw UsageError(fmt::format("[variables_of '{}'] expected a variable among {}, got '{}'", scope_,
                               fmt::join(names, ", "), full));
}

std::vector<Variable> LayerVariables::list() const {
  std::vector<Variable> result;
  for (const auto& record : graph_->variables()) {
    if (record->tensor.op_name().starts_with(scope_ + "/")) result.emplace_back(record.get());
  }
  return result;
}

LayerVariables variables_of(const Tensor& output) {
  if (output.defined()) {
    Graph& graph = output.graph();
    if (const auto* outputs = graph.find_extension<LayerOutputs>()) {
      if (const auto found = outputs->scopes.find(output); found != outputs->scopes.end())
        return LayerVariables(graph, found->second);
    }
  }
  throw UsageError(fmt::format("[variables_of] expected the outcome of a layer with a name, got {}",
                               output.defined() ? describe(output) : "none"));
}

void disable_layer_logging() {
  default_graph().extension<LayerOutputs>().logs = false;
}

}  // namespace belfry
