#include "belfry/inference/freeze.h"

#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/graph/rewriter.h"

namespace belfry {
namespace {

std::vector<Tensor> resolve(const std::vector<Fetch>& fetches, const Graph& graph) {
  std::vector<Tensor> tensors;
  for (const Fetch& fetch : fetches) tensors.push_back(fetch.resolve(graph));
  return tensors;
}

std::vector<at::Tensor> values_of(Session& session, const std::vector<Weight>& weights) {
  std::vector<Fetch> variables;
  for (const Weight& weight : weights) variables.emplace_back(weight.variable);
  return session.run(variables);
}

std::vector<at::Tensor> call(const Function& function, const std::vector<at::Tensor>& inputs) {
  Session session(*function.graph);
  return session.make_callable({function.inputs.begin(), function.inputs.end()},
                               {function.outputs.begin(), function.outputs.end()})(inputs);
}

/// `values` are those of the function's weights.
Function freeze_function(const Function& function, const std::vector<at::Tensor>& values) {
  SplitFunction parts = split_off_constants(function);
  const auto outcomes = call(parts.preparation, values);
  for (size_t i = 0; i < outcomes.size(); ++i) parts.rest.weights[i].value = outcomes[i].cpu().contiguous();
  return std::move(parts.rest);
}

}  // namespace

Function freeze_function(const std::string& who, Session& session, const std::vector<Fetch>& inputs,
                         const std::vector<Fetch>& outputs) {
  if (outputs.empty()) throw UsageError(fmt::format("[{}] expected at least one output, got none", who));
  const std::vector<Tensor> from = resolve(inputs, session.graph());
  for (auto input = from.begin(); input != from.end(); ++input) {
    if (std::find(from.begin(), input, *input) != input)
      throw UsageError(fmt::format("[{}] expected different inputs, got '{}' twice", who, input->name()));
  }
  std::string trouble;
  const auto function = extract_function(from, resolve(outputs, session.graph()), &trouble);
  if (!function)
    throw UsageError(fmt::format("[{}] expected an inference graph, got one whose {}", who, trouble));
  return freeze_function(*function, values_of(session, function->weights));
}

Function freeze_function(const std::string& who, const Function& function) {
  std::vector<at::Tensor> values;
  for (const Weight& weight : function.weights) {
    if (!weight.value.defined())
      throw UsageError(fmt::format(
          "[{}] expected a function with the values of its weights, got none for '{}'", who, weight.name));
    values.push_back(weight.value);
  }
  return freeze_function(function, values);
}

}  // namespace belfry
