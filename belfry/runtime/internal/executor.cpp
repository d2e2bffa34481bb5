#include <ATen/core/grad_mode.h>
#include <ATen/ops/alias.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/below_autograd.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/kernel_error.h"
#include "belfry/graph/shape_inference.h"
#include "belfry/runtime/internal/plan.h"
#include "belfry/runtime/internal/reuse_memory.h"

namespace belfry {
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

c10::IValue take(const Source& source, std::vector<c10::IValue>& frame) {
  switch (source.kind) {
    case Source::Kind::kNone:
      return {};
    case Source::Kind::kConstant:
      return *source.constant;
    case Source::Kind::kVariable:
      return source.cell->value();
    case Source::Kind::kSlot:
      return source.last_use ? std::move(frame[source.slot]) : frame[source.slot];
  }
  return {};
}

void push(c10::Stack& stack, const Step::Arg& arg, std::vector<c10::IValue>& frame) {
  switch (arg.kind) {
    case Step::Arg::Kind::kSource:
      stack.push_back(arg.sources.empty() ? arg.constant : take(arg.sources[0], frame));
      break;
    case Step::Arg::Kind::kList: {
      c10::List<at::Tensor> list;
      list.reserve(arg.sources.size());
      for (const Source& source : arg.sources) list.push_back(take(source, frame).toTensor());
      stack.emplace_back(std::move(list));
      break;
    }
    case Step::Arg::Kind::kOptionalList: {
      c10::List<std::optional<at::Tensor>> list;
      list.reserve(arg.sources.size());
      for (const Source& source : arg.sources) {
        c10::IValue value = take(source, frame);
        list.push_back(value.isNone() ? std::nullopt : std::optional(std::move(value).toTensor()));
      }
      stack.emplace_back(std::move(list));
      break;
    }
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
  return known || (stack.size() == node.arguments().size() && takes_shapes(node.op(), stack));
}

}  // namespace

void Plan::check_feed(size_t index, const at::Tensor& value) const {
  const Tensor& feed = feeds_[index];
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

void Plan::check_graph() const {
  if (graph_lifetime_.expired()) {
    throw UsageError(
        "[Session] expected the graph to live as long as what runs it, got one that is destroyed: keep the "
        "trainer, or the model, that made this predictor");
  }
}

void Plan::check_feeds(const std::vector<at::Tensor>& feeds) const {
  check_graph();
  if (feeds.size() != feeds_.size()) {
    throw UsageError(
        fmt::format("[Session] expected {} values to feed, got {}", feeds_.size(), feeds.size()));
  }
  for (size_t i = 0; i < feeds.size(); ++i) check_feed(i, feeds[i]);
}

std::vector<at::Tensor> Plan::run(const std::vector<at::Tensor>& feeds) const try {
  check_feeds(feeds);
  const c10::InferenceMode normal_tensors(false);  // whatever mode the caller is in
  AutogradMode autograd;
  const ReuseMemory reuse_memory;
  Frame frame(num_slots_);
  for (size_t i = 0; i < feeds.size(); ++i) {
    const c10::Device device = feeds_[i].node().device();
    at::Tensor value = feeds[i].device() == device ? feeds[i] : feeds[i].to(device);
    if (has_gradients_ && value.is_inference())
      value = value.clone();  // autograd refuses tensors made in inference mode
    frame[feed_slots_[i]] = std::move(value);
  }
  c10::Stack stack;
  for (const Step& step : steps_) {
    autograd.record(step.recorded || step.kind != Step::Kind::kCall);
    execute(step, frame, stack);
  }
  autograd.record(false);
  std::vector<at::Tensor> results;
  results.reserve(fetches_.size());
  for (const Source& source : fetch_sources_) results.push_back(fetch(source, frame));
  return results;
} catch (...) {  // of what no step does: copies of feeds and fetches
  rethrow_kernel_error({.who = "Session", .inputs = {}, .values_to_blame = {}});
}

void Plan::execute(const Step& step, Frame& frame, c10::Stack& stack) const {
  try {
    switch (step.kind) {
      case Step::Kind::kLeaf:
        frame[step.outputs[0]] =
            take(step.args[0].sources[0], frame).toTensor().detach().set_requires_grad(true);
        return;
      case Step::Kind::kAlias:
        frame[step.outputs[0]] = at::alias(take(step.args[0].sources[0], frame).toTensor());
        return;
      case Step::Kind::kCopy:
        frame[step.outputs[0]] = take(step.args[0].sources[0], frame).toTensor().clone();
        return;
      case Step::Kind::kGradients:
        execute_gradients(step, frame);
        return;
      case Step::Kind::kCall:
        break;
    }
    stack.clear();
    for (const Step::Arg& arg : step.args) push(stack, arg, frame);
    step.op->callBoxed(&stack);
    for (VariableStore::Cell* cell : step.mutated) cell->memory.unsafeGetTensorImpl()->bump_version();
    if (!step.mutated.empty()) store_->count_write();
    if (step.returns_list) {
      const c10::List<at::Tensor> list = stack[0].toTensorList();
      if (list.size() != step.outputs.size()) {
        throw UsageError(fmt::format("[{} {}] expected {} tensors as when the graph was built, got {}",
                                     step.node->op_name(), step.node->name(), step.outputs.size(),
                                     list.size()));
      }
      for (size_t i = 0; i < step.outputs.size(); ++i) {
        if (step.outputs[i] >= 0) frame[step.outputs[i]] = list.get(i);
      }
    } else {
      for (size_t i = 0; i < step.outputs.size(); ++i) {
        if (step.outputs[i] >= 0) frame[step.outputs[i]] = std::move(stack[i]);
      }
    }
    stack.clear();
  } catch (...) {
    const Node& node = *step.node;
    const c10::Stack arguments = std::exchange(stack, {});
    rethrow_kernel_error({.who = fmt::format("{} {}", node.op_name(), node.name()),
                          .inputs = describe_inputs(node, arguments),
                          .values_to_blame = [&] { return fits(node, arguments); }});
  }
}

void Plan::execute_gradients(const Step& step, Frame& frame) const {
  const at::Tensor loss = take(step.args[0].sources[0], frame).toTensor();
  const c10::IValue grad_loss = take(step.args[1].sources[0], frame);
  torch::autograd::variable_list xs;
  for (const Source& source : step.args[2].sources) xs.push_back(take(source, frame).toTensor());
  torch::autograd::variable_list given;
  if (!grad_loss.isNone()) given.push_back(grad_loss.toTensor());
  std::vector<at::Tensor> gradients;
  if (loss.requires_grad()) {
    gradients = torch::autograd::grad({loss}, xs, given, /*retain_graph=*/step.keep_recording,
                                      /*create_graph=*/step.differentiable, /*allow_unused=*/true);
  } else {
    gradients.resize(xs.size());
  }
  for (size_t i = 0; i < xs.size(); ++i) {
    if (step.outputs[i] < 0) continue;
    // An operator on the way may have no derivative (floor, comparison): the gradient is zero then.
    frame[step.outputs[i]] = gradients[i].defined() ? gradients[i] : at::zeros_like(xs[i]);
  }
}

at::Tensor Plan::fetch(const Source& source, Frame& frame) const {
  c10::IValue value = take(source, frame);
  if (value.isNone()) return {};
  at::Tensor tensor = std::move(value).toTensor();
  if (!tensor.defined()) return tensor;
  if (tensor.requires_grad()) tensor = tensor.detach();
  // Memory with another owner may be a variable's, which the next step overwrites, or a constant of the
  // graph.
  if (tensor.use_count() > 1 || tensor.storage().use_count() > 1) {
    const bool shared =
        std::ranges::any_of(variables_, [&](const auto* cell) { return cell->memory.is_alias_of(tensor); }) ||
        std::ranges::any_of(constants_, [&](const auto& constant) { return constant.is_alias_of(tensor); });
    if (shared) return tensor.clone(at::MemoryFormat::Contiguous);
  }
  return tensor;
}

}  // namespace belfry
