#include <ATen/core/grad_mode.h>
#include <ATen/ops/alias.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "belfry/base/error.h"
#include "belfry/graph/arguments_of.h"
#include "belfry/graph/below_autograd.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/kernel_error.h"
#include "belfry/graph/shape_inference.h"
#include "belfry/runtime/internal/plan.h"
#include "belfry/runtime/internal/reuse_memory.h"

// Runs the steps of a plan on a frame, one slot for each value, which is moved out at its last use.
// Everything runs below autograd but the stretches that a gradients node needs recorded. Errors of kernels
// come out with the node and the shapes of this run.

namespace belfry::internal {
namespace {

/// Switches this thread between running below autograd and recording for it.
class AutogradMode {
 public:
  AutogradMode() { below_.emplace(); }
  void record(bool on) {
    if (on && below_) {
      below_.reset();
    } else if (!on && !below_) {
      below_.emplace();
    }
  }

 private:
  c10::AutoGradMode enabled_{true};
  std::optional<BelowAutograd> below_;
};

using Frame = std::vector<c10::IValue>;

c10::IValue take(const Source& source, Frame& frame) {
  if (const auto* value = std::get_if<SlotValue>(&source))
    return value->is_last_use ? std::move(frame[value->slot]) : frame[value->slot];
  if (const auto* value = std::get_if<VariableValue>(&source)) return value->cell->value();
  if (const auto* value = std::get_if<ConstantValue>(&source)) return *value->value;
  return {};
}

at::Tensor take_tensor(const Source& source, Frame& frame) {
  c10::IValue value = take(source, frame);
  return value.isNone() ? at::Tensor() : std::move(value).toTensor();
}

void push(c10::Stack& stack, const CallStep::Argument& argument, Frame& frame) {
  if (const auto* source = std::get_if<Source>(&argument)) {
    stack.push_back(take(*source, frame));
  } else if (const auto* constant = std::get_if<c10::IValue>(&argument)) {
    stack.push_back(*constant);
  } else {
    const auto& list = std::get<CallStep::List>(argument);
    stack.push_back(make_list(list.elements.size(), list.may_have_gaps,
                              [&](size_t i) { return take_tensor(list.elements[i], frame); }));
  }
}

std::string describe_value(const Tensor& tensor, const at::Tensor& value) {
  if (!value.defined()) return describe(tensor);
  return fmt::format("{} {} {}", tensor.name(), to_string(value.scalar_type()),
                     to_string(value.sizes().vec()));
}

/// The inputs of a node with the shapes that `stack` gives; as built where it is not a call's.
std::string describe_inputs(const Node& node, const c10::Stack& stack) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < node.arguments().size(); ++i) {
    const auto& inputs = node.arguments()[i].inputs;
    const c10::IValue value = stack.size() == node.arguments().size() ? stack[i] : c10::IValue();
    for (size_t k = 0; k < inputs.size(); ++k) {
      if (inputs[k] < 0) continue;
      const bool listed = value.isTensorList() && k < value.toTensorList().size();
      texts.push_back(describe_value(node.inputs()[inputs[k]], value.isTensor() ? value.toTensor()
                                                               : listed         ? value.toTensorList().get(k)
                                                                                : at::Tensor()));
    }
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// True when the shapes and dtypes of a call suit the operator, be it that the graph knew them all.
bool fits(const Node& node, const c10::Stack& stack) {
  if (node.kind() != NodeKind::kCall) return false;
  const bool known = std::ranges::all_of(
      node.inputs(), [](const Tensor& input) { return !std::ranges::count(input.shape(), kDynamic); });
  if (known || stack.size() != node.arguments().size()) return known;
  c10::Stack whole = stack;  // a kernel that threw has taken lists of numbers out of it
  for (size_t i = 0; i < whole.size(); ++i) {
    if (node.arguments()[i].kind == Argument::Kind::kConstant) whole[i] = node.arguments()[i].constant;
  }
  return takes_shapes(node.op(), std::move(whole));
}

/// Throws UsageError unless `value` fits the dtype and shape of `feed`.
void check_feed(const Tensor& feed, const at::Tensor& value) {
  if (!value.defined())
    throw UsageError(fmt::format("[Session] expected a value for '{}', got none", feed.name()));
  if (value.scalar_type() != feed.dtype()) {
    throw UsageError(fmt::format("[Session] expected {} for '{}', got {}", to_string(feed.dtype()),
                                 feed.name(), to_string(value.scalar_type())));
  }
  const Shape& expected = feed.shape();
  const auto given = value.sizes();
  bool fits = expected.size() == given.size();
  for (size_t d = 0; fits && d < expected.size(); ++d)
    fits = expected[d] == kDynamic || expected[d] == given[d];
  if (!fits) {
    throw UsageError(fmt::format("[Session] expected shape {} for '{}', got {}", to_string(expected),
                                 feed.name(), to_string(given.vec())));
  }
}

/// Runs steps, one after another, on a frame of values.
class StepExecutor {
 public:
  StepExecutor(AutogradMode& autograd, Frame& frame, VariableStore& store)
      : autograd_(autograd), frame_(frame), store_(store) {}

  void operator()(const Step& step) {
    autograd_.record(!std::holds_alternative<CallStep>(step) || std::get<CallStep>(step).is_recorded);
    std::visit(
        [&](const auto& any) {
          try {
            run(any);
          } catch (...) {
            rethrow_error_of(*any.node);
          }
        },
        step);
  }

 private:
  void run(const LeafStep& step) {
    frame_[step.output] = take_tensor(step.source, frame_).detach().set_requires_grad(true);
  }
  void run(const AliasStep& step) { frame_[step.output] = at::alias(take_tensor(step.source, frame_)); }
  void run(const CopyStep& step) { frame_[step.output] = take_tensor(step.source, frame_).clone(); }

  bool holds(const CallStep& step) {
    bool all = true;
    for (const Source& source : step.conditions) {
      const at::Tensor condition = take_tensor(source, frame_);
      all = all && condition.defined() && condition.item<bool>();
    }
    return all;
  }

  void run(const CallStep& step) {
    if (!holds(step)) {
      if (!step.mutated.empty() && !step.outputs.empty() && step.outputs[0] >= 0)
        frame_[step.outputs[0]] = step.mutated[0]->value();
      return;
    }
    stack_.clear();
    for (const CallStep::Argument& argument : step.arguments) push(stack_, argument, frame_);
    step.op.callBoxed(&stack_);
    for (VariableStore::Cell* cell : step.mutated) cell->memory.unsafeGetTensorImpl()->bump_version();
    if (!step.mutated.empty()) store_.count_write();
    if (step.returns_list) {
      const c10::List<at::Tensor> list = stack_[0].toTensorList();
      if (list.size() != step.outputs.size()) {
        throw UsageError(fmt::format("[{} {}] expected {} tensors as when the graph was built, got {}",
                                     step.node->op_name(), step.node->name(), step.outputs.size(),
                                     list.size()));
      }
      for (size_t i = 0; i < step.outputs.size(); ++i) {
        if (step.outputs[i] >= 0) frame_[step.outputs[i]] = list.get(i);
      }
    } else {
      for (size_t i = 0; i < step.outputs.size(); ++i) {
        if (step.outputs[i] >= 0) frame_[step.outputs[i]] = std::move(stack_[i]);
      }
    }
    stack_.clear();
  }

  void run(const GradientsStep& step) {
    const at::Tensor loss = take_tensor(step.loss, frame_);
    const at::Tensor grad_loss = take_tensor(step.grad_loss, frame_);
    torch::autograd::variable_list xs;
    for (const Source& source : step.xs) xs.push_back(take_tensor(source, frame_));
    torch::autograd::variable_list given;
    if (grad_loss.defined()) given.push_back(grad_loss);
    std::vector<at::Tensor> gradients(xs.size());
    if (loss.requires_grad()) {
      gradients = torch::autograd::grad({loss}, xs, given, /*retain_graph=*/step.keeps_recording,
                                        /*create_graph=*/step.is_differentiable, /*allow_unused=*/true);
    }
    for (size_t i = 0; i < xs.size(); ++i) {
      if (step.outputs[i] < 0) continue;
      // An operator on the way may have no derivative (floor, comparison): the gradient is zero then.
      frame_[step.outputs[i]] = gradients[i].defined() ? gradients[i] : at::zeros_like(xs[i]);
    }
  }

  [[noreturn]] void rethrow_error_of(const Node& node) {
    const c10::Stack arguments = std::exchange(stack_, {});
    rethrow_kernel_error({.who = fmt::format("{} {}", node.op_name(), node.name()),
                          .inputs = describe_inputs(node, arguments),
                          .values_to_blame = [&] { return fits(node, arguments); }});
  }

  AutogradMode& autograd_;
  Frame& frame_;
  VariableStore& store_;
  c10::Stack stack_;
};

}  // namespace

void Plan::check_feeds(const std::vector<at::Tensor>& feeds) const {
  check_graph();
  if (feeds.size() != plan_.feeds.size()) {
    throw UsageError(
        fmt::format("[Session] expected {} values to feed, got {}", plan_.feeds.size(), feeds.size()));
  }
  for (size_t i = 0; i < feeds.size(); ++i) check_feed(plan_.feeds[i], feeds[i]);
}

Plan::Frame Plan::make_frame(const std::vector<at::Tensor>& feeds) const {
  Frame frame(plan_.num_slots);
  for (size_t i = 0; i < feeds.size(); ++i) {
    const c10::Device device = plan_.feeds[i].node().device();
    at::Tensor value = feeds[i].device() == device ? feeds[i] : feeds[i].to(device);
    if (plan_.has_gradients && value.is_inference())
      value = value.clone();  // autograd refuses tensors made in inference mode
    frame[plan_.feed_slots[i]] = std::move(value);
  }
  return frame;
}

std::vector<at::Tensor> Plan::run(const std::vector<at::Tensor>& feeds) const try {
  check_feeds(feeds);
  const c10::InferenceMode normal_tensors(false);  // whatever mode the caller is in
  AutogradMode autograd;
  const ReuseMemory reuse_memory;
  Frame frame = make_frame(feeds);
  StepExecutor execute(autograd, frame, *store_);
  for (const Step& step : plan_.steps) execute(step);
  autograd.record(false);
  std::vector<at::Tensor> results;
  results.reserve(plan_.fetches.size());
  for (const Source& source : plan_.fetch_sources) results.push_back(fetch(source, frame));
  return results;
} catch (...) {  // of what no step does: copies of feeds and fetches
  rethrow_kernel_error({.who = "Session", .inputs = {}, .values_to_blame = {}});
}

at::Tensor Plan::fetch(const Source& source, Frame& frame) const {
  at::Tensor tensor = take_tensor(source, frame);
  if (!tensor.defined()) return tensor;
  if (tensor.requires_grad()) tensor = tensor.detach();
  // Memory with another owner may be a variable's, which the next step overwrites, or a constant of the
  // graph.
  if (tensor.use_count() > 1 || tensor.storage().use_count() > 1) {
    const bool shared =
        std::ranges::any_of(plan_.variables,
                            [&](const auto* cell) { return cell->memory.is_alias_of(tensor); }) ||
        std::ranges::any_of(plan_.constants,
                            [&](const auto& constant) { return constant.is_alias_of(tensor); });
    if (shared) return tensor.clone(at::MemoryFormat::Contiguous);
  }
  return tensor;
}

}  // namespace belfry::internal
