#include "belfry/graph/shape_inference.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <set>
#include <unordered_set>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/internal/arguments.h"
#include "belfry/graph/internal/shape_rules.h"

namespace belfry {
namespace {

using Outputs = std::vector<at::Tensor>;

/// Stands for a dynamic dimension in the first evaluation, and twice as much in the second. On the meta
/// device sizes cost nothing, so it is large enough for most kernel windows and has many divisors. On the CPU
/// it must stay small. `limit` bounds the elements of an input.
struct TestSize {
  int64_t size;
  double limit;
};
constexpr TestSize kMetaTest = {5040, 1e17}, kCpuTest = {12, 1e6};

/// How often unknown_size was called.
thread_local int64_t unknown_sizes = 0;

/// Output sizes that depend on the values, not only on the shapes: dimension 0 is dynamic.
const std::set<std::string_view> kDataDependent = {
    "aten::nonzero",    "aten::masked_select",      "aten::_unique",          "aten::_unique2",
    "aten::unique_dim", "aten::unique_consecutive", "aten::repeat_interleave"};

/// Shapes of an operator's inputs.
using Shapes = std::vector<Shape>;

/// `shapes` with `size` for every dynamic dimension.
Shapes with_size(Shapes shapes, int64_t size) {
  for (Shape& shape : shapes) std::replace(shape.begin(), shape.end(), kDynamic, size);
  return shapes;
}

bool has_dynamic(const Shapes& shapes) {
  return std::ranges::any_of(shapes, [](const Shape& shape) { return std::ranges::count(shape, kDynamic); });
}

/// True when stand-ins stay below the limit with `size` for every dynamic dimension.
bool fits(const Shapes& shapes, int64_t size, const TestSize& test) {
  return std::ranges::all_of(with_size(shapes, size), [&](const Shape& shape) {
    double elements = 1;
    for (int64_t extent : shape) elements *= static_cast<double>(extent);
    return elements < test.limit;
  });
}

at::Tensor stand_in(const Shape& shape, DType dtype, c10::Device device) {
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  return device.is_meta() ? at::empty(shape, options) : at::zeros(shape, options);
}

c10::Stack make_stack(const c10::FunctionSchema& schema, const std::vector<Argument>& arguments,
                      const std::vector<Tensor>& inputs, c10::Device device, const Shapes& shapes) {
  const auto input = [&](int index) { return stand_in(shapes[index], inputs[index].dtype(), device); };
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
        stack.emplace_back(input(argument.inputs[0]));
        break;
      case Argument::Kind::kInputList: {
        const auto& list =
            *internal::without_optional(*schema.arguments()[i].type()).castRaw<c10::ListType>();
        if (list.getElementType()->kind() == c10::TypeKind::OptionalType) {
          c10::List<std::optional<at::Tensor>> tensors;
          for (int index : argument.inputs) {
            tensors.push_back(index < 0 ? std::nullopt : std::optional(input(index)));
          }
          stack.emplace_back(std::move(tensors));
        } else {
          c10::List<at::Tensor> tensors;
          for (int index : argument.inputs) tensors.push_back(input(index));
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

/// Evaluates an operator on stand-ins of concrete shapes.
using Evaluate = std::function<Outputs(const Shapes&)>;

/// Evaluates with `size` and with twice as much for the dynamic dimensions, and compares.
std::vector<Node::Output> compare(const Shapes& shapes, int64_t size, const Evaluate& evaluate) {
  const int64_t unknown_before = unknown_sizes;
  const Outputs first = evaluate(with_size(shapes, size));
  const bool again = has_dynamic(shapes) || unknown_sizes != unknown_before;
  const Outputs second = again ? evaluate(with_size(shapes, 2 * size)) : first;
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

/// `message` with "?" for the numbers in `stand_ins`: "[5040, 784]" becomes "[?, 784]".
std::string hide(const std::set<int64_t>& stand_ins, std::string_view message) {
  std::string text;
  while (!message.empty()) {
    const size_t digits = std::min(message.find_first_of("0123456789"), message.size());
    text += message.substr(0, digits);
    message.remove_prefix(digits);
    const std::string_view number =
        message.substr(0, std::min(message.find_first_not_of("0123456789"), message.size()));
    const bool hidden =
        std::ranges::any_of(stand_ins, [&](int64_t stand_in) { return number == std::to_string(stand_in); });
    text += hidden ? "?" : number;
    message.remove_prefix(number.size());
  }
  return text;
}

/// The positive integers among the arguments: sizes, counts, windows.
std::set<int64_t> numbers_in(const std::vector<Argument>& arguments) {
  std::set<int64_t> numbers;
  for (const Argument& argument : arguments) {
    const c10::IValue& value = argument.constant;
    if (value.isInt()) numbers.insert(value.toInt());
    if (!value.isIntList()) continue;
    for (int64_t number : value.toIntVector()) numbers.insert(number);
  }
  std::erase_if(numbers, [](int64_t number) { return number < 1 || number > (int64_t{1} << 32); });
  return numbers;
}

/// Infers outputs from evaluations. Most operators take the test size for every dynamic dimension. Where one
/// refuses, it may want a size that its numbers divide, or that is beyond them (split in 32, a slice up to
/// 6000); or some of the dimensions have to equal a static size (x[?] + y[12]): as few as possible are bound
/// to one then, and the others stay dynamic.
class Inference {
 public:
  Inference(const std::vector<Tensor>& inputs, const std::vector<Argument>& arguments, const TestSize& test,
            Evaluate evaluate)
      : inputs_(inputs), arguments_(arguments), test_(test), evaluate_(std::move(evaluate)) {
    for (const Tensor& input : inputs) shapes_.push_back(input.shape());
  }

  std::vector<Node::Output> run() {
    int64_t size = test_.size;
    while (size > 16 && !fits(shapes_, 2 * size, test_)) size /= 2;
    try {
      return compare(shapes_, size, evaluate_);
    } catch (const c10::NotImplementedError&) {
      throw;
    } catch (const c10::Error& e) {
      prepare_search(size);
      for (size_t bound = 0; bound <= unknowns_.size(); ++bound) {
        if (auto outputs = search(0, bound)) return *outputs;
      }
      std::set<int64_t> stand_ins = {size, 2 * size};
      for (int64_t known : candidates_) stand_ins.erase(known);
      throw UsageError(
          hide(has_dynamic(shapes_) ? stand_ins : std::set<int64_t>(), e.what_without_backtrace()));
    }
  }

 private:
  static constexpr int kMaxEvaluations = 2000;

  /// A dynamic dimension of a tensor, in all the places where the operator takes it.
  struct Unknown {
    Tensor tensor;
    size_t dimension;
  };

  void prepare_search(int64_t size) {
    const auto numbers = numbers_in(arguments_);
    candidates_ = numbers;
    std::unordered_set<Tensor> seen;
    for (const Tensor& input : inputs_) {
      for (size_t d = 0; d < input.shape().size(); ++d) {
        if (input.shape()[d] > 0) candidates_.insert(input.shape()[d]);
        if (input.shape()[d] == kDynamic && !seen.contains(input)) unknowns_.push_back({input, d});
      }
      seen.insert(input);
    }
    int64_t divisible = size;
    for (int64_t number : numbers) {
      const double multiple = static_cast<double>(divisible) / std::gcd(divisible, number) * number;
      if (multiple < test_.limit) divisible = std::lcm(divisible, number);
    }
    divisible *= 1 + std::accumulate(numbers.begin(), numbers.end(), int64_t{0}) / divisible;
    test_sizes_ = {size};
    if (divisible != size && fits(shapes_, 2 * divisible, test_)) test_sizes_.push_back(divisible);
  }

  /// Tries every way to bind `count` of the dynamic dimensions from `first` on.
  std::optional<std::vector<Node::Output>> search(size_t first, size_t count) {
    if (count == 0) return attempt();
    for (size_t i = first; i + count <= unknowns_.size(); ++i) {
      for (int64_t size : candidates_) {
        bind(unknowns_[i], size);
        if (auto outputs = search(i + 1, count - 1)) return outputs;
      }
      bind(unknowns_[i], kDynamic);
    }
    return {};
  }

  std::optional<std::vector<Node::Output>> attempt() {
    for (int64_t size : test_sizes_) {
      if (++evaluations_ > kMaxEvaluations) return {};
      try {
        return compare(shapes_, size, evaluate_);
      } catch (const c10::Error&) {
      } catch (const UsageError&) {
      }
    }
    return {};
  }

  void bind(const Unknown& unknown, int64_t size) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i] == unknown.tensor) shapes_[i][unknown.dimension] = size;
    }
  }

  const std::vector<Tensor>& inputs_;
  const std::vector<Argument>& arguments_;
  const TestSize& test_;
  Evaluate evaluate_;
  Shapes shapes_;  ///< of the inputs, with what is bound
  std::vector<Unknown> unknowns_;
  std::set<int64_t> candidates_;     ///< what a dynamic dimension may have to equal
  std::vector<int64_t> test_sizes_;  ///< for those that are not bound
  int evaluations_ = 0;
};

}  // namespace

int64_t unknown_size() {
  return kMetaTest.size + ++unknown_sizes;
}

std::vector<Node::Output> infer_outputs(const c10::OperatorHandle& op, const std::vector<Argument>& arguments,
                                        const std::vector<Tensor>& inputs) {
  const std::string& name = op.operator_name().name;
  const auto infer = [&](c10::Device device, const TestSize& test, auto&& evaluate) {
    return Inference(inputs, arguments, test,
                     [&](const Shapes& shapes) {
                       return evaluate(make_stack(op.schema(), arguments, inputs, device, shapes));
                     })
        .run();
  };
  const auto call_op = [&](c10::Stack stack) { return call(op, std::move(stack)); };
  // Operators found to have no kernel for meta tensors, so that each of them fails slowly only once.
  thread_local std::set<std::string> without_meta;

  std::vector<Node::Output> outputs;
  try {
    const std::string full_name = c10::toString(op.operator_name());
    if (internal::is_reshape(full_name)) {
      outputs = {
          {inputs[0].dtype(), internal::reshaped(inputs[0].shape(), arguments[1].constant.toIntVector())}};
    } else if (auto rule = internal::find_shape_rule(name)) {
      outputs = infer(c10::kMeta, kMetaTest, rule);
    } else {
      if (!without_meta.contains(full_name)) {
        try {
          outputs = infer(c10::kMeta, kMetaTest, call_op);
        } catch (const c10::NotImplementedError&) {
          without_meta.insert(full_name);
        }
      }
      if (without_meta.contains(full_name)) outputs = infer(c10::kCPU, kCpuTest, call_op);
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
