#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "belfry/base/error.h"
#include "belfry/graph/arguments_of.h"
#include "belfry/graph/kernel.h"
#include "belfry/graph/kernel_error.h"
#include "belfry/inference/internal/lowerings.h"

// An operator of ATen as an instruction: the out= variant of its overload where it has one, writing into
// planned memory, and otherwise the operator itself with a copy of its result. The stack of arguments is made
// once; a run copies it and calls the boxed kernel below autograd.

namespace belfry::internal {
namespace {

using Operator = c10::OperatorHandle;

/// Every overload of each operator's name; read once, as there are thousands.
const std::vector<Operator>& overloads_of(const std::string& name) {
  static const auto all = [] {
    std::map<std::string, std::vector<Operator>> map;
    for (const c10::OperatorName& full : c10::Dispatcher::singleton().getAllOpNames()) {
      if (auto op = c10::Dispatcher::singleton().findSchema(full)) map[full.name].push_back(*op);
    }
    return map;
  }();
  static const std::vector<Operator> none;
  const auto found = all.find(name);
  return found == all.end() ? none : found->second;
}

bool is_out(const c10::Argument& argument) {
  return argument.kwarg_only() && argument.alias_info() && argument.alias_info()->isWrite();
}

/// The overload that takes the arguments of `op` and writes its results into tensors given after them.
std::optional<Operator> find_out_variant(const Operator& op) {
  const auto& wanted = op.schema();
  for (const Operator& candidate : overloads_of(op.operator_name().name)) {
    const auto& schema = candidate.schema();
    const size_t inputs = wanted.arguments().size(), outputs = wanted.returns().size();
    if (schema.arguments().size() != inputs + outputs) continue;
    bool fits = true;
    for (size_t i = 0; fits && i < inputs; ++i) {
      const auto &a = wanted.arguments()[i], &b = schema.arguments()[i];
      fits = a.name() == b.name() && *a.type() == *b.type() && !is_out(b);
    }
    for (size_t i = inputs; fits && i < inputs + outputs; ++i) fits = is_out(schema.arguments()[i]);
    if (fits) return candidate;
  }
  return std::nullopt;
}

/// What such a variant is worth: most of those that are not written by hand call the operator and copy.
bool writes_itself(const Operator& out_variant) {
  return !out_variant.hasKernelForDispatchKey(c10::DispatchKey::CompositeExplicitAutograd);
}

/// True for calls whose out variants give the tensor another shape on the way, which planned memory has not.
bool reshapes_out(const Node& node) {
  if (node.op().schema().argumentIndexWithName("reduction")) return node.attribute("reduction").toInt() != 0;
  return node.op_name() == "aten::matmul" && (node.inputs()[0].rank() == 1 || node.inputs()[1].rank() == 1);
}

/// What an instruction calls, and the tensors among its arguments.
struct OperatorCall {
  std::string name;  ///< of the node
  Operator op;
  c10::Stack arguments;
  AtenTensors tensors;
};

/// A call with all arguments at hand.
class OutCall : public Instruction {
 public:
  explicit OutCall(OperatorCall call) : call_(std::move(call)) { stack_.reserve(call_.arguments.size()); }
  void run() final {
    call_.tensors.follow_memory();
    stack_ = call_.arguments;  // within its capacity
    try {
      call_.op.callBoxed(&stack_);
      take_results(stack_);
    } catch (...) {  // the program was made for these shapes, so that it is the values that are refused
      rethrow_kernel_error({.who = call_.name, .inputs = {}, .values_to_blame = [] { return true; }});
    }
    stack_.clear();
  }
  bool is_often_invalid() const override { return true; }
  std::string describe() const override { return c10::toString(call_.op.operator_name()); }

 private:
  virtual void take_results(const c10::Stack&) const {}  // they are where they belong

  OperatorCall call_;
  c10::Stack stack_;
};

/// As above, for an operator that makes its results itself: they are copied.
class FunctionalCall : public OutCall {
 public:
  FunctionalCall(OperatorCall call, std::vector<at::Tensor> outputs)
      : OutCall(std::move(call)), outputs_(std::move(outputs)) {}
  std::string describe() const override { return OutCall::describe() + " + copy"; }

