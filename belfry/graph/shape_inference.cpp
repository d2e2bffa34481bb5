#include "belfry/graph/shape_inference.h"

#include <ATen/core/Reduction.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "belfry/base/error.h"
#include "belfry/graph/arguments_of.h"
#include "belfry/graph/below_autograd.h"
#include "belfry/graph/internal/arguments.h"
#include "belfry/graph/internal/dtype_rules.h"
#include "belfry/graph/internal/shape_rules.h"
#include "belfry/graph/internal/shape_trials.h"
#include "belfry/graph/kernel.h"
#include "belfry/graph/kernel_error.h"

// An operator is asked on tensors without data; where it has no such kernel, its rule is asked; where it has
// none, it runs on small zeros. What no kernel checks, such as the lengths of lists, dtypes and sizes beyond
// memory, is checked here, for C++, imported models and files alike.

namespace belfry {
namespace {

using Outputs = std::vector<at::Tensor>;

/// On the meta device sizes cost nothing, so the large ones are beyond most kernel windows and have many
/// divisors. On the CPU they must stay small.
constexpr internal::TestSize kMetaTest = {5040, 1e17}, kCpuTest = {12, 1e6};

/// Most elements of an input of an operator that has to be run on the CPU. Those beyond kCpuTest's limit
/// share one, so that the input costs no memory; the time, and what the operator itself allocates, still
/// grow.
constexpr int64_t kMostOnCpu = int64_t{1} << 26;

/// Output sizes that depend on the values, not only on the shapes: dimension 0 is dynamic.
const std::set<std::string_view> kDataDependent = {
    "aten::nonzero",    "aten::masked_select",      "aten::_unique",          "aten::_unique2",
    "aten::unique_dim", "aten::unique_consecutive", "aten::repeat_interleave"};

/// A tensor of a shape and dtype, whose elements, where it has some, are `fill`.
at::Tensor stand_in(const Shape& shape, DType dtype, c10::Device device, int64_t fill) {
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  if (device.is_meta()) return at::empty(shape, options);
  const double elements = internal::count_elements(shape);
  if (elements <= kCpuTest.limit) return at::full(shape, fill, options);
  if (elements > static_cast<double>(kMostOnCpu)) {
    throw UsageError(fmt::format(
        "expected at most {} elements, as only a run on them tells the shapes of the results, got {}",
        kMostOnCpu, to_string(shape)));
  }
  return at::full({}, fill, options).expand(shape);
}

/// The arguments of a call on `device`, with stand-ins of the inputs.
c10::Stack stand_in_stack(const c10::FunctionSchema& schema, const std::vector<Argument>& arguments,
                          const std::vector<Tensor>& inputs, c10::Device device,
                          const internal::Shapes& shapes, int64_t fill) {
  c10::Stack stack = make_stack(schema, arguments, [&](int index) {
    return stand_in(shapes[index], inputs[index].dtype(), device, fill);
  });
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].kind != Argument::Kind::kConstant) continue;
    if (stack[i].isDevice()) stack[i] = device;
    if (stack[i].isTensor() && device.is_meta()) stack[i] = stack[i].toTensor().to(device);
  }
  return stack;
}

Outputs call(const c10::OperatorHandle& op, c10::Stack stack) {
  const BelowAutograd below;
  op.callBoxed(&stack);
  if (stack.size() == 1 && stack[0].isTensorList()) return stack[0].toTensorVector();
  Outputs outputs;
  for (const c10::IValue& value : stack) {
    if (!value.isTensor()) {
      throw UsageError(fmt::format("[{}] expected an operator that returns tensors, got one that returns {}",
                                   op.schema().name(), value.tagKind()));
    }
    outputs.push_back(value.toTensor());
  }
  return outputs;
}

std::string describe_inputs(const std::vector<Tensor>& inputs) {
  std::string text;
  for (const Tensor& input : inputs) text += (text.empty() ? "" : ", ") + describe(input);
  return text;
}

bool has_integers(const std::vector<Tensor>& inputs) {
  return std::ranges::any_of(
      inputs, [](const Tensor& input) { return c10::isIntegralType(input.dtype(), /*includeBool=*/false); });
}

/// Runs the operator on the CPU with zeros, which are indices that fit; where it refuses them, with ones,
/// which integers may be divided by.
Outputs run_on_cpu(const c10::OperatorHandle& op, const std::vector<Argument>& arguments,
                   const std::vector<Tensor>& inputs, const internal::Shapes& shapes) {
  const auto run = [&](int64_t fill) {
    return call(op, stand_in_stack(op.schema(), arguments, inputs, c10::kCPU, shapes, fill));
  };
  try {
    return run(0);
  } catch (const c10::NotImplementedError&) {
    throw;
  } catch (const c10::Error&) {
    if (!has_integers(inputs)) throw;
  }
  return run(1);
}

/// Operators found to have no kernel for meta tensors, so that each of them fails slowly only once.
std::set<std::string>& without_meta() {
  thread_local std::set<std::string> names;
  return names;
}

/// True for the dispatcher's error that an operator, or one that it calls, has no kernel for meta tensors;
/// false for that of a kernel which does not take a dtype.
bool lacks_meta_kernel(const c10::NotImplementedError& e) {
  const std::string_view message = e.what_without_backtrace();
  return message.find("'Meta' backend") != std::string_view::npos ||
         message.find("Meta tensors") != std::string_view::npos;
}

