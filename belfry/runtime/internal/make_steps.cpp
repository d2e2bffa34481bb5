// One walk over the ordered nodes. `sources_` is its memory: where each tensor's value is found at the point
// that the walk has come to. A variable's entry changes there: at first its cell, a copy where a write would
// come too early for a recording, a leaf where it is differentiated by; after a write the same again.

#include "belfry/runtime/internal/make_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/arguments_of.h"
#include "belfry/graph/kernel.h"
#include "belfry/graph/run_if.h"

namespace belfry::internal {
namespace {

class StepMaker {
 public:
  StepMaker(const Order& order, const Recordings& recordings, VariableStore& store)
      : order_(order), recordings_(recordings), store_(store) {}

  PlanData make(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches) {
    plan_.feeds = feeds;
    plan_.fetches = fetches;
    fed_.insert(feeds.begin(), feeds.end());
    for (const Tensor& feed : feeds) {
      plan_.feed_slots.push_back(add_slot(feed));
      if (recordings_.differentiated.contains(feed)) add_derived<LeafStep>(feed);
    }
    for (const Node* node : order_.nodes) add_steps(*node);
    for (const Tensor& fetch : fetches) {
      if (!is_fed(fetch)) check_conditions_of_fetch(fetch);
      plan_.fetch_sources.push_back(fetch.has_value() ? source_of(fetch) : NoValue());
    }
    plan_.has_gradients = !recordings_.of_gradients.empty();
    return std::move(plan_);
  }

 private:
  bool is_fed(const Tensor& tensor) const { return fed_.contains(tensor); }
  bool is_recorded(const Node& node) const { return recordings_.nodes.contains(&node); }

  int add_slot(const Tensor& tensor) {
    sources_[tensor] = SlotValue{plan_.num_slots};
    return plan_.num_slots++;
  }

  const Source& source_of(const Tensor& tensor) const {
    const auto found = sources_.find(tensor);
    if (found == sources_.end())
      throw InternalError(fmt::format("[Plan] '{}' is used before it is computed", tensor.name()));
    return found->second;
  }

  void add_steps(const Node& node) {
    switch (node.kind()) {
      case NodeKind::kConstant:
        if (!is_fed(node.output()))
          sources_[node.output()] = ConstantValue{&use_constant(node.attribute("value"))};
        break;
      case NodeKind::kVariable:
        if (!is_fed(node.output())) add_variable(node.output(), order_.position.at(&node));
        return;
      case NodeKind::kPlaceholder:  // not fed: its input is the default
      case NodeKind::kIdentity:
        return add_identity(node);
      case NodeKind::kGroup:
        sources_[node.output()] = NoValue();
        break;
      case NodeKind::kGradients:
        add_gradients(node);
        break;
      case NodeKind::kCall:
        add_call(node);
        break;
    }
    add_leaves(node);
  }

  const c10::IValue& use_constant(const c10::IValue& value) {
    if (value.isTensor()) plan_.constants.push_back(value.toTensor());
    return value;
  }

  VariableStore::Cell* use_variable(const Tensor& variable) {
    VariableStore::Cell* cell = &store_.cell(variable.node());
    if (!std::ranges::count(plan_.variables, cell)) plan_.variables.push_back(cell);
    return cell;
  }

  /// Lets the steps after that of `position` read the variable as it is then.
  void add_variable(const Tensor& variable, size_t position) {
    sources_[variable] = VariableValue{use_variable(variable)};
    if (is_overwritten_early(variable, position)) add_derived<CopyStep>(variable);
    if (recordings_.differentiated.contains(variable)) add_derived<LeafStep>(variable);
  }

  /// True when the value that the variable has after `position` is recorded for gradients that are computed
  /// after the next write. Only control dependencies ask for that: `with d_min before: g_min`.
  bool is_overwritten_early(const Tensor& variable, size_t position) const {
    const auto writers = order_.writers.find(variable);
    if (writers == order_.writers.end()) return false;
    const auto next = std::ranges::find_if(
        writers->second, [&](const Node* writer) { return order_.position.at(writer) > position; });
    if (next == writers->second.end()) return false;
    const size_t end = order_.position.at(*next);
    const auto reads_now = [&](const Node* node) {
      return order_.position.at(node) < end && order_.position.at(node) > position &&
             std::ranges::count(node->inputs(), variable) > 0;
    };
    return std::ranges::any_of(recordings_.of_gradients, [&](const Recording& recording) {
      return order_.position.at(recording.gradients) > end && std::ranges::any_of(recording.above, reads_now);
    });
  }

  /// Outputs that are differentiated by, and that nothing recorded computes, become leaves.
  void add_leaves(const Node& node) {
    if (is_recorded(node)) return;
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      const Tensor output = node.output(static_cast<int>(i));
      if (recordings_.differentiated.contains(output) && !is_fed(output)) add_derived<LeafStep>(output);
    }
  }

  /// Adds a step that makes another tensor of the value of `tensor`, which is read from there on.
  template <typename Derived>
  void add_derived(const Tensor& tensor) {
    const Source source = source_of(tensor);
    plan_.steps.push_back(Derived{{.node = &tensor.node(), .source = source, .output = add_slot(tensor)}});
  }

