#include "belfry/graph/function_value.h"

#include <ATen/ops/alias.h>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/arguments_of.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/kernel.h"
#include "belfry/graph/kernel_error.h"
#include "belfry/graph/rewriter.h"
#include "belfry/graph/shape_inference.h"

// A function is prepared once to a list of calls on a frame of slots, inputs first. A slot is emptied at its
// last use, so that a run holds what it still needs.

namespace belfry {

struct FunctionValue::Call {
  const Node* node;
  c10::OperatorHandle op;
  std::vector<int> inputs;  ///< slots
  int first_output;         ///< slots of the outputs follow each other
  std::vector<int> last_used;
};

namespace {

std::vector<at::Tensor> call(const Node& node, const c10::OperatorHandle& op,
                             const std::vector<at::Tensor>& inputs,
                             const std::optional<at::Generator>& generator) {
  c10::Stack stack = make_stack(node, [&](int index) { return inputs[static_cast<size_t>(index)]; });
  for (size_t i = 0; i < node.arguments().size(); ++i) {
    if (node.arguments()[i].kind == Argument::Kind::kGenerator) stack[i] = generator;
  }
  const c10::Stack arguments = stack;
  try {
    op.callBoxed(&stack);
    std::vector<at::Tensor> results = results_of(stack);
    if (results.size() == node.outputs().size()) return results;
    throw UsageError(fmt::format("[{} {}] expected {} tensors as when the graph was built, got {}",
                                 node.op_name(), node.name(), node.outputs().size(), results.size()));
  } catch (...) {
    std::string described;
    for (size_t i = 0; i < inputs.size(); ++i) {
      described += fmt::format("{}{} {} {}", i ? ", " : "", node.inputs()[i].name(),
                               to_string(inputs[i].scalar_type()), to_string(inputs[i].sizes().vec()));
    }
    rethrow_kernel_error({.who = fmt::format("{} {}", node.op_name(), node.name()),
                          .inputs = described,
                          .values_to_blame = [&] { return takes_shapes(node.op(), arguments); }});
  }
}

}  // namespace

c10::IValue FunctionValue::of(std::shared_ptr<const Function> function) {
  return c10::IValue::make_capsule(c10::make_intrusive<FunctionValue>(std::move(function)));
}

const FunctionValue* FunctionValue::in(const c10::IValue& value) {
  if (!value.isCapsule()) return nullptr;
  return dynamic_cast<const FunctionValue*>(value.toCapsule().get());  // the value keeps it
}

FunctionValue::FunctionValue(std::shared_ptr<const Function> function) : function_(std::move(function)) {
  if (!function_->weights.empty()) {
    throw UsageError(fmt::format("[FunctionValue] expected a function without weights, got one with '{}'",
                                 function_->weights[0].name));
  }
  std::unordered_map<Tensor, int> slots;
  for (const Tensor& input : function_->inputs) slots[input] = num_slots_++;
  for (const Node* node : function_->calls()) {
    is_random_ |= node->is_random();
    Call call{node, kernel_of(node->op()), {}, num_slots_, {}};
    for (const Tensor& input : node->inputs()) call.inputs.push_back(slots.at(input));
    for (const Tensor& output : node->output_tensors()) slots[output] = num_slots_++;
    calls_.push_back(std::move(call));
  }
  for (const Tensor& output : function_->outputs) output_slots_.push_back(slots.at(output));
  std::vector<bool> used(static_cast<size_t>(num_slots_), false);
  for (int slot : output_slots_) used[static_cast<size_t>(slot)] = true;
  for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) {
    for (int slot : call->inputs) {
      if (!used[static_cast<size_t>(slot)]) call->last_used.push_back(slot);
      used[static_cast<size_t>(slot)] = true;
    }
  }
}

FunctionValue::~FunctionValue() = default;

std::vector<at::Tensor> FunctionValue::run(std::vector<at::Tensor> inputs,
                                           const std::optional<at::Generator>& generator) const {
  std::vector<at::Tensor> frame = inputs;
  frame.resize(static_cast<size_t>(num_slots_));
  for (const Call& step : calls_) {
    std::vector<at::Tensor> results;
    if (step.node->kind() == NodeKind::kConstant) {
      results = {step.node->attribute("value").toTensor()};
    } else {
      std::vector<at::Tensor> arguments;
      for (int slot : step.inputs) arguments.push_back(frame[static_cast<size_t>(slot)]);
      for (int slot : step.last_used) frame[static_cast<size_t>(slot)].reset();
      results = call(*step.node, step.op, arguments, generator);
    }
    std::ranges::move(results, frame.begin() + step.first_output);
  }
  std::vector<at::Tensor> outputs;
  for (int slot : output_slots_) {
    const at::Tensor& output = frame[static_cast<size_t>(slot)];
    // An output that is an input, a constant or another output has a gradient of its own all the same.
    outputs.push_back(output.use_count() > 1 ? at::alias(output) : output);
  }
  return outputs;
}

std::vector<NodeOutput> FunctionValue::infer(const std::vector<Shape>& inputs) const {
  bool same = inputs.size() == function_->inputs.size();
  for (size_t i = 0; same && i < inputs.size(); ++i) same = inputs[i] == function_->inputs[i].shape();
  const Function copy = same ? *function_ : Rewriter(*function_, inputs).run();
  std::vector<NodeOutput> outputs;
  for (const Tensor& output : copy.outputs) outputs.push_back({output.dtype(), output.shape()});
  return outputs;
}

const FunctionValue& held_function(const Node& node, std::string_view name) {
  if (const FunctionValue* function = FunctionValue::in(node.attribute(name))) return *function;
  throw InternalError(fmt::format("[{}] expected a function for '{}', got none", node.name(), name));
}

std::vector<Tensor> inline_function(const Function& function, const std::vector<Tensor>& inputs) {
  std::unordered_map<Tensor, Tensor> map;
  for (size_t i = 0; i < inputs.size(); ++i) map[function.inputs[i]] = inputs[i];
  for (const Node* node : function.calls()) {
    std::vector<Tensor> mapped;
    for (const Tensor& input : node->inputs()) mapped.push_back(map.at(input));
    const Node& copy = default_graph().add_copy(*node, std::move(mapped));
    for (const Tensor& output : node->output_tensors()) map[output] = copy.output(output.index());
  }
  std::vector<Tensor> outputs;
  for (const Tensor& output : function.outputs) outputs.push_back(map.at(output));
  return outputs;
}

}  // namespace belfry
