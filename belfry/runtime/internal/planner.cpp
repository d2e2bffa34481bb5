#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/kernel.h"
#include "belfry/runtime/internal/plan.h"

namespace belfry {

/// Turns feeds and fetches into the steps of a plan.
class Planner {
 public:
  explicit Planner(Plan& plan) : plan_(plan) {
    for (size_t i = 0; i < plan.feeds_.size(); ++i) {
      if (!fed_.emplace(plan.feeds_[i], static_cast<int>(i)).second) {
        throw UsageError(fmt::format("[Session] '{}' is fed twice", plan.feeds_[i].name()));
      }
    }
  }

  void build() {
    for (const Tensor& fetch : plan_.fetches_) need(fetch);
    order_steps();
    find_recordings();
    for (const Tensor& feed : plan_.feeds_) {
      plan_.feed_slots_.push_back(add_slot(feed));
      if (differentiated_.contains(feed)) add_leaf(feed);
    }
    for (const Node* node : needed_) {
      current_ = position_[node];
      add_steps(*node);
    }
    for (const Tensor& fetch : plan_.fetches_) plan_.fetch_sources_.push_back(fetch_source(fetch));
    mark_last_uses();
    plan_.num_slots_ = static_cast<int>(num_slots_);
    plan_.has_gradients_ = !recordings_.empty();
  }

 private:
  /// What one gradients node needs recorded.
  struct Recording {
    const Node* gradients;
    std::unordered_set<const Node*> above;  ///< what the loss is computed from
    std::unordered_set<const Node*> nodes;  ///< those of them that an x flows into
  };

  bool is_fed(const Tensor& tensor) const { return fed_.contains(tensor); }

  /// Adds what `fetch` is computed from to needed_, without recursion: graphs are deep.
  void need(const Tensor& fetch) {
    if (is_fed(fetch)) return;
    std::vector<const Node*> stack = {&fetch.node()};
    while (!stack.empty()) {
      const Node* node = stack.back();
      stack.pop_back();
      if (!seen_.insert(node).second) continue;
      needed_.push_back(node);
      if (node->kind() == NodeKind::kPlaceholder && node->inputs().empty()) {
        throw UsageError(fmt::format(
            "[Session] the placeholder '{}' ({} {}) is needed by '{}' and was not fed", node->name(),
            to_string(node->outputs()[0].dtype), to_string(node->outputs()[0].shape), fetch.name()));
      }
      for (const Tensor& input : node->inputs()) {
        if (!is_fed(input)) stack.push_back(&input.node());
      }
      // As in TensorFlow, a control dependency runs its node even where the node's outputs are fed.
      for (const Node* control : node->control_inputs()) {
        if (control->kind() != NodeKind::kPlaceholder) stack.push_back(control);
      }
    }
  }

  /// Sorts needed_ so that a write of a variable comes as late as its dependents allow: what does not depend
  /// on it, the gradients of another loss for instance, sees the value before.
  void order_steps() {
    std::sort(needed_.begin(), needed_.end(), [](const Node* a, const Node* b) { return a->id() < b->id(); });
    std::unordered_map<const Node*, int> level;  // how many writes lie on the way to a node, at most
    const auto level_after = [&](const Node* node) {
      const auto found = level.find(node);
      return found == level.end() ? 0 : found->second + writes(*node);
    };
    for (const Node* node : needed_) {
      int highest = 0;
      for (const Tensor& input : node->inputs()) {
        if (!is_fed(input)) highest = std::max(highest, level_after(&input.node()));
      }
      for (const Node* control : node->control_inputs()) highest = std::max(highest, level_after(control));
      level[node] = highest;
    }
    std::stable_sort(needed_.begin(), needed_.end(), [&](const Node* a, const Node* b) {
      return std::pair(level[a], writes(*a)) < std::pair(level[b], writes(*b));
    });
    for (size_t i = 0; i < needed_.size(); ++i) {
      position_[needed_[i]] = i;
      for (int index : needed_[i]->mutated_inputs())
        writers_[needed_[i]->inputs()[index]].push_back(needed_[i]);
    }
  }
  static bool writes(const Node& node) { return !node.mutated_inputs().empty(); }

  /// The nodes that a gradient of `loss` may flow to.
  std::unordered_set<const Node*> ancestors(const Tensor& loss) const {
    std::unordered_set<const Node*> result;
    std::vector<const Node*> stack;
    if (flows(loss)) stack.push_back(&loss.node());
    while (!stack.empty()) {
      const Node* node = stack.back();
      stack.pop_back();
      if (!result.insert(node).second) continue;
      for (const Tensor& input : node->inputs()) {
        if (flows(input)) stack.push_back(&input.node());
      }
    }
    return result;
  }

