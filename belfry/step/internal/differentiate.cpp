#include "belfry/step/internal/differentiate.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"
#include "belfry/step/internal/derivative_rules.h"

// Reverse mode (Griewank and Walther, Evaluating Derivatives, chapter 3): nodes between the xs and the loss
// are visited from the loss backwards, in the order of their ids, which is topological. Invariant: when a
// node is visited, every node that reads its outputs has added its part to their gradients.

namespace belfry::internal {
namespace {

bool flows(const Tensor& tensor) {
  return tensor.defined() && passes_gradient(tensor) && !c10::isComplexType(tensor.dtype());
}

/// What lies between: the nodes that the loss is computed from and that an x flows into.
struct Between {
  std::unordered_set<Tensor> xs;
  std::vector<const Node*> order;
  std::unordered_set<const Node*> nodes;

  /// Whether an x is, or flows into, that input of one of them.
  bool carries(const Tensor& input) const {
    return xs.contains(input) || (flows(input) && nodes.contains(&input.node()));
  }
};

Between find_between(const std::vector<Tensor>& xs, const Tensor& loss) {
  std::unordered_set<const Node*> above;
  std::vector<const Node*> stack;
  if (flows(loss)) stack.push_back(&loss.node());
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!above.insert(node).second) continue;
    for (const Tensor& input : node->inputs()) {
      if (flows(input)) stack.push_back(&input.node());
    }
  }
  Between between{.xs = {xs.begin(), xs.end()}, .order = {above.begin(), above.end()}, .nodes = {}};
  std::ranges::sort(between.order, {}, &Node::id);
  std::erase_if(between.order, [&](const Node* node) {
    const bool carries =
        std::ranges::any_of(node->inputs(), [&](const Tensor& input) { return between.carries(input); });
    if (carries) between.nodes.insert(node);
    return !carries;
  });
  return between;
}

const DerivativeRules& rules() {
  static const DerivativeRules table = [] {
    DerivativeRules rules;
    add_activation_derivatives(rules);
    add_arithmetic_derivatives(rules);
    add_array_derivatives(rules);
    add_attention_derivatives(rules);
    add_collective_derivatives(rules);
    add_contraction_derivatives(rules);
    add_custom_gradient_derivatives(rules);
    add_image_derivatives(rules);
    add_limit_derivatives(rules);
    add_loss_derivatives(rules);
    add_normalization_derivatives(rules);
    add_product_derivatives(rules);
    add_recurrent_derivatives(rules);
    add_reduction_derivatives(rules);
    return rules;
  }();
  return table;
}

/// By ATen's autograd, on a copy of the node whose inputs are tensors of their own: one of them may be
/// computed from another.
void differentiate_under_autograd(Backprop& backprop) {
  const Node& node = backprop.node();
  if (node.kind() != NodeKind::kCall || node.is_random() || !node.mutated_inputs().empty()) {
    throw UsageError(
        fmt::format("[differentiate] expected an operator with a derivative rule, or one that "
                    "draws no random numbers and writes nothing, got '{}' ({})",
                    node.name(), node.op_name()));
  }
  std::vector<Tensor> inputs, xs;
  std::vector<size_t> places;
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const Tensor& input = node.inputs()[i];
    inputs.push_back(identity(input, "input"));
    if (!backprop.wants(i)) continue;
    xs.push_back(inputs.back());
    places.push_back(i);
  }
  const Node& copy = default_graph().add_copy(node, inputs);
  for (int i = 0; i < static_cast<int>(node.outputs().size()); ++i) {
    if (!backprop.gradient(i).defined()) continue;
    const auto by_inputs = gradients(copy.output(i), xs, {.grad_loss = backprop.gradient(i)});
    for (size_t k = 0; k < xs.size(); ++k) backprop.give(places[k], by_inputs[k]);
  }
}

Tensor plus(const Tensor& a, const Tensor& b) {
  return a.defined() ? add(a, b) : b;
}

void check_static(const Node& node) {
  for (const NodeOutput& output : node.outputs()) {
    if (std::ranges::count(output.shape, kDynamic)) {
      throw UsageError(fmt::format("[differentiate] expected static shapes, got {} of '{}'",
                                   to_string(output.shape), node.name()));
    }
  }
}

}  // namespace