 private:
  void take_results(const c10::Stack& stack) const override {
    size_t i = 0;
    for (const c10::IValue& value : stack) {
      if (value.isTensorList()) {
        for (const at::Tensor& tensor : value.toTensorVector()) outputs_.at(i++).copy_(tensor);
      } else {
        outputs_.at(i++).copy_(value.toTensor());
      }
    }
  }

  std::vector<at::Tensor> outputs_;
};

/// Arithmetic with a number: the operator for two tensors, whose variant for given memory is written by hand.
struct Rewritten {
  std::string op;
  bool swapped = false;
};
std::optional<Rewritten> with_number_as_tensor(const std::string& op) {
  for (const char* name : {"add", "sub", "mul", "div"}) {
    if (op == fmt::format("aten::{}.Scalar", name)) return Rewritten{fmt::format("aten::{}.Tensor", name)};
  }
  if (op == "aten::rsub.Scalar") return Rewritten{"aten::sub.Tensor", true};
  return std::nullopt;
}

at::Tensor number(const c10::Scalar& value) {
  at::Tensor tensor = at::scalar_tensor(value, value.isFloatingPoint() ? c10::kDouble
                                               : value.isBoolean()     ? c10::kBool
                                                                       : c10::kLong);
  tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
  return tensor;
}

}  // namespace

bool lower_to_operator(ProgramBuilder& builder, const Node& node) {
  const bool empty = std::ranges::any_of(
      node.inputs(), [&](const Tensor& input) { return builder.value(input).numel() == 0; });
  Operator op = empty ? kernel_of(node.op()) : forward_kernel_of(node.op());
  if (node.is_random()) throw InternalError(fmt::format("[compile] '{}' draws random numbers", node.name()));
  std::vector<TensorView> inputs;
  for (const Tensor& input : node.inputs()) inputs.push_back(builder.value(input));
  AtenTensors tensors;
  c10::Stack arguments =
      make_stack(node, [&](int index) { return tensors.on(inputs[static_cast<size_t>(index)]); });
  if (const auto rewritten = with_number_as_tensor(node.op_name())) {
    op = c10::Dispatcher::singleton().findSchemaOrThrow(
        rewritten->op.substr(0, rewritten->op.find('.')).c_str(), "Tensor");
    arguments[1] = number(arguments[1].toScalar());
    if (rewritten->swapped) std::swap(arguments[0], arguments[1]);
  } else if (node.op_name() == "aten::softmax.int" && arguments[2].isNone()) {
    op = c10::Dispatcher::singleton().findSchemaOrThrow("aten::_softmax", "");
    arguments[2] = false;  // half_to_float
  }

  const auto out_variant = find_out_variant(op);
  const bool direct = out_variant && writes_itself(*out_variant) && !reshapes_out(node);
  const bool in_place = direct && node.outputs().size() == 1 && op.hasTag(at::Tag::pointwise);
  std::vector<TensorView> outputs;
  std::vector<at::Tensor> results;
  for (int i = 0; i < static_cast<int>(node.outputs().size()); ++i) {
    outputs.push_back(in_place ? builder.make_output_in_place(node, node.output(i))
                               : builder.make_output(node.output(i)));
    builder.define(node.output(i), outputs.back());
    results.push_back(tensors.on(outputs.back()));
  }
  std::unique_ptr<Instruction> instruction;
  if (direct) {
    for (const at::Tensor& result : results) arguments.emplace_back(result);
    instruction = std::make_unique<OutCall>(
        OperatorCall{node.name(), *out_variant, std::move(arguments), std::move(tensors)});
  } else {
    instruction = std::make_unique<FunctionalCall>(
        OperatorCall{node.name(), op, std::move(arguments), std::move(tensors)}, std::move(results));
  }
  builder.emit(node, std::move(instruction), inputs, outputs);
  return true;
}

}  // namespace belfry::internal