  /// True when a gradient of `tensor` goes on to its node's inputs.
  bool flows(const Tensor& tensor) const { return !is_fed(tensor) && passes_gradient(tensor); }

  void find_recordings() {
    for (const Node* node : needed_) {
      if (node->kind() != NodeKind::kGradients) continue;
      const Tensor loss = input_of(*node, "loss");
      Recording recording{node, ancestors(loss), {}};
      const auto xs = xs_of(*node);
      const std::unordered_set<Tensor> wanted(xs.begin(), xs.end());
      std::unordered_set<const Node*> dependent;  // nodes that an x flows into
      for (const Node* candidate : needed_) {
        if (!recording.above.contains(candidate)) continue;
        for (const Tensor& input : candidate->inputs()) {
          if (wanted.contains(input) || (flows(input) && dependent.contains(&input.node()))) {
            dependent.insert(candidate);
            break;
          }
        }
      }
      for (const Node* inner : dependent) {
        if (writes(*inner)) {
          throw UsageError(
              fmt::format("[gradients {}] cannot differentiate through '{}', which writes a variable",
                          node->name(), inner->name()));
        }
        recorded_.insert(inner);
      }
      recording.nodes = std::move(dependent);
      recordings_.push_back(std::move(recording));
      for (const Tensor& x : xs) differentiated_.insert(x);
    }
  }

  static Tensor input_of(const Node& node, std::string_view argument) {
    const int index = *node.op().schema().argumentIndexWithName(argument);
    const auto& inputs = node.arguments()[index].inputs;
    return inputs.empty() ? Tensor() : node.inputs()[inputs[0]];
  }
  static std::vector<Tensor> xs_of(const Node& node) {
    std::vector<Tensor> xs;
    for (int index : node.arguments()[*node.op().schema().argumentIndexWithName("xs")].inputs)
      xs.push_back(node.inputs()[index]);
    return xs;
  }

  int add_slot(const Tensor& tensor) {
    Source source{.kind = Source::Kind::kSlot, .slot = static_cast<int>(num_slots_++)};
    sources_[tensor] = source;
    return source.slot;
  }

  const Source& source_of(const Tensor& tensor) const {
    auto found = sources_.find(tensor);
    if (found == sources_.end())
      throw InternalError(fmt::format("[Planner] '{}' is used before it is computed", tensor.name()));
    return found->second;
  }

  void add_steps(const Node& node) {
    switch (node.kind()) {
      case NodeKind::kConstant:
        if (!is_fed(node.output())) {
          const c10::IValue& value = use_constant(node.attribute("value"));
          sources_[node.output()] = {.kind = Source::Kind::kConstant, .constant = &value};
        }
        break;
      case NodeKind::kVariable:
        if (!is_fed(node.output())) add_variable(node.output());
        return;
      case NodeKind::kPlaceholder:  // not fed: its input is the default
      case NodeKind::kIdentity:
        add_identity(node);
        return;
      case NodeKind::kGroup:
        sources_[node.output()] = {};
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
    if (value.isTensor()) plan_.constants_.push_back(value.toTensor());
    return value;
  }

  static Source read_cell(VariableStore::Cell* cell) {
    return {.kind = Source::Kind::kVariable, .cell = cell};
  }

  /// Lets the steps that follow read the variable as it is now: at first, and again after each write.
  void add_variable(const Tensor& variable) {
    sources_[variable] = read_cell(use_variable(variable.node()));
    if (is_overwritten_early(variable)) add_step(Step::Kind::kCopy, variable, source_of(variable));
    if (differentiated_.contains(variable)) add_leaf(variable);
  }

  /// True when the value that the variable has now is recorded for gradients that are computed after the next
  /// write. Only control dependencies ask for that: `with d_min before: g_min`.
  bool is_overwritten_early(const Tensor& variable) const {
    const auto writers = writers_.find(variable);
    if (writers == writers_.end()) return false;
    const auto next = std::find_if(writers->second.begin(), writers->second.end(),
                                   [&](const Node* writer) { return position_.at(writer) > current_; });
    if (next == writers->second.end()) return false;
    const size_t end = position_.at(*next);
    const auto reads_now = [&](const Node* node) {
      return position_.at(node) < end && position_.at(node) > current_ &&
             std::ranges::count(node->inputs(), variable) > 0;
    };
    return std::ranges::any_of(recordings_, [&](const Recording& recording) {
      return position_.at(recording.gradients) > end && std::ranges::any_of(recording.above, reads_now);
    });
  }

  VariableStore::Cell* use_variable(const Node& node) {
    VariableStore::Cell* cell = &plan_.store_->cell(node);
    if (std::find(plan_.variables_.begin(), plan_.variables_.end(), cell) == plan_.variables_.end()) {
      plan_.variables_.push_back(cell);
    }
    return cell;
  }

  /// Outputs that are differentiated by, and that nothing recorded computes, become leaves.
  void add_leaves(const Node& node) {
    if (recorded_.contains(&node)) return;
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      const Tensor output = node.output(static_cast<int>(i));
      if (differentiated_.contains(output) && !is_fed(output)) add_leaf(output);
    }
  }