Derivative derivative_of(const Node& node) {
  if (node.kind() == NodeKind::kIdentity) {
    return Derivative([](Backprop& b) {
      b.give(size_t{0}, b.gradient());
      return true;
    });
  }
  if (node.kind() != NodeKind::kCall) return {};
  const auto found = rules().find(node.op_name());
  return found == rules().end() ? Derivative() : found->second;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int64_t added = x.rank() - static_cast<int64_t>(shape.size());
  std::vector<int64_t> axes;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    if (axis < added || shape[static_cast<size_t>(axis - added)] != x.dim(axis)) axes.push_back(axis);
  }
  return reshape(call("aten::sum.dim_IntList", {x}, {{"dim", axes}, {"keepdim", false}}), shape);
}

std::vector<int64_t> positive_axes(std::vector<int64_t> axes, int64_t rank) {
  if (axes.empty()) {
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::ranges::sort(axes);
  return axes;
}

int Backprop::input_index(std::string_view argument) const {
  const auto& arguments = node_.op().schema().arguments();
  const auto found = std::ranges::find(arguments, argument, &c10::Argument::name);
  const Argument& given = node_.arguments()[static_cast<size_t>(found - arguments.begin())];
  return given.kind == Argument::Kind::kInput ? given.inputs[0] : -1;
}

void Backprop::refuse_further_gradients() const {
  for (size_t i = 1; i < gradients_.size(); ++i) {
    if (!gradients_[i].defined()) continue;
    throw UsageError(
        fmt::format("[differentiate] expected no gradient by what '{}' ({}) keeps for its own derivative, "
                    "got one: this is a second derivative",
                    node_.name(), node_.op_name()));
  }
}

bool Backprop::wants(std::string_view argument) const {
  const int index = input_index(argument);
  return index >= 0 && wants(static_cast<size_t>(index));
}

void Backprop::give(std::string_view argument, const Tensor& gradient) {
  if (wants(argument)) give(static_cast<size_t>(input_index(argument)), gradient);
}

void Backprop::give(size_t index, const Tensor& gradient) {
  const Tensor& input = node_.inputs()[index];
  if (!wants(index) || !gradient.defined()) return;
  Tensor fitted = sum_to(gradient, input.shape());
  if (fitted.dtype() != input.dtype()) fitted = cast(fitted, input.dtype());
  results_[index] = plus(results_[index], fitted);
}

std::vector<Tensor> differentiate(const Tensor& loss, const std::vector<Tensor>& xs,
                                  const Tensor& grad_loss) {
  if (loss.rank() != 0 && !grad_loss.defined())
    throw UsageError(
        fmt::format("[differentiate] expected a scalar loss, or grad_loss, got {}", describe(loss)));
  const Between between = find_between(xs, loss);
  std::unordered_map<Tensor, Tensor> gradients;
  gradients[loss] = grad_loss.defined() ? grad_loss : ones_like(loss);
  for (auto it = between.order.rbegin(); it != between.order.rend(); ++it) {
    const Node& node = **it;
    std::vector<Tensor> by_outputs;
    for (int i = 0; i < static_cast<int>(node.outputs().size()); ++i)
      by_outputs.push_back(gradients[node.output(i)]);
    if (std::ranges::none_of(by_outputs, &Tensor::defined)) continue;
    check_static(node);
    std::vector<bool> wanted;
    for (const Tensor& input : node.inputs()) wanted.push_back(between.carries(input));
    Backprop backprop(node, std::move(by_outputs), std::move(wanted));
    const DerivativeRule rule = derivative_of(node).rule;
    if (!rule || !rule(backprop)) differentiate_under_autograd(backprop);
    for (size_t i = 0; i < node.inputs().size(); ++i) {
      if (!backprop.results()[i].defined()) continue;
      Tensor& sum = gradients[node.inputs()[i]];
      sum = plus(sum, backprop.results()[i]);
    }
  }
  std::vector<Tensor> results;
  for (const Tensor& x : xs) results.push_back(gradients[x].defined() ? gradients[x] : zeros_like(x));
  return results;
}

namespace {

/// `inputs` of `node` in the order of the schema's tensors, none where an optional one is not given.
std::vector<Tensor> inputs_by_argument(const Node& node, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> result;
  const auto& arguments = node.op().schema().arguments();
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument& given = node.arguments()[i];
    if (given.kind == Argument::Kind::kInput) {
      result.push_back(inputs[static_cast<size_t>(given.inputs[0])]);
    } else if (*arguments[i].type() == *c10::OptionalType::ofTensor()) {
      result.emplace_back();
    }
  }
  return result;
}

}  // namespace

std::vector<Tensor> build_for_derivative(const Node& node, const std::vector<Tensor>& inputs) {
  const DerivativeForm form = derivative_of(node).form;
  return form ? form(node, inputs_by_argument(node, inputs)) : std::vector<Tensor>();
}

}  // namespace belfry::internal
