#include "belfry/ops/custom_gradient.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/custom_gradient.h"
#include "belfry/graph/function.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/trace.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

std::vector<TensorSpec> gradient_specs(const std::vector<Tensor>& outputs) {
  std::vector<TensorSpec> specs;
  for (const Tensor& output : outputs)
    specs.push_back({.name = "dy", .shape = output.shape(), .dtype = output.dtype()});
  return specs;
}

void check_gradient(const std::string& who, const Tensor& gradient, const Tensor& input) {
  if (gradient.dtype() == input.dtype() && (is_compatible_with(input.shape(), gradient.shape()) ||
                                            is_compatible_with(gradient.shape(), input.shape())))
    return;
  throw UsageError(fmt::format("[{}] expected a gradient like its input {}, got {}", who, describe(input),
                               describe(gradient)));
}

}  // namespace

std::vector<Tensor> custom_gradient(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                                    const GradientFunction& gradient, const std::string& name) {
  const std::string full_name = free_name(kCustomGradient, name);
  if (!gradient)
    throw UsageError(fmt::format("[{}] expected a function for the gradients, got null", full_name));
  for (const auto* tensors : {&outputs, &inputs}) {
    if (tensors->empty())
      throw UsageError(fmt::format("[{}] expected outputs and inputs, got none", full_name));
    for (const Tensor& tensor : *tensors) {
      if (!tensor.defined() || !tensor.has_value())
        throw UsageError(fmt::format("[{}] expected tensors, got none", full_name));
    }
  }

  std::vector<Tensor> differentiated;  // the inputs that have a gradient
  const TracedFunction backward =
      trace(full_name, full_name, gradient_specs(outputs), [&](const std::vector<Tensor>& gradients) {
        const std::vector<Tensor> by_inputs = gradient(gradients);
        if (by_inputs.size() != inputs.size()) {
          throw UsageError(fmt::format("[{}] expected {} gradients, one for each input, got {}", full_name,
                                       inputs.size(), by_inputs.size()));
        }
        std::vector<Tensor> given;
        for (size_t i = 0; i < inputs.size(); ++i) {
          if (!by_inputs[i].defined()) continue;
          check_gradient(full_name, by_inputs[i], inputs[i]);
          differentiated.push_back(inputs[i]);
          given.push_back(by_inputs[i]);
        }
        return given;
      });

  // What computes the outputs is cut off: no gradient flows there.
  std::vector<Tensor> values;
  for (const Tensor& output : outputs) values.push_back(stop_gradient(output, full_name + "/value/"));
  return default_graph()
      .add(backward.is_random ? "belfry::custom_gradient.generator" : "belfry::custom_gradient", {},
           {{"outputs", values},
            {"inputs", differentiated},
            {"captured", backward.captured},
            {"backward", backward.function}},
           full_name + "/")
      .output_tensors();
}

Tensor custom_gradient(const Tensor& output, const Tensor& input,
                       const std::function<Tensor(const Tensor&)>& gradient, const std::string& name) {
  if (!gradient) throw UsageError("[custom_gradient] expected a function for the gradient, got null");
  return custom_gradient(
      std::vector<Tensor>{output}, {input},
      [&](const std::vector<Tensor>& gradients) { return std::vector<Tensor>{gradient(gradients[0])}; },
      name)[0];
}

}  // namespace belfry