  void add_leaf(const Tensor& tensor) { add_step(Step::Kind::kLeaf, tensor, source_of(tensor)); }

  /// Adds a step that makes the value of `tensor` from `source`.
  Step& add_step(Step::Kind kind, const Tensor& tensor, const Source& source) {
    Step step{.kind = kind, .node = &tensor.node()};
    step.args.push_back(single(source));
    step.outputs.push_back(add_slot(tensor));
    return plan_.steps_.emplace_back(std::move(step));
  }

  void add_identity(const Node& node) {
    const Tensor output = node.output();
    if (is_fed(output)) return;
    const Source source = read(node, node.inputs()[0]);
    if (recorded_.contains(&node) && differentiated_.contains(output)) {
      // Its gradient is not that of the input, so it needs a tensor of its own.
      add_step(Step::Kind::kAlias, output, source).recorded = true;
      return;
    }
    sources_[output] = source;
    add_leaves(node);
  }

  static Step::Arg single(const Source& source) {
    return {.kind = Step::Arg::Kind::kSource, .sources = {source}};
  }

  void add_call(const Node& node) {
    Step step{.node = &node, .op = kernel_of(node.op()), .recorded = recorded_.contains(&node)};
    const auto& schema = node.op().schema();
    for (size_t i = 0; i < node.arguments().size(); ++i) {
      const Argument& argument = node.arguments()[i];
      Step::Arg arg;
      switch (argument.kind) {
        case Argument::Kind::kConstant:
          arg.constant = use_constant(argument.constant);
          break;
        case Argument::Kind::kGenerator:
          arg.constant = plan_.store_->generator(node);
          break;
        case Argument::Kind::kInput:
          arg.sources.push_back(read_argument(node, argument.inputs[0]));
          break;
        case Argument::Kind::kInputList: {
          const auto* list = schema.arguments()[i].type()->castRaw<c10::ListType>();
          const bool optional = list && list->getElementType()->kind() == c10::TypeKind::OptionalType;
          arg.kind = optional ? Step::Arg::Kind::kOptionalList : Step::Arg::Kind::kList;
          for (int index : argument.inputs)
            arg.sources.push_back(index < 0 ? Source() : read_argument(node, index));
          break;
        }
      }
      step.args.push_back(std::move(arg));
    }
    for (int index : node.mutated_inputs()) step.mutated.push_back(use_variable(node.inputs()[index].node()));
    const auto& returns = schema.returns();
    step.returns_list = returns.size() == 1 && returns[0].type()->kind() == c10::TypeKind::ListType;
    add_outputs(step);
    for (int index : node.mutated_inputs()) add_variable(node.inputs()[index]);
  }

  /// Where `node` reads its input from; a recorded read of a variable that is written in the same run is
  /// noted, as the gradients by that variable are those by the value read.
  Source read(const Node& node, const Tensor& input) {
    const Source& source = source_of(input);
    if (recorded_.contains(&node) && writers_.contains(input))
      recorded_reads_[input].emplace_back(&node, source);
    return source;
  }

  Source read_argument(const Node& node, int index) {
    const Tensor& input = node.inputs()[index];
    if (std::ranges::count(node.mutated_inputs(), index) == 0) return read(node, input);
    if (is_fed(input)) {
      throw UsageError(fmt::format("[Session] expected no feed for the variable '{}', which '{}' writes",
                                   input.name(), node.name()));
    }
    return read_cell(use_variable(input.node()));
  }

  /// Where gradients by `x` find it: the value that the recorded nodes read.
  Source differentiated_source(const Recording& recording, const Tensor& x) const {
    const auto reads = recorded_reads_.find(x);
    if (reads == recorded_reads_.end()) return source_of(x);
    const Source* source = nullptr;
    for (const auto& [node, read] : reads->second) {
      if (!recording.nodes.contains(node)) continue;
      if (source && source->slot != read.slot) {
        throw UsageError(
            fmt::format("[gradients {}] cannot differentiate by '{}', which the loss reads before "
                        "and after it is written",
                        recording.gradients->name(), x.name()));
      }
      source = &read;
    }
    return source ? *source : source_of(x);
  }

