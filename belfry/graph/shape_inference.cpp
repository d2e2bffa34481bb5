#include "belfry/graph/shape_inference.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <array>
#include <set>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/internal/arguments.h"
#include "belfry/graph/internal/shape_rules.h"

namespace belfry {
namespace {

using Outputs = std::vector<at::Tensor>;

/// Stands for a dynamic dimension in the two evaluations. On the meta device sizes cost nothing, so they are
/// large enough for any kernel window and have many divisors, for reshapes. On the CPU they must stay small.
constexpr std::array<int64_t, 2> kMetaSizes = {5040, 10080};
constexpr std::array<int64_t, 2> kCpuSizes = {12, 24};

/// How often unknown_size was called.
thread_local int64_t unknown_sizes = 0;

/// Output sizes that depend on the values, not only on the shapes: dimension 0 is dynamic.
const std::set<std::string_view> kDataDependent = {
    "aten::nonzero",    "aten::masked_select",      "aten::_unique",          "aten::_unique2",
    "aten::unique_dim", "aten::unique_consecutive", "aten::repeat_interleave"};

at::Tensor stand_in(const Tensor& tensor, c10::Device device, int64_t dynamic_size) {
  Shape sizes = tensor.shape();
  for (int64_t& size : sizes) {
    if (size == kDynamic) size = dynamic_size;
  }
  const auto options = at::TensorOptions().dtype(tensor.dtype()).device(device);
  return device.is_meta() ? at::empty(sizes, options) : at::zeros(sizes, options);
}

c10::Stack make_stack(const c10::FunctionSchema& schema, const std::vector<Argument>& arguments,
                      const std::vector<Tensor>& inputs, c10::Device device, int64_t dynamic_size) {
  c10::Stack stack;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument& argument = arguments[i];
    switch (argument.kind) {
      case Argument::Kind::kConstant:
        if (argument.constant.isDevice()) {
          stack.emplace_back(device);
        } else if (argument.constant.isTensor() && device.is_meta()) {
          stack.emplace_back(argument.constant.toTensor().to(device));
        } else {
          stack.push_back(argument.constant);
        }
        break;
      case Argument::Kind::kInput:
        stack.emplace_back(stand_in(inputs[argument.inputs[0]], device, dynamic_size));
        break;
      case Argument::Kind::kInputList: {
        const auto& list =
            *internal::without_optional(*schema.arguments()[i].type()).castRaw<c10::ListType>();
        if (list.getElementType()->kind() == c10::TypeKind::OptionalType) {
          c10::List<std::optional<at::Tensor>> tensors;
          for (int index : argument.inputs) {
            tensors.push_back(index < 0 ? std::nullopt
                                        : std::optional(stand_in(inputs[index], device, dynamic_size)));
          }
          stack.emplace_back(std::move(tensors));
        } else {
          c10::List<at::Tensor> tensors;
          for (int index : argument.inputs) tensors.push_back(stand_in(inputs[index], device, dynamic_size));
          stack.emplace_back(std::move(tensors));
        }
        break;
      }
      case Argument::Kind::kGenerator:
        stack.emplace_back();
        break;
    }
  }
  return stack;
}

Outputs call(const c10::OperatorHandle& op, c10::Stack stack) {
  at::AutoDispatchBelowADInplaceOrView no_autograd;
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

/// Evaluates `run(size)` for both sizes and compares.
template <typename Run>
std::vector<Node::Output> compare_runs(const std::array<int64_t, 2>& sizes, bool has_dynamic, Run run) {
  const int64_t unknown_before = unknown_sizes;
  const Outputs first = run(sizes[0]);
  const Outputs second = has_dynamic || unknown_sizes != unknown_before ? run(sizes[1]) : first;
  if (first.size() != second.size()) {
    throw UsageError("the number of outputs depends on a dynamic dimension");
  }
  std::vector<Node::Output> outputs;
  for (size_t i = 0; i < first.size(); ++i) {
    if (!first[i].defined()) {
      outputs.push_back({});
      continue;
    }
    Shape shape = first[i].sizes().vec();
    if (shape.size() != static_cast<size_t>(second[i].dim())) {
      throw UsageError("the rank of the result depends on a dynamic dimension");
    }
    for (size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] != second[i].size(static_cast<int64_t>(d))) shape[d] = kDynamic;
    }
    outputs.push_back({first[i].scalar_type(), std::move(shape)});
  }
  return outputs;
}

/// As compare_runs on the meta device; where no size fits, a dynamic dimension may have to equal a static one
/// that it meets (x[?] + y[12]): the first static size with which the operator runs is taken for it.
template <typename Run>
std::vector<Node::Output> compare_runs_or_meet(bool has_dynamic, const std::vector<Tensor>& inputs, Run run) {
  try {
    return compare_runs(kMetaSizes, has_dynamic, run);
  } catch (const c10::NotImplementedError&) {
    throw;
  } catch (const c10::Error&) {
    std::set<int64_t> sizes;
    if (has_dynamic) {
      for (const Tensor& input : inputs) sizes.insert(input.shape().begin(), input.shape().end());
    }
    for (int64_t size : sizes) {
      if (size < 1) continue;
      try {
        return compare_runs({size, size}, /*has_dynamic=*/false, run);
      } catch (const c10::Error&) {
      }
    }
    throw;
  }
}

}  // namespace

int64_t unknown_size() {
  return kMetaSizes[0] + ++unknown_sizes;
}

std::vector<Node::Output> infer_outputs(const c10::OperatorHandle& op, const std::vector<Argument>& arguments,
                                        const std::vector<Tensor>& inputs) {
  const std::string& name = op.operator_name().name;
  bool has_dynamic = false;
  for (const Tensor& input : inputs) {
    for (int64_t size : input.shape()) has_dynamic |= size == kDynamic;
  }
  auto stack = [&](c10::Device device, int64_t size) {
    return make_stack(op.schema(), arguments, inputs, device, size);
  };
  // Operators found to have no kernel for meta tensors, so that each of them fails slowly only once.
  thread_local std::set<std::string> without_meta;

  std::vector<Node::Output> outputs;
  try {
    if (auto rule = internal::find_shape_rule(name)) {
      outputs =
          compare_runs(kMetaSizes, has_dynamic, [&](int64_t size) { return rule(stack(c10::kMeta, size)); });
    } else {
      const std::string full_name = c10::toString(op.operator_name());
      if (!without_meta.contains(full_name)) {
        try {
          auto run = [&](int64_t size) { return call(op, stack(c10::kMeta, size)); };
          outputs = compare_runs_or_meet(has_dynamic, inputs, run);
        } catch (const c10::NotImplementedError&) {
          without_meta.insert(full_name);
        }
      }
      if (without_meta.contains(full_name)) {
        outputs = compare_runs(kCpuSizes, has_dynamic,
                               [&](int64_t size) { return call(op, stack(c10::kCPU, size)); });
      }
    }
  } catch (const UsageError& e) {
    throw UsageError(fmt::format("{} (inputs: {})", e.what(), describe_inputs(inputs)));
  } catch (const c10::Error& e) {
    throw UsageError(fmt::format("{} (inputs: {})", e.what_without_backtrace(), describe_inputs(inputs)));
  }
  if (kDataDependent.contains(name)) {
    for (auto& output : outputs) {
      if (!output.shape.empty()) output.shape[0] = kDynamic;
    }
  }
  return outputs;
}

}  // namespace belfry
