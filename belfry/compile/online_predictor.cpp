#include "belfry/compile/online_predictor.h"

#include <fmt/ranges.h>

#include "belfry/base/error.h"

namespace belfry {
namespace {

std::vector<std::string> names_of(const std::vector<Tensor>& tensors) {
  std::vector<std::string> names;
  for (const Tensor& tensor : tensors) names.push_back(tensor.op_name());
  return names;
}

}  // namespace

OnlinePredictor::OnlinePredictor(Session& session, const std::vector<Tensor>& inputs,
                                 const std::vector<Tensor>& outputs, std::vector<std::string> input_names,
                                 std::vector<std::string> output_names, const CompileOptions& options)
    : callable_(compile(session, {inputs.begin(), inputs.end()}, {outputs.begin(), outputs.end()}, options)),
      input_names_(input_names.empty() ? names_of(inputs) : std::move(input_names)),
      output_names_(output_names.empty() ? names_of(outputs) : std::move(output_names)) {}

std::vector<at::Tensor> OnlinePredictor::operator()(const std::vector<at::Tensor>& inputs) const {
  if (inputs.size() != input_names_.size()) {
    throw UsageError(fmt::format("[OnlinePredictor] expected {} inputs ({}), got {}", input_names_.size(),
                                 fmt::join(input_names_, ", "), inputs.size()));
  }
  return callable_(inputs);
}

}  // namespace belfry
