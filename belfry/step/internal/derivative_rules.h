#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "belfry/graph/arguments_of.h"
#include "belfry/graph/node.h"
#include "belfry/graph/tensor.h"

namespace belfry::internal {

/// What a rule knows of the node that it differentiates, and where it puts its outcome.
class Backprop {
 public:
  /// `gradients`: by each output, none where none flows. `wanted`: the inputs whose gradients are wanted.
  Backprop(const Node& node, std::vector<Tensor> gradients, std::vector<bool> wanted)
      : node_(node),
        arguments_(node),
        gradients_(std::move(gradients)),
        wanted_(std::move(wanted)),
        results_(node.inputs().size()) {}

  const Node& node() const { return node_; }
  Tensor input(std::string_view argument) const { return arguments_.tensor(argument); }
  Tensor output(int index = 0) const { return node_.output(index); }
  /// By that output, whose shape it has; none where none flows.
  Tensor gradient(int index = 0) const { return gradients_[static_cast<size_t>(index)]; }
  const c10::IValue& attribute(std::string_view name) const { return node_.attribute(name); }
  double number(std::string_view name) const { return node_.attribute(name).toScalar().toDouble(); }
  std::vector<int64_t> integers(std::string_view name) const { return node_.attribute(name).toIntVector(); }

  /// Whether the gradient by that input is wanted; rules may ask before they add costly nodes.
  bool wants(std::string_view argument) const;
  bool wants(size_t input) const { return wanted_[input]; }
  /// Adds `gradient` to that by the input `argument`, which may have been broadcast or promoted: what was
  /// repeated is summed, and the dtype becomes the input's. Nothing where it is not wanted.
  void give(std::string_view argument, const Tensor& gradient);
  /// The same by the number of an input.
  void give(size_t input, const Tensor& gradient);

  /// For rules of operators whose first output alone is a result: the others, such as statistics, are what
  /// the derivative reads, and gradients by them come of second derivatives. Throws UsageError where there
  /// are any, so that the plan takes them.
  void refuse_further_gradients() const;

  const std::vector<Tensor>& results() const { return results_; }

 private:
  const Node& node_;
  ArgumentsOf arguments_;
  std::vector<Tensor> gradients_;
  std::vector<bool> wanted_;
  std::vector<Tensor> results_;

  /// -1 where the node has no such input.
  int input_index(std::string_view argument) const;
};

/// Adds the nodes of a derivative; false where it has none for such a node, before it has added any.
using DerivativeRule = bool (*)(Backprop& backprop);
/// Builds `node` in a form that has rules, or whose rules need more outputs, with these inputs, one for each
/// tensor of the schema, none where it is not given. Returns what replaces the node's outputs; empty where it
/// is wanted as it is.
using DerivativeForm = std::vector<Tensor> (*)(const Node& node, const std::vector<Tensor>& inputs);
/// What is known of an operator's derivative; each may be null.
struct Derivative {
  DerivativeRule rule = nullptr;
  DerivativeForm form = nullptr;

  Derivative() = default;
  Derivative(DerivativeRule its_rule) : rule(its_rule) {}
};
/// By the name of the operator.
using DerivativeRules = std::unordered_map<std::string_view, Derivative>;

/// Of nothing where the operator has no row.
Derivative derivative_of(const Node& node);

/// Random nodes that rules have added to a graph, by name, and the names of the nodes that they
/// differentiate, whose generators are theirs.
struct RandomOrigins : std::unordered_map<std::string, std::string> {};

/// `x` summed over what broadcasting from `shape` repeated.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// `axes` of a tensor of that rank, counted from the front, in order; all of them where there are none.
std::vector<int64_t> positive_axes(std::vector<int64_t> axes, int64_t rank);

// Each in its own file, belfry/step/derivatives/NAME.cpp.
void add_activation_derivatives(DerivativeRules& rules);
void add_arithmetic_derivatives(DerivativeRules& rules);
void add_array_derivatives(DerivativeRules& rules);
void add_attention_derivatives(DerivativeRules& rules);
void add_collective_derivatives(DerivativeRules& rules);
void add_contraction_derivatives(DerivativeRules& rules);
void add_custom_gradient_derivatives(DerivativeRules& rules);
void add_image_derivatives(DerivativeRules& rules);
void add_limit_derivatives(DerivativeRules& rules);
void add_loss_derivatives(DerivativeRules& rules);
void add_normalization_derivatives(DerivativeRules& rules);
void add_product_derivatives(DerivativeRules& rules);
void add_recurrent_derivatives(DerivativeRules& rules);
void add_reduction_derivatives(DerivativeRules& rules);

}  // namespace belfry::internal
