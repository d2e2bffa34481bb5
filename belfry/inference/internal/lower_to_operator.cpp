#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/scalar_tensor.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

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

void give_generator(ProgramBuilder& builder, const Node& node, c10::Stack& arguments) {
  for (size_t i = 0; i < node.arguments().size(); ++i) {
    if (node.arguments()[i].kind == Argument::Kind::kGenerator) arguments[i] = builder.generator(node);
  }
}

std::vector<TensorView> inputs_of(ProgramBuilder& builder, const Node& node) {
  std::vector<TensorView> inputs;
  for (const Tensor& input : node.inputs()) inputs.push_back(builder.value(input));
  return inputs;
}

/// Runs an operator on tensors that autograd records, and asks for the gradients by some of them.
class UnderAutograd : public Instruction {
 public:
  struct Parts {
    std::string name;
    const Node* node;  ///< of a graph that the caller keeps
    Operator op;
    size_t output;  ///< of the operator, that is differentiated
    std::vector<TensorView> inputs;
    std::vector<size_t> xs;  ///< among the inputs
    TensorView grad;
    std::vector<TensorView> gradients;  ///< by the xs
  };
  explicit UnderAutograd(Parts parts) : p_(std::move(parts)) {}

  void run() override {
    try {
      run_recorded();
    } catch (...) {
      rethrow_kernel_error({.who = p_.name, .inputs = {}, .values_to_blame = [] { return true; }});
    }
  }
  bool is_often_invalid() const override { return true; }
  std::string describe() const override {
    return fmt::format("{} under autograd", c10::toString(p_.op.operator_name()));
  }

 private:
  static at::Tensor now(const TensorView& view) {
    return at::from_blob(view.data(), view.sizes(), view.strides(), dtype_of(view.type()));
  }

  void run_recorded() const {
    std::vector<at::Tensor> inputs, xs;
    for (const TensorView& input : p_.inputs) inputs.push_back(now(input));
    for (size_t i : p_.xs) xs.push_back(inputs[i].set_requires_grad(true));
    std::vector<at::Tensor> gradients;
    {
      const auto& keys = c10::impl::tls_local_dispatch_key_set();
      const c10::impl::ForceDispatchKeyGuard above(
          keys.included_ | c10::DispatchKeySet(c10::DispatchKey::ADInplaceOrView),
          keys.excluded_ - c10::autograd_dispatch_keyset_with_ADInplaceOrView);
      const c10::AutoGradMode recorded(true);
      c10::Stack stack = make_stack(*p_.node, [&](int index) { return inputs[static_cast<size_t>(index)]; });
      p_.op.callBoxed(&stack);
      const at::Tensor y = stack.size() == 1 && stack[0].isTensorList() ? stack[0].toTensorVector()[p_.output]
                                                                        : stack[p_.output].toTensor();
      if (y.requires_grad()) {
        gradients = torch::autograd::grad({y}, xs, {now(p_.grad)}, /*retain_graph=*/false,
                                          /*create_graph=*/false, /*allow_unused=*/true);
      }
    }
    gradients.resize(xs.size());
    for (size_t i = 0; i < xs.size(); ++i) {
      at::Tensor result = now(p_.gradients[i]);
      if (gradients[i].defined()) {
        result.copy_(gradients[i]);
      } else {
        result.zero_();
      }
    }
  }

  Parts p_;
};

}  // namespace

void lower_gradients(ProgramBuilder& builder, const Node& node) {
  const ArgumentsOf arguments(node);
  const Tensor loss = arguments.tensor("loss");
  const Node& differentiated = loss.node();
  UnderAutograd::Parts parts{.name = node.name(),
                             .node = &differentiated,
                             .op = kernel_of(differentiated.op()),
                             .output = static_cast<size_t>(loss.index()),
                             .inputs = inputs_of(builder, differentiated),
                             .xs = {},
                             .grad = builder.value(arguments.tensor("grad_loss")),
                             .gradients = {}};
  std::vector<TensorView> reads = parts.inputs;
  reads.push_back(parts.grad);
  const auto xs = arguments.tensors("xs");
  for (size_t i = 0; i < xs.size(); ++i) {
    const auto& inputs = differentiated.inputs();
    parts.xs.push_back(static_cast<size_t>(std::ranges::find(inputs, xs[i]) - inputs.begin()));
    parts.gradients.push_back(builder.make_output(node.output(static_cast<int>(i))));
    builder.define(node.output(static_cast<int>(i)), parts.gradients.back());
  }
  const std::vector<TensorView> writes = parts.gradients;
  builder.emit(node, std::make_unique<UnderAutograd>(std::move(parts)), reads, writes);
}

void lower_write(ProgramBuilder& builder, const Node& node) {
  AtenTensors tensors;
  const std::vector<TensorView> inputs = inputs_of(builder, node);
  c10::Stack arguments =
      make_stack(node, [&](int index) { return tensors.on(inputs[static_cast<size_t>(index)]); });
  give_generator(builder, node, arguments);
  builder.emit(node,
               std::make_unique<OutCall>(
                   OperatorCall{node.name(), kernel_of(node.op()), std::move(arguments), std::move(tensors)}),
               inputs, {});
  const size_t written = static_cast<size_t>(node.mutated_inputs()[0]);
  if (node.output().has_value()) builder.define(node.output(), inputs[written]);
}

bool lower_to_operator(ProgramBuilder& builder, const Node& node) {
  const bool empty = std::ranges::any_of(
      node.inputs(), [&](const Tensor& input) { return builder.value(input).numel() == 0; });
  Operator op = empty ? kernel_of(node.op()) : forward_kernel_of(node.op());
  const std::vector<TensorView> inputs = inputs_of(builder, node);
  AtenTensors tensors;
  c10::Stack arguments =
      make_stack(node, [&](int index) { return tensors.on(inputs[static_cast<size_t>(index)]); });
  give_generator(builder, node, arguments);
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
    if (!node.output(i).has_value()) continue;  // an assertion's
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