/// A stack as an operator takes it, with tensors on the meta device for its tensors.
c10::Stack on_meta(c10::Stack stack) {
  const auto meta = [](const at::Tensor& x) {
    return x.defined() ? at::empty(x.sizes(), x.options().device(c10::kMeta)) : x;
  };
  for (c10::IValue& value : stack) {
    if (value.isTensor()) {
      value = meta(value.toTensor());
    } else if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& x : value.toTensorVector()) list.push_back(meta(x));
      value = std::move(list);
    } else if (value.isDevice()) {
      value = c10::Device(c10::kMeta);
    }
  }
  return stack;
}

/// Belfry's kernels rely on the lengths that their schemas give (`int[2] strides`). ATen's check for
/// themselves, and take one number for all.
void check_list_lengths(const c10::OperatorHandle& op, const std::vector<Argument>& arguments) {
  if (!op.operator_name().name.starts_with("belfry::")) return;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const c10::Argument& declared = op.schema().arguments()[i];
    const c10::IValue& value = arguments[i].constant;
    if (!declared.N() || !value.isIntList()) continue;
    const int64_t given = static_cast<int64_t>(value.toIntList().size());
    if (given != *declared.N()) {
      throw UsageError(fmt::format("[{}] expected {} numbers for '{}', got {}", op.operator_name().name,
                                   *declared.N(), declared.name(), given));
    }
  }
}

/// Ways to reduce a loss, for which ATen's kernels have assertions.
void check_reduction(const c10::OperatorHandle& op, const std::vector<Argument>& arguments) {
  const auto index = op.schema().argumentIndexWithName("reduction");
  if (!index || !arguments[static_cast<size_t>(*index)].constant.isInt()) return;
  const int64_t given = arguments[static_cast<size_t>(*index)].constant.toInt();
  if (given < at::Reduction::None || given >= at::Reduction::END) {
    throw UsageError(fmt::format("expected the reduction 0 (none), 1 (mean) or 2 (sum), got {}", given));
  }
}

/// An operator that gives as many tensors as a number says would fill the memory with them.
void check_number_of_results(const c10::OperatorHandle& op, const std::vector<Argument>& arguments,
                             const std::vector<Tensor>& inputs) {
  constexpr int64_t kMostResults = 1 << 16;
  const std::string& name = op.operator_name().name;
  int64_t results = 0;
  if (name == "belfry::split") results = arguments[1].constant.toInt();
  if (name == "aten::unbind") {
    const Shape& shape = inputs[0].shape();
    const int64_t axis = arguments[1].constant.toInt(), rank = static_cast<int64_t>(shape.size());
    if (axis >= -rank && axis < rank) results = shape[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
  }
  if (results > kMostResults)
    throw UsageError(fmt::format("expected at most {} results, got {}", kMostResults, results));
}

}  // namespace

std::vector<Node::Output> infer_outputs(const c10::OperatorHandle& op, const std::vector<Argument>& arguments,
                                        const std::vector<Tensor>& inputs) {
  const std::string& name = op.operator_name().name;
  const c10::OperatorHandle kernel = kernel_of(op);
  const auto infer_on_meta = [&](auto&& evaluate) {
    return internal::infer_by_trials(inputs, arguments, kMetaTest, [&](const internal::Shapes& shapes) {
      return evaluate(stand_in_stack(op.schema(), arguments, inputs, c10::kMeta, shapes, 0));
    });
  };

  std::vector<Node::Output> outputs;
  try {
    check_list_lengths(op, arguments);
    check_reduction(op, arguments);
    check_number_of_results(op, arguments, inputs);
    internal::check_dtypes(op, arguments, inputs);
    const std::string full_name = c10::toString(op.operator_name());
    if (internal::is_reshape(full_name)) {
      outputs = {
          {inputs[0].dtype(), internal::reshaped(inputs[0].shape(), arguments[1].constant.toIntVector())}};
    } else if (auto rule = internal::find_shape_rule(name)) {
      outputs = infer_on_meta(rule);
    } else {
      if (!without_meta().contains(full_name)) {
        try {
          outputs = infer_on_meta([&](c10::Stack stack) { return call(kernel, std::move(stack)); });
        } catch (const c10::NotImplementedError& e) {
          if (!lacks_meta_kernel(e)) throw;
          without_meta().insert(full_name);
        }
      }
      if (without_meta().contains(full_name)) {
        outputs = internal::infer_by_trials(inputs, arguments, kCpuTest, [&](const internal::Shapes& shapes) {
          return run_on_cpu(kernel, arguments, inputs, shapes);
        });
      }
    }
  } catch (const UsageError& e) {
    throw UsageError(fmt::format("{} (inputs: {})", e.what(), describe_inputs(inputs)));
  } catch (...) {
    rethrow_kernel_error({.inputs = describe_inputs(inputs)});
  }
  if (kDataDependent.contains(name)) {
    for (auto& output : outputs) {
      if (!output.shape.empty()) output.shape[0] = kDynamic;
    }
  }
  return outputs;
}

bool takes_shapes(const c10::OperatorHandle& op, c10::Stack arguments) {
  try {
    arguments = on_meta(std::move(arguments));
    if (auto rule = internal::find_shape_rule(op.operator_name().name)) {
      rule(arguments);
    } else {
      call(kernel_of(op), std::move(arguments));
    }
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace belfry
