#include "belfry/predict/compiled_predictor.h"

#include <fmt/ranges.h>

#include "belfry/base/error.h"
#include "belfry/graph/function.h"

namespace belfry {
namespace {

std::vector<TensorSpec> specs_of(const std::vector<Tensor>& tensors, const std::vector<std::string>& names) {
  std::vector<TensorSpec> specs;
  for (size_t i = 0; i < tensors.size(); ++i) {
    specs.push_back({.name = names.empty() ? public_name(tensors[i]) : names[i],
                     .shape = tensors[i].shape(),
                     .dtype = tensors[i].dtype()});
  }
  return specs;
}

}  // namespace

std::vector<std::string> Predictor::names_of(const std::vector<TensorSpec>& specs) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : specs) names.push_back(spec.name);
  return names;
}

CompiledPredictor::CompiledPredictor(Session& session, const std::vector<Tensor>& inputs,
                                     const std::vector<Tensor>& outputs,
                                     const std::vector<std::string>& input_names,
                                     const std::vector<std::string>& output_names,
                                     const CompileOptions& options)
    : callable_(compile(session, {inputs.begin(), inputs.end()}, {outputs.begin(), outputs.end()}, options)),
      inputs_(specs_of(inputs, input_names)),
      outputs_(specs_of(outputs, output_names)) {}

void CompiledPredictor::check_count(const std::vector<at::Tensor>& inputs) const {
  if (inputs.size() == inputs_.size()) return;
  throw UsageError(fmt::format("[Predictor] expected {} inputs ({}), got {}", inputs_.size(),
                               fmt::join(input_names(), ", "), inputs.size()));
}

std::vector<at::Tensor> CompiledPredictor::operator()(const std::vector<at::Tensor>& inputs) const {
  check_count(inputs);
  return callable_(inputs);
}

void CompiledPredictor::run_into(const std::vector<at::Tensor>& inputs,
                                 const std::vector<at::Tensor>& results) const {
  check_count(inputs);
  callable_.run_into(inputs, results);
}

}  // namespace belfry
