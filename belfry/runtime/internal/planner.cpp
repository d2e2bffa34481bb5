#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
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
    std::sort(needed_.begin(), needed_.end(), [](const Node* a, const Node* b) { return a->id() < b->id(); });
    find_recordings();
    for (const Tensor& feed : plan_.feeds_) {
      plan_.feed_slots_.push_back(add_slot(feed));
      if (differentiated_.contains(feed)) add_leaf(feed);
    }
    for (const Node* node : needed_) add_steps(*node);
    for (const Tensor& fetch : plan_.fetches_) plan_.fetch_sources_.push_back(fetch_source(fetch));
    mark_last_uses();
    plan_.num_slots_ = static_cast<int>(num_slots_);
    plan_.has_gradients_ = !recordings_.empty();
  }

 private:
  /// What one gradients node needs recorded.
  struct Recording {
    const Node* gradients;
    std::unordered_set<const Node*> nodes;
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
      for (const Node* control : node->control_inputs()) {
        if (control->kind() != NodeKind::kPlaceholder) stack.push_back(control);
      }
    }
  }

  std::unordered_set<const Node*> ancestors(const Tensor& loss) const {
    std::unordered_set<const Node*> result;
    std::vector<const Node*> stack;
    if (!is_fed(loss)) stack.push_back(&loss.node());
    while (!stack.empty()) {
      const Node* node = stack.back();
      stack.pop_back();
      if (!result.insert(node).second) continue;
      for (const Tensor& input : node->inputs()) {
        if (!is_fed(input)) stack.push_back(&input.node());
      }
    }
    return result;
  }

  void find_recordings() {
    for (const Node* node : needed_) {
      if (node->kind() != NodeKind::kGradients) continue;
      const Tensor loss = input_of(*node, "loss");
      Recording recording{node, {}};
      const auto above = ancestors(loss);
      const auto xs = xs_of(*node);
      const std::unordered_set<Tensor> wanted(xs.begin(), xs.end());
      std::unordered_set<const Node*> dependent;  // nodes that an x flows into
      for (const Node* candidate : needed_) {
        if (!above.contains(candidate)) continue;
        for (const Tensor& input : candidate->inputs()) {
          if (wanted.contains(input) || (!is_fed(input) && dependent.contains(&input.node()))) {
            dependent.insert(candidate);
            break;
          }
        }
      }
      for (const Node* inner : dependent) {
        if (!inner->mutated_inputs().empty()) {
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
      case NodeKind::kPlaceholder:
        if (!is_fed(node.output())) sources_[node.output()] = source_of(node.inputs()[0]);
        break;
      case NodeKind::kConstant:
        if (!is_fed(node.output())) {
          sources_[node.output()] = {.kind = Source::Kind::kConstant, .constant = &node.attribute("value")};
        }
        break;
      case NodeKind::kVariable:
        if (!is_fed(node.output())) {
          sources_[node.output()] = {.kind = Source::Kind::kVariable, .cell = use_variable(node)};
        }
        break;
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

  void add_leaf(const Tensor& tensor) {
    Step step{.kind = Step::Kind::kLeaf, .node = &tensor.node()};
    step.args.push_back(single(source_of(tensor)));
    step.outputs.push_back(add_slot(tensor));
    plan_.steps_.push_back(std::move(step));
  }

  void add_identity(const Node& node) {
    const Tensor output = node.output();
    if (is_fed(output)) return;
    const bool recorded = recorded_.contains(&node);
    if (recorded && differentiated_.contains(output)) {
      // Its gradient is not that of the input, so it needs a tensor of its own.
      Step step{.kind = Step::Kind::kAlias, .node = &node, .recorded = true};
      step.args.push_back(single(source_of(node.inputs()[0])));
      step.outputs.push_back(add_slot(output));
      plan_.steps_.push_back(std::move(step));
      return;
    }
    sources_[output] = source_of(node.inputs()[0]);
    add_leaves(node);
  }

  static Step::Arg single(const Source& source) {
    return {.kind = Step::Arg::Kind::kSource, .sources = {source}};
  }

  void add_call(const Node& node) {
    Step step{.node = &node, .recorded = recorded_.contains(&node)};
    const auto& schema = node.op().schema();
    for (size_t i = 0; i < node.arguments().size(); ++i) {
      const Argument& argument = node.arguments()[i];
      Step::Arg arg;
      switch (argument.kind) {
        case Argument::Kind::kConstant:
          arg.constant = argument.constant;
          break;
        case Argument::Kind::kGenerator:
          arg.constant = plan_.store_->generator(node);
          break;
        case Argument::Kind::kInput:
          arg.sources.push_back(source_of(node.inputs()[argument.inputs[0]]));
          break;
        case Argument::Kind::kInputList: {
          const auto* list = schema.arguments()[i].type()->castRaw<c10::ListType>();
          const bool optional = list && list->getElementType()->kind() == c10::TypeKind::OptionalType;
          arg.kind = optional ? Step::Arg::Kind::kOptionalList : Step::Arg::Kind::kList;
          for (int index : argument.inputs)
            arg.sources.push_back(index < 0 ? Source() : source_of(node.inputs()[index]));
          break;
        }
      }
      step.args.push_back(std::move(arg));
    }
    for (int index : node.mutated_inputs()) {
      const Node& target = node.inputs()[index].node();
      step.mutated.push_back(use_variable(target));
    }
    const auto& returns = schema.returns();
    step.returns_list = returns.size() == 1 && returns[0].type()->kind() == c10::TypeKind::ListType;
    add_outputs(step);
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
    step.args.push_back(single(source_of(input_of(node, "loss"))));
    step.args.push_back(single(grad_loss.defined() ? source_of(grad_loss) : Source()));
    Step::Arg xs{.kind = Step::Arg::Kind::kList};
    for (const Tensor& x : xs_of(node)) xs.sources.push_back(source_of(x));
    step.args.push_back(std::move(xs));
    const auto self = std::find_if(recordings_.begin(), recordings_.end(),
                                   [&](const auto& r) { return r.gradients == &node; });
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

  /// Lets values be moved where they are used for the last time, and drops outputs that nobody uses.
  void mark_last_uses() {
    std::vector<bool> used(num_slots_, false);
    for (auto fetch = plan_.fetch_sources_.rbegin(); fetch != plan_.fetch_sources_.rend(); ++fetch)
      mark(*fetch, used);
    for (auto step = plan_.steps_.rbegin(); step != plan_.steps_.rend(); ++step) {
      for (int& slot : step->outputs) {
        if (slot >= 0 && !used[slot]) slot = -1;
      }
      for (auto arg = step->args.rbegin(); arg != step->args.rend(); ++arg) {
        for (auto source = arg->sources.rbegin(); source != arg->sources.rend(); ++source)
          mark(*source, used);
      }
    }
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
  std::vector<Recording> recordings_;
  std::unordered_set<const Node*> recorded_;
  std::unordered_set<Tensor> differentiated_;
  std::unordered_map<Tensor, Source> sources_;
  size_t num_slots_ = 0;
};

Plan::Plan(std::shared_ptr<VariableStore> store, std::vector<Tensor> feeds, std::vector<Tensor> fetches)
    : store_(std::move(store)), feeds_(std::move(feeds)), fetches_(std::move(fetches)) {
  Planner(*this).build();
}

std::string Plan::describe() const {
  std::string text;
  for (const Step& step : steps_) {
    const char* what = step.kind == Step::Kind::kLeaf    ? "leaf "
                       : step.kind == Step::Kind::kAlias ? "alias "
                                                         : "";
    text += fmt::format("{}{}{} = {}\n", what, step.node->name(), step.recorded ? " (recorded)" : "",
                        belfry::describe(*step.node));
  }
  return text;
}

}  // namespace belfry
