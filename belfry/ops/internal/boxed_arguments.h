#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <optional>
#include <string_view>
#include <vector>

#include "belfry/graph/function_value.h"

namespace belfry::internal {

/// The arguments of a kernel that the dispatcher calls with a stack, by the names of the schema. Refers to
/// the stack's values, until give().
class BoxedArguments {
 public:
  BoxedArguments(const c10::OperatorHandle& op, const torch::jit::Stack& stack)
      : op_(op),
        values_(stack.end() - static_cast<std::ptrdiff_t>(op.schema().arguments().size()), stack.end()) {}

  const c10::IValue& value(std::string_view name) const {
    return values_[static_cast<size_t>(op_.schema().argumentIndexWithName(name).value())];
  }
  std::vector<at::Tensor> tensors(std::string_view name) const { return value(name).toTensorVector(); }
  const FunctionValue& function(std::string_view name) const {
    const FunctionValue* function = FunctionValue::in(value(name));
    TORCH_CHECK(function, "expected a function for '", name, "'");
    return *function;
  }
  /// None where the schema takes none, or none is given.
  std::optional<at::Generator> generator() const {
    const auto index = op_.schema().argumentIndexWithName("generator");
    if (!index || values_[static_cast<size_t>(*index)].isNone()) return std::nullopt;
    return values_[static_cast<size_t>(*index)].toGenerator();
  }

  /// Puts the results of an operator that returns a list in the place of its arguments.
  void give(torch::jit::Stack& stack, std::vector<at::Tensor> results) const {
    torch::jit::drop(stack, values_.size());
    stack.emplace_back(std::move(results));
  }

 private:
  const c10::OperatorHandle& op_;
  std::vector<c10::IValue> values_;
};

}  // namespace belfry::internal
