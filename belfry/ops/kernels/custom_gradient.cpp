#include <ATen/core/grad_mode.h>
#include <ATen/ops/alias.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "belfry/graph/below_autograd.h"
#include "belfry/graph/function_value.h"
#include "belfry/ops/internal/boxed_arguments.h"

// Passes tensors on, and runs a function of the graph for their gradients: in the mode of autograd that asks,
// so that gradients of gradients are those of its nodes.

namespace belfry {
namespace {

using at::Tensor;
using internal::BoxedArguments;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

variable_list aliases(at::TensorList tensors) {
  const BelowAutograd below;
  variable_list result;
  for (const Tensor& tensor : tensors) result.push_back(at::alias(tensor));
  return result;
}

struct CustomGradient : torch::autograd::Function<CustomGradient> {
  static variable_list forward(AutogradContext* context, at::TensorList outputs, at::TensorList inputs,
                               at::TensorList captured, const c10::IValue& backward,
                               const std::optional<at::Generator>& generator) {
    context->save_for_backward(captured.vec());
    context->saved_data["outputs"] = static_cast<int64_t>(outputs.size());
    context->saved_data["inputs"] = static_cast<int64_t>(inputs.size());
    context->saved_data["backward"] = backward;
    context->saved_data["generator"] = generator;
    return aliases(outputs);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list given = gradients;
    const variable_list captured = context->get_saved_variables();
    given.insert(given.end(), captured.begin(), captured.end());
    const c10::IValue& generator = context->saved_data["generator"];
    const FunctionValue& function = *FunctionValue::in(context->saved_data["backward"]);
    const variable_list by_inputs =
        function.run(given, generator.isNone() ? std::nullopt : std::optional(generator.toGenerator()));
    const auto outputs = static_cast<size_t>(context->saved_data["outputs"].toInt());
    const auto inputs = static_cast<size_t>(context->saved_data["inputs"].toInt());
    variable_list result(outputs + inputs + captured.size() + 2);  // two arguments are no tensors
    std::ranges::copy(by_inputs, result.begin() + static_cast<std::ptrdiff_t>(outputs));
    return result;
  }
};

void custom_gradient(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const BoxedArguments arguments(op, *stack);
  const variable_list outputs = arguments.tensors("outputs"), inputs = arguments.tensors("inputs"),
                      captured = arguments.tensors("captured");
  const bool recorded = at::GradMode::is_enabled() &&
                        std::ranges::any_of(inputs, [](const Tensor& x) { return x.requires_grad(); });
  // Autograd finds tensors in a TensorList, not in a vector.
  arguments.give(*stack, recorded ? CustomGradient::apply(at::TensorList(outputs), at::TensorList(inputs),
                                                          at::TensorList(captured),
                                                          arguments.value("backward"), arguments.generator())
                                  : aliases(outputs));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "custom_gradient(Tensor[] outputs, Tensor[] inputs, Tensor[] captured, *, Capsule backward) -> "
      "Tensor[]");
  m.def(
      "custom_gradient.generator(Tensor[] outputs, Tensor[] inputs, Tensor[] captured, *, "
      "Generator? generator, Capsule backward) -> Tensor[]");
}

TORCH_LIBRARY_IMPL(belfry, CompositeImplicitAutograd, m) {
  m.impl("custom_gradient", torch::CppFunction::makeFromBoxedFunction<&custom_gradient>());
  m.impl("custom_gradient.generator", torch::CppFunction::makeFromBoxedFunction<&custom_gradient>());
}

}  // namespace belfry