  void add_identity(const Node& node) {
    const Tensor output = node.output();
    if (is_fed(output)) return;
    sources_[output] = read(node, node.inputs()[0]);
    if (is_recorded(node) && recordings_.differentiated.contains(output)) {
      // Its gradient is not that of the input, so it needs a tensor of its own.
      add_derived<AliasStep>(output);
      return;
    }
    add_leaves(node);
  }

  void add_call(const Node& node) {
    CallStep step{.node = &node, .op = kernel_of(node.op()), .is_recorded = is_recorded(node)};
    for (size_t i = 0; i < node.arguments().size(); ++i) step.arguments.push_back(argument_of(node, i));
    for (int index : node.mutated_inputs()) step.mutated.push_back(use_variable(node.inputs()[index]));
    if (!step.is_recorded) {
      check_conditions_of_inputs(node);
      for (const Tensor& condition : conditions_of(node)) step.conditions.push_back(source_of(condition));
    }
    const auto& returns = node.op().schema().returns();
    step.returns_list = returns.size() == 1 && returns[0].type()->kind() == c10::TypeKind::ListType;
    step.outputs = add_outputs(node);
    plan_.steps.push_back(std::move(step));
    for (int index : node.mutated_inputs()) add_variable(node.inputs()[index], order_.position.at(&node));
  }

  CallStep::Argument argument_of(const Node& node, size_t i) {
    const Argument& argument = node.arguments()[i];
    switch (argument.kind) {
      case Argument::Kind::kConstant:
        return use_constant(argument.constant);
      case Argument::Kind::kGenerator:
        return c10::IValue(store_.generator(node));
      case Argument::Kind::kInput:
        return read_input(node, argument.inputs[0]);
      case Argument::Kind::kInputList:
        break;
    }
    CallStep::List list{.elements = {}, .may_have_gaps = takes_gaps(node.op().schema().arguments()[i])};
    for (int index : argument.inputs)
      list.elements.push_back(index < 0 ? NoValue() : read_input(node, index));
    return list;
  }

  Source read_input(const Node& node, int index) {
    const Tensor& input = node.inputs()[index];
    if (std::ranges::count(node.mutated_inputs(), index) == 0) return read(node, input);
    if (is_fed(input)) {
      throw UsageError(fmt::format("[Session] expected no feed for the variable '{}', which '{}' writes",
                                   input.name(), node.name()));
    }
    return VariableValue{use_variable(input)};
  }

  /// Where `node` reads its input from; a recorded read of a variable that is written in the same run is
  /// noted, as the gradients by that variable are those by the value read.
  Source read(const Node& node, const Tensor& input) {
    const Source& source = source_of(input);
    if (is_recorded(node) && order_.writers.contains(input))
      recorded_reads_[input].emplace_back(&node, source);
    return source;
  }

  /// Where gradients by `x` find it: the value that the recorded nodes read.
  Source differentiated_source(const Recording& recording, const Tensor& x) const {
    const auto reads = recorded_reads_.find(x);
    if (reads == recorded_reads_.end()) return source_of(x);
    const Source* source = nullptr;
    for (const auto& [node, read] : reads->second) {
      if (!recording.nodes.contains(node)) continue;
      if (source && slot_of(*source) != slot_of(read)) {
        throw UsageError(
            fmt::format("[gradients {}] cannot differentiate by '{}', which the loss reads before "
                        "and after it is written",
                        recording.gradients->name(), x.name()));
      }
      source = &read;
    }
    return source ? *source : source_of(x);
  }

  void add_gradients(const Node& node) {
    const ArgumentsOf arguments(node);
    const Recording& recording = recordings_.of(node);
    GradientsStep step{.node = &node, .loss = source_of(arguments.tensor("loss"))};
    if (const Tensor grad_loss = arguments.tensor("grad_loss")) step.grad_loss = source_of(grad_loss);
    for (const Tensor& x : arguments.tensors("xs")) step.xs.push_back(differentiated_source(recording, x));
    step.is_differentiable = is_recorded(node);
    step.keeps_recording = step.is_differentiable || recordings_.is_shared_later(recording);
    step.outputs = add_outputs(node);
    plan_.steps.push_back(std::move(step));
  }

  /// A slot for each output; -1 for one that is fed.
  std::vector<int> add_outputs(const Node& node) {
    std::vector<int> slots;
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      const Tensor output = node.output(static_cast<int>(i));
      if (!output.has_value()) {
        sources_[output] = NoValue();
      } else {
        slots.push_back(is_fed(output) ? -1 : add_slot(output));
      }
    }
    return slots;
  }

  const Order& order_;
  const Recordings& recordings_;
  VariableStore& store_;
  Fed fed_;
  std::unordered_map<Tensor, Source> sources_;
  std::unordered_map<Tensor, std::vector<std::pair<const Node*, Source>>> recorded_reads_;
  PlanData plan_;
};

}  // namespace

PlanData make_steps(const Order& order, const Recordings& recordings, const std::vector<Tensor>& feeds,
                    const std::vector<Tensor>& fetches, VariableStore& store) {
  return StepMaker(order, recordings, store).make(feeds, fetches);
}

}  // namespace belfry::internal
