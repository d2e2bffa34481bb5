#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/graph/function_value.h"
#include "belfry/graph/shape_inference.h"
#include "belfry/ops/internal/boxed_arguments.h"

// Control flow runs functions of the graph, by the dispatcher, in the mode of autograd that the thread is in:
// where that records, the way that a run took is recorded, and its gradient is ATen's.
//
// Without data, a function's shapes are inferred as those of a graph. What the shapes of two ways differ in
// is a size that only values decide.

namespace belfry {
namespace {

using at::Tensor;
using internal::BoxedArguments;
using Tensors = std::vector<Tensor>;
using Outputs = std::vector<NodeOutput>;

Tensors joined(Tensors first, const Tensors& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// Shapes

std::vector<Shape> shapes_of(const Tensors& tensors) {
  std::vector<Shape> shapes;
  for (const Tensor& tensor : tensors) shapes.push_back(tensor.sizes().vec());
  return shapes;
}

std::vector<Shape> joined(std::vector<Shape> first, const std::vector<Shape>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// As an operator's refusal, which is what the inference of shapes looks for.
Outputs infer(const FunctionValue& function, const std::vector<Shape>& inputs) {
  std::string message;
  try {
    return function.infer(inputs);
  } catch (const UsageError& e) {
    message = e.what();
  }
  TORCH_CHECK(false, message);
}

/// `a`, dynamic in what differs from `b`.
Shape common(const Shape& a, const Shape& b) {
  TORCH_CHECK(a.size() == b.size(), "expected results of the same rank whichever way a run goes, got ",
              to_string(a), " and ", to_string(b));
  Shape result = a;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) result[i] = kDynamic;
  }
  return result;
}

Tensor without_data(const NodeOutput& output) {
  Shape sizes = output.shape;
  for (int64_t& size : sizes) {
    if (size == kDynamic) size = unknown_size();
  }
  return at::empty(sizes, at::TensorOptions().dtype(output.dtype).device(c10::kMeta));
}

Tensors without_data(const Outputs& outputs) {
  Tensors tensors;
  for (const NodeOutput& output : outputs) tensors.push_back(without_data(output));
  return tensors;
}

// cond

void cond(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const BoxedArguments arguments(op, *stack);
  const bool chosen = arguments.value("predicate").toTensor().item<bool>();
  arguments.give(*stack,
                 arguments.function(chosen ? "then_branch" : "else_branch")
                     .run(arguments.tensors(chosen ? "then_inputs" : "else_inputs"), arguments.generator()));
}

void cond_meta(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const BoxedArguments arguments(op, *stack);
  const Tensor predicate = arguments.value("predicate").toTensor();
  TORCH_CHECK(predicate.scalar_type() == at::kBool && predicate.dim() == 0,
              "expected a bool scalar as predicate, got ", predicate.scalar_type(), " ", predicate.sizes());
  Outputs results = infer(arguments.function("then_branch"), shapes_of(arguments.tensors("then_inputs")));
  const Outputs others =
      infer(arguments.function("else_branch"), shapes_of(arguments.tensors("else_inputs")));
  TORCH_CHECK(!results.empty() && results.size() == others.size(),
              "expected as many results of both branches, one at least, got ", results.size(), " and ",
              others.size());
  for (size_t i = 0; i < results.size(); ++i) {
    TORCH_CHECK(results[i].dtype == others[i].dtype, "expected results of one dtype of both branches, got ",
                to_string(results[i].dtype), " and ", to_string(others[i].dtype));
    results[i].shape = common(results[i].shape, others[i].shape);
  }
  arguments.give(*stack, without_data(results));
}

// while_loop

void while_loop(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const BoxedArguments arguments(op, *stack);
  const FunctionValue& condition = arguments.function("condition");
  const FunctionValue& body = arguments.function("body");
  const Tensors condition_inputs = arguments.tensors("condition_inputs"),
                body_inputs = arguments.tensors("body_inputs");
  const auto generator = arguments.generator();
  const int64_t limit = arguments.value("maximum_iterations").toInt();
  const auto goes_on = [&](const Tensors& variables) {
    const at::NoGradGuard unrecorded;
    return condition.run(joined(variables, condition_inputs), generator)[0].item<bool>();
  };
  Tensors variables = arguments.tensors("variables");
  int64_t iterations = 0;
  for (; (limit < 0 || iterations < limit) && goes_on(variables); ++iterations)
    variables = body.run(joined(std::move(variables), body_inputs), generator);
  if (iterations == 0) {  // a result is no input
    for (Tensor& variable : variables) variable = variable.alias();
  }
  arguments.give(*stack, std::move(variables));
}

/// Sizes that the first iteration changes are unknown then, and so are those that another changes for it.
void while_loop_meta(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const BoxedArguments arguments(op, *stack);
  const Tensors variables = arguments.tensors("variables");
  const std::vector<Shape> condition_inputs = shapes_of(arguments.tensors("condition_inputs")),
                           body_inputs = shapes_of(arguments.tensors("body_inputs"));
  std::vector<Shape> shapes = shapes_of(variables), before;
  while (shapes != before) {
    before = shapes;
    const Outputs next = infer(arguments.function("body"), joined(shapes, body_inputs));
    TORCH_CHECK(next.size() == shapes.size(), "expected ", shapes.size(), " results of the body, got ",
                next.size());
    for (size_t i = 0; i < shapes.size(); ++i) {
      TORCH_CHECK(next[i].dtype == variables[i].scalar_type(), "expected the body to keep the dtype ",
                  to_string(variables[i].scalar_type()), ", got ", to_string(next[i].dtype));
      shapes[i] = common(shapes[i], next[i].shape);
    }
  }
  const Outputs asks = infer(arguments.function("condition"), joined(shapes, condition_inputs));
  TORCH_CHECK(asks.size() == 1 && asks[0].dtype == kBool && asks[0].shape.empty(),
              "expected a condition that gives a bool scalar");
  Outputs results;
  for (size_t i = 0; i < shapes.size(); ++i) results.push_back({variables[i].scalar_type(), shapes[i]});
  arguments.give(*stack, without_data(results));
}

// scan: the body makes new states and outputs of states, elements and what is captured

int64_t number_of_elements(const Tensors& elems) {
  TORCH_CHECK(!elems.empty(), "expected elements, got none");
  for (const Tensor& elem : elems) {
    TORCH_CHECK(elem.dim() > 0 && elem.size(0) == elems[0].size(0),
                "expected as many elements along dimension 0 of each tensor, got ", elems[0].sizes(), " and ",
                elem.sizes());
  }
  return elems[0].size(0);
}

std::vector<Shape> element_shapes(const Tensors& elems) {
  std::vector<Shape> shapes;
  for (const Tensor& elem : elems) shapes.push_back(elem.sizes().slice(1).vec());
  return shapes;
}

/// Dtypes and shapes of what the body gives.
Outputs infer_scan(const FunctionValue& body, const Tensors& states, const Tensors& elems,
                   const Tensors& captured) {
  const Outputs next =
      infer(body, joined(joined(shapes_of(states), element_shapes(elems)), shapes_of(captured)));
  TORCH_CHECK(next.size() >= states.size(), "expected ", states.size(), " states of the body, got ",
              next.size());
  for (size_t i = 0; i < states.size(); ++i) {
    TORCH_CHECK(next[i].dtype == states[i].scalar_type() && next[i].shape == states[i].sizes().vec(),
                "expected the body to keep the state ", to_string(states[i].scalar_type()), " ",
                states[i].sizes(), ", got ", to_string(next[i].dtype), " ", to_string(next[i].shape));
  }
  return next;
}

/// What a scan of no elements gives for the outputs.
Tensor no_outputs(const NodeOutput& output, const at::TensorOptions& options) {
  Shape sizes = output.shape;
  std::ranges::replace(sizes, kDynamic, 0);
  sizes.insert(sizes.begin(), 0);
  return at::empty(sizes, options.dtype(output.dtype));
}

void scan(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const BoxedArguments arguments(op, *stack);
  const FunctionValue& body = arguments.function("body");
  const Tensors elems = arguments.tensors("elems"), captured = arguments.tensors("captured");
  const auto generator = arguments.generator();
  const bool reverse = arguments.value("reverse").toBool();
  const int64_t count = number_of_elements(elems);
  Tensors states = arguments.tensors("initial");
  const size_t num_states = states.size(), num_outputs = body.function().outputs.size() - num_states;
  std::vector<Tensors> outputs(num_outputs, Tensors(static_cast<size_t>(count)));
  for (int64_t step = 0; step < count; ++step) {
    const int64_t i = reverse ? count - 1 - step : step;
    Tensors inputs = std::move(states);
    for (const Tensor& elem : elems) inputs.push_back(elem.select(0, i));
    Tensors next = body.run(joined(std::move(inputs), captured), generator);
    for (size_t k = 0; k < num_outputs; ++k) outputs[k][static_cast<size_t>(i)] = next[num_states + k];
    next.resize(num_states);
    states = std::move(next);
  }
  if (count == 0) {
    const Outputs shapes = infer_scan(body, states, elems, captured);
    for (Tensor& state : states) state = state.alias();
    for (size_t k = 0; k < num_outputs; ++k)
      states.push_back(no_outputs(shapes[num_states + k], elems[0].options()));
  } else {
    for (const Tensors& output : outputs) states.push_back(at::stack(output));
  }
  arguments.give(*stack, std::move(states));
}

void scan_meta(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const BoxedArguments arguments(op, *stack);
  const Tensors states = arguments.tensors("initial"), elems = arguments.tensors("elems");
  const int64_t count = number_of_elements(elems);
  Outputs results = infer_scan(arguments.function("body"), states, elems, arguments.tensors("captured"));
  for (size_t k = states.size(); k < results.size(); ++k)
    results[k].shape.insert(results[k].shape.begin(), count);
  arguments.give(*stack, without_data(results));
}

template <void (*kernel)(const c10::OperatorHandle&, torch::jit::Stack*)>
void define(torch::Library& m, const char* op) {
  m.impl(op, torch::CppFunction::makeFromBoxedFunction<kernel>());
  m.impl((std::string(op) + ".generator").c_str(), torch::CppFunction::makeFromBoxedFunction<kernel>());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "cond(Tensor predicate, Tensor[] then_inputs, Tensor[] else_inputs, *, Capsule then_branch, "
      "Capsule else_branch) -> Tensor[]");
  m.def(
      "cond.generator(Tensor predicate, Tensor[] then_inputs, Tensor[] else_inputs, *, Generator? generator, "
      "Capsule then_branch, Capsule else_branch) -> Tensor[]");
  m.def(
      "while_loop(Tensor[] variables, Tensor[] condition_inputs, Tensor[] body_inputs, *, Capsule condition, "
      "Capsule body, int maximum_iterations=-1) -> Tensor[]");
  m.def(
      "while_loop.generator(Tensor[] variables, Tensor[] condition_inputs, Tensor[] body_inputs, *, "
      "Generator? generator, Capsule condition, Capsule body, int maximum_iterations=-1) -> Tensor[]");
  m.def(
      "scan(Tensor[] initial, Tensor[] elems, Tensor[] captured, *, Capsule body, bool reverse=False) "
      "-> Tensor[]");
  m.def(
      "scan.generator(Tensor[] initial, Tensor[] elems, Tensor[] captured, *, Generator? generator, "
      "Capsule body, bool reverse=False) -> Tensor[]");
}

TORCH_LIBRARY_IMPL(belfry, CompositeImplicitAutograd, m) {
  define<&cond>(m, "cond");
  define<&while_loop>(m, "while_loop");
  define<&scan>(m, "scan");
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  define<&cond_meta>(m, "cond");
  define<&while_loop_meta>(m, "while_loop");
  define<&scan_meta>(m, "scan");
}

}  // namespace belfry