  void add_outputs(Step& step) {
    for (size_t i = 0; i < step.node->outputs().size(); ++i) {
      const Tensor output = step.node->output(static_cast<int>(i));
      if (!output.has_value()) {
        sources_[output] = {};
      } else if (is_fed(output)) {
        step.outputs.push_back(-1);
      } else {
        step.outputs.push_back(add_slot(output));
      }
    }
    plan_.steps_.push_back(std::move(step));
  }

  void add_gradients(const Node& node) {
    Step step{.kind = Step::Kind::kGradients, .node = &node};
    const Tensor grad_loss = input_of(node, "grad_loss");
    const auto self = std::find_if(recordings_.begin(), recordings_.end(),
                                   [&](const auto& r) { return r.gradients == &node; });
    step.args.push_back(single(source_of(input_of(node, "loss"))));
    step.args.push_back(single(grad_loss.defined() ? source_of(grad_loss) : Source()));
    Step::Arg xs{.kind = Step::Arg::Kind::kList};
    for (const Tensor& x : xs_of(node)) xs.sources.push_back(differentiated_source(*self, x));
    step.args.push_back(std::move(xs));
    step.differentiable = step.recorded = recorded_.contains(&node);
    step.keep_recording = step.differentiable;
    for (auto later = std::next(self); later != recordings_.end(); ++later) {
      step.keep_recording |= std::any_of(self->nodes.begin(), self->nodes.end(),
                                         [&](const Node* n) { return later->nodes.contains(n); });
    }
    add_outputs(step);
  }

  Source fetch_source(const Tensor& fetch) {
    if (!fetch.has_value()) return {};
    return source_of(fetch);
  }

  /// True for a step that only makes another tensor of its input.
  static bool is_alias(const Step& step) {
    return step.kind != Step::Kind::kCall && step.kind != Step::Kind::kGradients;
  }

  /// Lets values be moved where they are used for the last time, and drops what nobody uses.
  void mark_last_uses() {
    std::vector<bool> used(num_slots_, false);
    for (auto fetch = plan_.fetch_sources_.rbegin(); fetch != plan_.fetch_sources_.rend(); ++fetch)
      mark(*fetch, used);
    for (auto step = plan_.steps_.rbegin(); step != plan_.steps_.rend(); ++step) {
      for (int& slot : step->outputs) {
        if (slot >= 0 && !used[slot]) slot = -1;
      }
      if (is_alias(*step) && step->outputs[0] < 0) continue;
      for (auto arg = step->args.rbegin(); arg != step->args.rend(); ++arg) {
        for (auto source = arg->sources.rbegin(); source != arg->sources.rend(); ++source)
          mark(*source, used);
      }
    }
    std::erase_if(plan_.steps_, [](const Step& step) { return is_alias(step) && step.outputs[0] < 0; });
  }
  static void mark(Source& source, std::vector<bool>& used) {
    if (source.kind != Source::Kind::kSlot) return;
    source.last_use = !used[source.slot];
    used[source.slot] = true;
  }

  Plan& plan_;
  std::unordered_map<Tensor, int> fed_;
  std::unordered_set<const Node*> seen_;
  std::vector<const Node*> needed_;
  std::unordered_map<const Node*, size_t> position_;  ///< in needed_
  size_t current_ = 0;                                ///< position of the node whose steps are being added
  std::unordered_map<Tensor, std::vector<const Node*>> writers_;  ///< of a variable, in order
  std::unordered_map<Tensor, std::vector<std::pair<const Node*, Source>>> recorded_reads_;
  std::vector<Recording> recordings_;
  std::unordered_set<const Node*> recorded_;
  std::unordered_set<Tensor> differentiated_;
  std::unordered_map<Tensor, Source> sources_;
  size_t num_slots_ = 0;
};

Plan::Plan(const Graph& graph, std::shared_ptr<VariableStore> store, std::vector<Tensor> feeds,
           std::vector<Tensor> fetches)
    : store_(std::move(store)),
      graph_lifetime_(graph.lifetime()),
      feeds_(std::move(feeds)),
      fetches_(std::move(fetches)) {
  Planner(*this).build();
}

std::string Plan::describe() const {
  check_graph();
  std::string text;
  for (const Step& step : steps_) {
    const char* what = step.kind == Step::Kind::kLeaf    ? "leaf "
                       : step.kind == Step::Kind::kAlias ? "alias "
                       : step.kind == Step::Kind::kCopy  ? "copy "
                                                         : "";
    text += fmt::format("{}{}{} = {}\n", what, step.node->name(), step.recorded ? " (recorded)" : "",
                        belfry::describe(*step.node));
  }
  return text;
}

}  // namespace belfry
