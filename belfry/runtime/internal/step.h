#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>

#include <type_traits>
#include <variant>
#include <vector>

#include "belfry/graph/node.h"
#include "belfry/runtime/internal/variable_store.h"

namespace belfry::internal {

/// The output of an operation without a value.
struct NoValue {};
/// A constant of the graph.
struct ConstantValue {
  const c10::IValue* value;
};
/// What the variable holds when the step runs.
struct VariableValue {
  VariableStore::Cell* cell;
};
/// What a step before has put into the frame.
struct SlotValue {
  int slot;
  bool is_last_use = false;  ///< the value is moved out, so that its memory is free at once
};
/// Where a value comes from when a step runs.
using Source = std::variant<NoValue, ConstantValue, VariableValue, SlotValue>;

/// The slot that a source reads; -1 for one that reads none.
inline int slot_of(const Source& source) {
  const auto* value = std::get_if<SlotValue>(&source);
  return value ? value->slot : -1;
}

// The steps of a plan.
//
// Modes of autograd. A plan without gradients records nothing: its steps run below the autograd keys of the
// dispatcher, the fastest way. A plan with gradients records the steps that lie between a gradients node's xs
// and its loss, and runs the others below autograd too. An x that no recorded step computes becomes a leaf: a
// detached alias that requires a gradient.
//
// Order. A write of a variable runs after everything that does not depend on it. Where control dependencies
// nevertheless put gradients after a write of what was recorded for them, the record is of a copy.
//
// A slot of -1 is that of an output that nobody needs.

/// Calls a node's operator.
struct CallStep {
  /// An argument of several values.
  struct List {
    std::vector<Source> elements;
    bool may_have_gaps = false;
  };
  /// A constant that stands in the call, one value, or several.
  using Argument = std::variant<c10::IValue, Source, List>;

  const Node* node;
  c10::OperatorHandle op;  ///< what computes the node
  std::vector<Argument> arguments = {};
  std::vector<int> outputs = {};
  std::vector<VariableStore::Cell*> mutated = {};
  std::vector<Source> conditions = {};  ///< runs where all hold (run_if.h)
  bool is_recorded = false;
  bool returns_list = false;
};

/// What the steps have in common that make another tensor of one value.
struct DerivedTensor {
  const Node* node;
  Source source;
  int output;
};
/// A detached alias that requires a gradient: derivatives are by it.
struct LeafStep : DerivedTensor {};
/// A recorded alias: an identity whose gradient is not that of its input.
struct AliasStep : DerivedTensor {};
/// A copy, which a later write of the variable does not reach.
struct CopyStep : DerivedTensor {};

/// Asks autograd for the derivatives of a loss.
struct GradientsStep {
  const Node* node;
  Source loss, grad_loss = NoValue();
  std::vector<Source> xs = {};
  std::vector<int> outputs = {};
  bool is_differentiable = false;  ///< a gradient of this gradient is wanted
  bool keeps_recording = false;    ///< another gradients node needs the same recording
};

using Step = std::variant<CallStep, LeafStep, AliasStep, CopyStep, GradientsStep>;

/// The step as one that makes another tensor of a value, or null.
template <typename AnyStep>
auto* as_derived(AnyStep& step) {
  using Derived = std::conditional_t<std::is_const_v<AnyStep>, const DerivedTensor, DerivedTensor>;
  return std::visit(
      [](auto& any) -> Derived* {
        if constexpr (std::is_base_of_v<DerivedTensor, std::remove_cvref_t<decltype(any)>>) {
          return &any;
        } else {
          return nullptr;
        }
      },
      step);
}

}  // namespace belfry::internal
