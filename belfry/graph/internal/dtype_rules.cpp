#include "belfry/graph/internal/dtype_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string_view>

#include "belfry/base/error.h"

// ATen's kernels for tensors without data take dtypes that those with data refuse. A row says what an
// operator takes, so that the line that builds the node has the error and not the first run. An operator
// without a row takes what its trial takes.
namespace belfry::internal {
namespace {

/// What the first tensor of an operator may be.
enum class Takes { kAll, kNumbers, kFloats, kFloatsAndInt64, kFloatsAndUInt8 };

bool takes(Takes what, DType dtype) {
  if (c10::isFloatingType(dtype) || c10::isComplexType(dtype)) return true;
  switch (what) {
    case Takes::kAll:
      return true;
    case Takes::kNumbers:
      return dtype != kBool;
    case Takes::kFloats:
      return false;
    case Takes::kFloatsAndInt64:
      return dtype == kInt64;
    case Takes::kFloatsAndUInt8:
      return dtype == kUInt8;
  }
  return true;
}

const char* describe(Takes what) {
  switch (what) {
    case Takes::kAll:
      return "any dtype";
    case Takes::kNumbers:
      return "numbers";
    case Takes::kFloats:
      return "floating-point numbers";
    case Takes::kFloatsAndInt64:
      return "floating-point numbers or int64";
    case Takes::kFloatsAndUInt8:
      return "floating-point numbers or uint8";
  }
  return "";
}

struct Rule {
  Takes first = Takes::kAll;
  /// How many of the leading tensor arguments must have one dtype; a list counts as one, and all its members
  /// must have it.
  size_t same = 0;
  /// Instead of `first`, where an argument "dilations" holds more than ones.
  Takes dilated = Takes::kAll;
};

/// What ATen's kernels take. tests/graph/dtypes_test.cpp holds it to them for every typed function.
const std::map<std::string_view, Rule> kRules = {
    // Products.
    {"aten::matmul", {.first = Takes::kNumbers, .same = 2}},
    {"aten::mm", {.first = Takes::kNumbers, .same = 2}},
    {"aten::bmm", {.first = Takes::kNumbers, .same = 2}},
    {"aten::mv", {.first = Takes::kNumbers, .same = 2}},
    {"aten::dot", {.first = Takes::kNumbers, .same = 2}},
    {"aten::addmm", {.first = Takes::kNumbers, .same = 3}},
    {"aten::addmv", {.first = Takes::kNumbers, .same = 3}},
    {"aten::addbmm", {.first = Takes::kNumbers, .same = 3}},
    {"aten::baddbmm", {.first = Takes::kNumbers, .same = 3}},
    {"aten::linear", {.first = Takes::kNumbers, .same = 3}},
    {"aten::einsum", {.first = Takes::kNumbers, .same = 1}},
    {"aten::tensordot", {.first = Takes::kNumbers, .same = 2}},
    {"aten::scaled_dot_product_attention", {.first = Takes::kFloats, .same = 3}},
    // Convolutions.
    {"aten::convolution", {.first = Takes::kNumbers, .same = 3}},
    {"aten::conv1d", {.first = Takes::kNumbers, .same = 3}},
    {"aten::conv2d", {.first = Takes::kNumbers, .same = 3}},
    {"aten::conv3d", {.first = Takes::kNumbers, .same = 3}},
    {"belfry::conv2d", {.first = Takes::kNumbers, .same = 3, .dilated = Takes::kFloatsAndInt64}},
    {"belfry::depthwise_conv2d", {.first = Takes::kNumbers, .same = 2, .dilated = Takes::kFloatsAndInt64}},
    {"belfry::conv2d_transpose", {.first = Takes::kFloatsAndInt64, .same = 3}},
    // Images.
    {"belfry::max_pool2d", {.first = Takes::kNumbers}},
    {"belfry::avg_pool2d", {.first = Takes::kFloatsAndInt64}},
    {"belfry::resize", {.first = Takes::kFloatsAndUInt8}},
    // Normalisation. Scale and offset may be float32 where the input is smaller.
    {"belfry::batch_norm_training", {.first = Takes::kFloats}},
    {"belfry::batch_norm", {.first = Takes::kFloats}},
    {"aten::layer_norm", {.first = Takes::kFloats}},
    {"belfry::group_norm", {.first = Takes::kFloats}},
    {"aten::softmax", {.first = Takes::kFloats}},
    {"aten::log_softmax", {.first = Takes::kFloats}},
    // Element by element.
    {"aten::gelu", {.first = Takes::kFloats}},
    {"aten::silu", {.first = Takes::kFloats}},
    {"aten::elu", {.first = Takes::kFloats}},
    {"aten::selu", {.first = Takes::kFloats}},
    {"aten::softplus", {.first = Takes::kFloats}},
    {"aten::leaky_relu", {.first = Takes::kFloats}},
    {"aten::hardswish", {.first = Takes::kFloats}},
    {"aten::log_sigmoid", {.first = Takes::kFloats}},
    {"aten::abs", {.first = Takes::kNumbers}},
    {"belfry::softsign", {.first = Takes::kNumbers}},
    {"aten::floor", {.first = Takes::kNumbers}},
    {"aten::ceil", {.first = Takes::kNumbers}},
    {"aten::round", {.first = Takes::kNumbers}},
    {"aten::pow", {.first = Takes::kNumbers}},
    {"aten::remainder", {.first = Takes::kNumbers}},
    {"aten::floor_divide", {.first = Takes::kNumbers}},
    // Losses.
    {"belfry::sparse_softmax_cross_entropy", {.first = Takes::kFloats}},
    {"belfry::softmax_cross_entropy", {.first = Takes::kFloats}},
    {"aten::binary_cross_entropy_with_logits", {.first = Takes::kFloats, .same = 2}},
    {"aten::mse_loss", {.first = Takes::kFloats}},
    {"aten::huber_loss", {.first = Takes::kFloats, .same = 2}},
    // Random numbers.
    {"belfry::random_normal_like", {.first = Takes::kFloats}},
    {"belfry::random_categorical", {.first = Takes::kFloats}},
};

/// The inputs of the leading `count` tensor arguments, those left out not counted as inputs.
std::vector<Tensor> leading(size_t count, const std::vector<Argument>& arguments,
                            const std::vector<Tensor>& inputs) {
  std::vector<Tensor> result;
  for (const Argument& argument : arguments) {
    const bool none = argument.kind == Argument::Kind::kConstant && argument.constant.isNone();
    if (argument.inputs.empty() && !none) continue;
    if (count-- == 0) break;
    for (int index : argument.inputs) {
      if (index >= 0) result.push_back(inputs[static_cast<size_t>(index)]);
    }
  }
  return result;
}

void check_same(const std::vector<Tensor>& tensors) {
  for (const Tensor& tensor : tensors) {
    if (tensor.dtype() == tensors[0].dtype()) continue;
    throw UsageError(fmt::format("expected tensors of one dtype, got {} and {}: cast one of them",
                                 to_string(tensors[0].dtype()), to_string(tensor.dtype())));
  }
}

bool is_dilated(const c10::OperatorHandle& op, const std::vector<Argument>& arguments) {
  const auto index = op.schema().argumentIndexWithName("dilations");
  if (!index || !arguments[static_cast<size_t>(*index)].constant.isIntList()) return false;
  const auto dilations = arguments[static_cast<size_t>(*index)].constant.toIntVector();
  return std::ranges::any_of(dilations, [](int64_t dilation) { return dilation > 1; });
}

}  // namespace

void check_dtypes(const c10::OperatorHandle& op, const std::vector<Argument>& arguments,
                  const std::vector<Tensor>& inputs) {
  const auto found = kRules.find(op.operator_name().name);
  if (found == kRules.end() || inputs.empty()) return;
  const Rule& rule = found->second;
  check_same(leading(rule.same, arguments, inputs));
  const bool dilated = rule.dilated != Takes::kAll && is_dilated(op, arguments);
  const Takes first = dilated ? rule.dilated : rule.first;
  if (!takes(first, inputs[0].dtype())) {
    throw UsageError(fmt::format("expected {}{}, got {}: cast it first", describe(first),
                                 dilated ? " for a dilated convolution" : "", to_string(inputs[0].dtype())));
  }
}

}  // namespace belfry::internal
