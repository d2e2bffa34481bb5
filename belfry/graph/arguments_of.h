#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/stack.h>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/graph/node.h"

namespace belfry {

/// The tensors that a node is given, by the names of its operator's schema.
class ArgumentsOf {
 public:
  explicit ArgumentsOf(const Node& node) : node_(node) {}

  const Node& node() const { return node_; }

  /// Whether the schema has an argument of that name.
  bool takes(std::string_view name) const;
  /// The tensor given for an argument; none where there is none. Throws InternalError when the schema has no
  /// such argument.
  Tensor tensor(std::string_view name) const;
  /// As above, of an argument that takes a list.
  std::vector<Tensor> tensors(std::string_view name) const;

 private:
  const std::vector<int>& inputs(std::string_view name) const;
  const Node& node_;
};

/// True for an argument whose list may have gaps: `Tensor?[]`.
bool takes_gaps(const c10::Argument& argument);

/// The value of an argument that takes a list: `value_of(0)`, `value_of(1)`, ... `size` tensors; an undefined
/// one is a gap where the list `may_have_gaps`.
template <typename ValueOf>
c10::IValue make_list(size_t size, bool may_have_gaps, ValueOf value_of) {
  const auto fill = [&](auto list, auto element_of) {
    list.reserve(size);
    for (size_t i = 0; i < size; ++i) list.push_back(element_of(value_of(i)));
    return c10::IValue(std::move(list));
  };
  if (!may_have_gaps) return fill(c10::List<at::Tensor>(), [](at::Tensor value) { return value; });
  return fill(c10::List<std::optional<at::Tensor>>(), [](at::Tensor value) {
    return value.defined() ? std::optional(std::move(value)) : std::nullopt;
  });
}

/// The arguments of a call, ready for the dispatcher: constants as they are, none for a generator, and
/// `value_of(index)` for each input, by its index into Node::inputs().
template <typename ValueOf>
c10::Stack make_stack(const c10::FunctionSchema& schema, const std::vector<Argument>& arguments,
                      ValueOf value_of) {
  c10::Stack stack;
  stack.reserve(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument& argument = arguments[i];
    switch (argument.kind) {
      case Argument::Kind::kConstant:
        stack.push_back(argument.constant);
        break;
      case Argument::Kind::kInput:
        stack.emplace_back(value_of(argument.inputs[0]));
        break;
      case Argument::Kind::kInputList:
        stack.push_back(make_list(argument.inputs.size(), takes_gaps(schema.arguments()[i]), [&](size_t k) {
          return argument.inputs[k] < 0 ? at::Tensor() : value_of(argument.inputs[k]);
        }));
        break;
      case Argument::Kind::kGenerator:
        stack.emplace_back();
        break;
    }
  }
  return stack;
}

template <typename ValueOf>
c10::Stack make_stack(const Node& node, ValueOf value_of) {
  return make_stack(node.op().schema(), node.arguments(), std::move(value_of));
}

/// The tensors that a call has left on the stack, members of lists one by one.
std::vector<at::Tensor> results_of(const c10::Stack& stack);

}  // namespace belfry
