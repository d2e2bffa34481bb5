#include "belfry/graph/internal/shape_rules.h"

#include <ATen/ExpandUtils.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/WrapDimUtilsMulti.h>
#include <ATen/core/Reduction.h>
#include <ATen/native/TypeProperties.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/result_type.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "belfry/base/error.h"
#include "belfry/graph/shape_inference.h"

// The operators of ATen whose kernel for tensors without data is Python's, so that C++ has none: one rule
// each, found by name, which computes the shapes as ATen's kernel documents them.

namespace belfry::internal {
namespace {

using at::IntArrayRef;
using at::Tensor;
using c10::Stack;
using Outputs = std::vector<Tensor>;
using Sizes = std::vector<int64_t>;

Tensor meta(IntArrayRef sizes, at::ScalarType dtype) {
  return at::empty(sizes, at::TensorOptions().dtype(dtype).device(at::kMeta));
}

Tensor tensor(const Stack& arguments, size_t index) {
  return arguments[index].toTensor();
}
bool has_tensor(const Stack& arguments, size_t index) {
  return arguments.size() > index && arguments[index].isTensor() && arguments[index].toTensor().defined();
}

/// A list of `count` numbers, of which one may be given for all.
Sizes numbers(const c10::IValue& value, size_t count) {
  if (value.isInt()) return Sizes(count, value.toInt());
  Sizes list = value.toIntVector();
  if (list.size() == 1) list.resize(count, list[0]);
  TORCH_CHECK(list.size() == count, "expected ", count, " numbers, got ", list);
  return list;
}

void check_channels(const Stack& arguments, size_t index, int64_t channels, const char* what) {
  if (!has_tensor(arguments, index)) return;
  TORCH_CHECK(tensor(arguments, index).numel() == channels, "expected a ", what, " of ", channels,
              " elements, got ", tensor(arguments, index).sizes());
}

// Convolutions.

struct Convolution {
  Sizes stride, padding, dilation, output_padding;
  bool transposed = false;
  int64_t groups = 1;
};

Outputs convolve(const Stack& arguments, const Convolution& c) {
  const Tensor input = tensor(arguments, 0), weight = tensor(arguments, 1);
  const size_t spatial = c.stride.size();
  const bool batched = input.dim() == static_cast<int64_t>(spatial) + 2;
  TORCH_CHECK(batched || input.dim() == static_cast<int64_t>(spatial) + 1, "expected an input of ",
              spatial + 2, " dimensions, got ", input.sizes());
  TORCH_CHECK(weight.dim() == static_cast<int64_t>(spatial) + 2, "expected a weight of ", spatial + 2,
              " dimensions, got ", weight.sizes());
  const int64_t channels = input.size(batched ? 1 : 0);
  const int64_t wanted = c.transposed ? weight.size(0) : weight.size(1) * c.groups;
  TORCH_CHECK(channels == wanted, "expected an input of ", wanted, " channels for a weight ", weight.sizes(),
              " in ", c.groups, " groups, got ", input.sizes());
  const int64_t out = c.transposed ? weight.size(1) * c.groups : weight.size(0);
  check_channels(arguments, 2, out, "bias");
  Sizes sizes;
  if (batched) sizes.push_back(input.size(0));
  sizes.push_back(out);
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t size = input.size(static_cast<int64_t>(i) + (batched ? 2 : 1));
    const int64_t extent = c.dilation[i] * (weight.size(static_cast<int64_t>(i) + 2) - 1) + 1;
    TORCH_CHECK(c.stride[i] > 0, "expected positive strides, got ", c.stride);
    if (c.transposed) {
      sizes.push_back((size - 1) * c.stride[i] - 2 * c.padding[i] + extent + c.output_padding[i]);
    } else {
      TORCH_CHECK(size + 2 * c.padding[i] >= extent, "expected an input no smaller than the kernel ", extent,
                  ", got ", input.sizes());
      sizes.push_back((size + 2 * c.padding[i] - extent) / c.stride[i] + 1);
    }
  }
  return {meta(sizes, input.scalar_type())};
}

size_t spatial_dimensions(const Stack& arguments) {
  const Tensor weight = tensor(arguments, 1);
  TORCH_CHECK(weight.dim() >= 3, "expected a weight of at least 3 dimensions, got ", weight.sizes());
  return static_cast<size_t>(weight.dim()) - 2;
}

Outputs convolution(const Stack& arguments) {
  const size_t spatial = spatial_dimensions(arguments);
  return convolve(arguments, {.stride = numbers(arguments[3], spatial),
                              .padding = numbers(arguments[4], spatial),
                              .dilation = numbers(arguments[5], spatial),
                              .output_padding = numbers(arguments[7], spatial),
                              .transposed = arguments[6].toBool(),
                              .groups = arguments[8].toInt()});
}

/// conv1d, conv2d, conv3d; their padding may be "same" or "valid".
Outputs convolution_nd(const Stack& arguments) {
  const size_t spatial = spatial_dimensions(arguments);
  Convolution c{.stride = numbers(arguments[3], spatial),
                .padding = Sizes(spatial, 0),
                .dilation = numbers(arguments[5], spatial),
                .output_padding = Sizes(spatial, 0),
                .groups = arguments[6].toInt()};
  if (!arguments[4].isString()) {
    c.padding = numbers(arguments[4], spatial);
    return convolve(arguments, c);
  }
  const std::string padding = arguments[4].toStringRef();
  if (padding == "valid") return convolve(arguments, c);
  TORCH_CHECK(padding == "same", "expected the padding \"same\" or \"valid\", got \"", padding, "\"");
  Sizes sizes = tensor(arguments, 0).sizes().vec();
  sizes[sizes.size() - spatial - 1] = tensor(arguments, 1).size(0);
  return {meta(sizes, tensor(arguments, 0).scalar_type())};
}

// Normalisation.

Outputs batch_norm(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  TORCH_CHECK(x.dim() >= 2, "expected an input of at least 2 dimensions, got ", x.sizes());
  for (size_t i = 1; i < 5; ++i) check_channels(arguments, i, x.size(1), "parameter");
  return {at::empty_like(x)};
}

Outputs native_batch_norm(const Stack& arguments) {
  Outputs outputs = batch_norm(arguments);
  const Tensor x = tensor(arguments, 0);
  const int64_t saved = arguments[5].toBool() ? x.size(1) : 0;
  const auto dtype = has_tensor(arguments, 1) ? tensor(arguments, 1).scalar_type() : x.scalar_type();
  outputs.push_back(meta({saved}, dtype));
  outputs.push_back(meta({saved}, dtype));
  return outputs;
}

Sizes check_normalized(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  const Sizes normalized = arguments[1].toIntVector();
  const auto leading = static_cast<int64_t>(x.dim()) - static_cast<int64_t>(normalized.size());
  TORCH_CHECK(!normalized.empty() && leading >= 0 &&
                  x.sizes().slice(static_cast<size_t>(leading)) == IntArrayRef(normalized),
              "expected an input that ends in ", normalized, ", got ", x.sizes());
  for (size_t i = 2; i < 4; ++i) {
    TORCH_CHECK(!has_tensor(arguments, i) || tensor(arguments, i).sizes() == IntArrayRef(normalized),
                "expected a parameter ", normalized, ", got ", tensor(arguments, i).sizes());
  }
  return x.sizes().slice(0, static_cast<size_t>(leading)).vec();
}

Outputs layer_norm(const Stack& arguments) {
  check_normalized(arguments);
  return {at::empty_like(tensor(arguments, 0))};
}

Outputs native_layer_norm(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  Sizes statistics = check_normalized(arguments);
  statistics.resize(static_cast<size_t>(x.dim()), 1);
  return {at::empty_like(x), meta(statistics, x.scalar_type()), meta(statistics, x.scalar_type())};
}

Outputs group_norm(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  const int64_t groups = arguments[1].toInt();
  TORCH_CHECK(x.dim() >= 2 && groups > 0 && x.size(1) % groups == 0, "expected channels that ", groups,
              " groups divide, got ", x.sizes());
  check_channels(arguments, 2, x.size(1), "weight");
  check_channels(arguments, 3, x.size(1), "bias");
  return {at::empty_like(x)};
}

Outputs native_group_norm(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  const Sizes statistics = {arguments[3].toInt(), arguments[6].toInt()};
  return {at::empty_like(x), meta(statistics, x.scalar_type()), meta(statistics, x.scalar_type())};
}

// Element by element.

Outputs same_as_input(const Stack& arguments) {
  return {at::empty_like(tensor(arguments, 0))};
}

Outputs absolute(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  return {meta(x.sizes(), c10::toRealValueType(x.scalar_type()))};
}

Outputs relu(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  TORCH_CHECK(x.scalar_type() != at::kBool, "expected numbers, got bool");
  return {at::empty_like(x)};
}

Outputs flip(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  std::vector<bool> seen(static_cast<size_t>(std::max<int64_t>(x.dim(), 1)), false);
  for (int64_t axis : arguments[1].toIntVector()) {
    const auto position = static_cast<size_t>(at::maybe_wrap_dim(axis, x.dim()));
    TORCH_CHECK(!seen[position], "expected each axis once, got ", axis, " twice");
    seen[position] = true;
  }
  return {at::empty_like(x)};
}

Outputs truth_of_each(const Stack& arguments) {
  return {meta(tensor(arguments, 0).sizes(), at::kBool)};
}

Outputs truth_of_both(const Stack& arguments) {
  return {meta(at::infer_size(tensor(arguments, 0).sizes(), tensor(arguments, 1).sizes()), at::kBool)};
}

/// l1_loss and huber_loss: (x, target, reduction, …).
Outputs difference_loss(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0), target = tensor(arguments, 1);
  const auto sizes = at::infer_size(x.sizes(), target.sizes());
  const bool reduced = arguments[2].toInt() != at::Reduction::None;
  const auto dtype = at::result_type(x, target);
  TORCH_CHECK(at::isFloatingType(dtype), "expected a floating-point tensor, got ", x.scalar_type(), " and ",
              target.scalar_type());
  return {meta(reduced ? IntArrayRef() : IntArrayRef(sizes), dtype)};
}

Outputs native_dropout(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  return {at::empty_like(x), meta(x.sizes(), at::kBool)};
}

Outputs where(const Stack& arguments) {
  const Tensor condition = tensor(arguments, 0);
  TORCH_CHECK(condition.scalar_type() == at::kBool, "expected a bool condition, got ",
              condition.scalar_type());
  if (arguments.size() == 1) {  // where(condition) is nonzero, by dimension
    const int64_t count = unknown_size();
    return Outputs(static_cast<size_t>(std::max<int64_t>(condition.dim(), 1)), meta({count}, at::kLong));
  }
  Sizes sizes = condition.sizes().vec();
  at::native::ResultTypeState state = {};
  for (size_t i = 1; i < 3; ++i) {
    if (arguments[i].isTensor()) {
      sizes = at::infer_size(sizes, tensor(arguments, i).sizes());
      state = at::native::update_result_type_state(tensor(arguments, i), state);
    } else {
      state = at::native::update_result_type_state(arguments[i].toScalar(), state);
    }
  }
  return {meta(sizes, at::native::result_type(state))};
}

Outputs floor_divide(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  TORCH_CHECK(!at::isComplexType(x.scalar_type()), "expected real numbers, got ", x.scalar_type());
  if (!arguments[1].isTensor()) return {meta(x.sizes(), at::result_type(x, arguments[1].toScalar()))};
  const Tensor y = tensor(arguments, 1);
  return {meta(at::infer_size(x.sizes(), y.sizes()), at::result_type(x, y))};
}

Outputs binary_cross_entropy_with_logits(const Stack& arguments) {
  const Tensor logits = tensor(arguments, 0), target = tensor(arguments, 1);
  TORCH_CHECK(logits.sizes() == target.sizes(), "expected labels of the shape of the logits, got ",
              target.sizes(), " and ", logits.sizes());
  const bool reduced = arguments[4].toInt() != at::Reduction::None;
  return {meta(reduced ? IntArrayRef() : logits.sizes(), at::result_type(logits, target))};
}

// Reductions.

Tensor reduced(const Tensor& x, const c10::IValue& axes, bool keep_dims) {
  std::vector<bool> drop(static_cast<size_t>(x.dim()), false);
  Sizes list = axes.isNone() ? Sizes() : axes.isInt() ? Sizes{axes.toInt()} : axes.toIntVector();
  if (list.empty()) drop.assign(drop.size(), true);
  for (int64_t axis : list) {
    const auto position = static_cast<size_t>(at::maybe_wrap_dim(axis, x.dim()));
    if (position < drop.size()) drop[position] = true;  // a scalar has no dimension, but an axis 0
  }
  Sizes sizes;
  for (size_t i = 0; i < drop.size(); ++i) {
    if (!drop[i]) sizes.push_back(x.size(static_cast<int64_t>(i)));
    if (drop[i] && keep_dims) sizes.push_back(1);
  }
  return meta(sizes, x.scalar_type());
}

/// std, var, and with `outputs` of 2 std_mean and var_mean, in all their overloads:
/// (x, unbiased), (x, dim, unbiased, keepdim) and (x, dim, *, correction, keepdim).
template <size_t outputs>
Outputs variance(const Stack& arguments) {
  const bool by_axes = arguments.size() == 4;
  const Tensor x = tensor(arguments, 0);
  TORCH_CHECK(at::isFloatingType(x.scalar_type()) || at::isComplexType(x.scalar_type()),
              "expected a floating-point input, got ", x.scalar_type());
  return Outputs(outputs,
                 reduced(x, by_axes ? arguments[1] : c10::IValue(), by_axes && arguments[3].toBool()));
}

Outputs logsumexp(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  const Tensor result = reduced(x, arguments[1], arguments[2].toBool());
  return {at::isIntegralType(x.scalar_type(), /*includeBool=*/true) ? result.to(at::kFloat) : result};
}

Outputs bincount(const Stack& arguments) {
  TORCH_CHECK(tensor(arguments, 0).dim() == 1, "expected a list, got ", tensor(arguments, 0).sizes());
  const bool weighted = has_tensor(arguments, 1);
  const bool single = weighted && tensor(arguments, 1).scalar_type() == at::kFloat;
  return {meta({unknown_size()}, single ? at::kFloat : weighted ? at::kDouble : at::kLong)};
}

// Sizes that values decide.

Outputs nonzero(const Stack& arguments) {
  return {meta({unknown_size(), tensor(arguments, 0).dim()}, at::kLong)};
}

Outputs masked_select(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0), mask = tensor(arguments, 1);
  TORCH_CHECK(mask.scalar_type() == at::kBool, "expected a bool mask, got ", mask.scalar_type());
  at::infer_size(x.sizes(), mask.sizes());
  return {meta({unknown_size()}, x.scalar_type())};
}

// Makers.

/// rand and randn, in all their overloads that end in (dtype, layout, device, pin_memory).
Outputs random_numbers(const Stack& arguments) {
  const c10::IValue& dtype = arguments[arguments.size() - 4];
  return {meta(arguments[0].toIntVector(), dtype.isNone() ? at::kFloat : dtype.toScalarType())};
}

// Picking.

Outputs index_select(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0), index = tensor(arguments, 2);
  TORCH_CHECK(index.dim() <= 1, "expected a list of indices, got ", index.sizes());
  Sizes sizes = x.sizes().vec();
  if (!sizes.empty())
    sizes[static_cast<size_t>(at::maybe_wrap_dim(arguments[1].toInt(), x.dim()))] = index.numel();
  return {meta(sizes, x.scalar_type())};
}

Outputs embedding(const Stack& arguments) {
  const Tensor table = tensor(arguments, 0), ids = tensor(arguments, 1);
  TORCH_CHECK(table.dim() == 2, "expected a table [V, D], got ", table.sizes());
  TORCH_CHECK(at::isIntegralType(ids.scalar_type(), /*includeBool=*/false), "expected integer ids, got ",
              ids.scalar_type());
  Sizes sizes = ids.sizes().vec();
  sizes.push_back(table.size(1));
  return {meta(sizes, table.scalar_type())};
}

Outputs multinomial(const Stack& arguments) {
  const Tensor weights = tensor(arguments, 0);
  TORCH_CHECK(weights.dim() == 1 || weights.dim() == 2, "expected weights [C] or [N, C], got ",
              weights.sizes());
  Sizes sizes = weights.sizes().vec();
  sizes.back() = arguments[1].toInt();
  return {meta(sizes, at::kLong)};
}

Outputs scaled_dot_product_attention(const Stack& arguments) {
  const Tensor query = tensor(arguments, 0), key = tensor(arguments, 1), value = tensor(arguments, 2);
  TORCH_CHECK(query.dim() >= 2 && key.dim() >= 2 && value.dim() >= 2, "expected [..., time, size], got ",
              query.sizes(), ", ", key.sizes(), " and ", value.sizes());
  TORCH_CHECK(query.size(-1) == key.size(-1) && key.size(-2) == value.size(-2),
              "expected keys of the size of the queries and as many values as keys, got ", query.sizes(),
              ", ", key.sizes(), " and ", value.sizes());
  const auto leading = [](const Tensor& x) { return x.sizes().slice(0, static_cast<size_t>(x.dim()) - 2); };
  const bool grouped = arguments.size() > 7 && arguments[7].toBool();
  Sizes sizes = grouped ? leading(query).vec() : at::infer_size(leading(query), leading(value));
  sizes.insert(sizes.end(), {query.size(-2), value.size(-1)});
  return {meta(sizes, query.scalar_type())};
}

// Images.

template <size_t spatial>
Outputs reflection_pad(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  const Sizes padding = numbers(arguments[1], 2 * spatial);
  Sizes sizes = x.sizes().vec();
  TORCH_CHECK(sizes.size() == spatial + 1 || sizes.size() == spatial + 2, "expected an input of ",
              spatial + 2, " dimensions, got ", x.sizes());
  for (size_t i = 0; i < spatial; ++i) {
    int64_t& size = sizes[sizes.size() - 1 - i];
    TORCH_CHECK(padding[2 * i] < size && padding[2 * i + 1] < size,
                "expected paddings below the input's sizes ", x.sizes(), ", got ", padding);
    size += padding[2 * i] + padding[2 * i + 1];
  }
  return {meta(sizes, x.scalar_type())};
}

Outputs grid_sampler(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0), grid = tensor(arguments, 1);
  TORCH_CHECK(x.dim() == grid.dim() && (x.dim() == 4 || x.dim() == 5) && grid.size(-1) == x.dim() - 2 &&
                  grid.size(0) == x.size(0),
              "expected an input [N, C, H, W] and a grid [N, h, w, 2] (or 5-D), got ", x.sizes(), " and ",
              grid.sizes());
  Sizes sizes = {x.size(0), x.size(1)};
  for (int64_t i = 1; i < grid.dim() - 1; ++i) sizes.push_back(grid.size(i));
  return {meta(sizes, x.scalar_type())};
}

Outputs im2col(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0);
  TORCH_CHECK(x.dim() == 3 || x.dim() == 4, "expected an input [N, C, H, W], got ", x.sizes());
  const Sizes kernel = numbers(arguments[1], 2), dilation = numbers(arguments[2], 2),
              padding = numbers(arguments[3], 2), stride = numbers(arguments[4], 2);
  int64_t blocks = 1;
  for (int64_t i = 0; i < 2; ++i) {
    const int64_t room = x.size(i - 2) + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1;
    TORCH_CHECK(room >= 0, "expected an input no smaller than the kernel ", kernel, ", got ", x.sizes());
    blocks *= room / stride[i] + 1;
  }
  Sizes sizes = {x.size(-3) * kernel[0] * kernel[1], blocks};
  if (x.dim() == 4) sizes.insert(sizes.begin(), x.size(0));
  return {meta(sizes, x.scalar_type())};
}

Outputs tensordot(const Stack& arguments) {
  const Tensor x = tensor(arguments, 0), y = tensor(arguments, 1);
  const Sizes x_axes = arguments[2].toIntVector(), y_axes = arguments[3].toIntVector();
  TORCH_CHECK(x_axes.size() == y_axes.size(), "expected as many axes of each tensor, got ", x_axes, " and ",
              y_axes);
  const auto x_summed = at::dim_list_to_bitset(x_axes, x.dim()),
             y_summed = at::dim_list_to_bitset(y_axes, y.dim());
  for (size_t i = 0; i < x_axes.size(); ++i) {
    const int64_t first = x.size(x_axes[i]), second = y.size(y_axes[i]);
    TORCH_CHECK(first == second || first == 1 || second == 1,
                "contracted dimensions need to match, but first has size ", first, " in dim ", x_axes[i],
                " and second has size ", second, " in dim ", y_axes[i]);
  }
  Sizes sizes;
  for (int64_t axis = 0; axis < x.dim(); ++axis)
    if (!x_summed[static_cast<size_t>(axis)]) sizes.push_back(x.size(axis));
  for (int64_t axis = 0; axis < y.dim(); ++axis)
    if (!y_summed[static_cast<size_t>(axis)]) sizes.push_back(y.size(axis));
  return {meta(sizes, x.scalar_type())};
}

const std::map<std::string_view, ShapeRule> kRules = {
    {"aten::tensordot", tensordot},
    {"aten::convolution", convolution},
    {"aten::conv1d", convolution_nd},
    {"aten::conv2d", convolution_nd},
    {"aten::conv3d", convolution_nd},
    {"aten::batch_norm", batch_norm},
    {"aten::native_batch_norm", native_batch_norm},
    {"aten::layer_norm", layer_norm},
    {"aten::native_layer_norm", native_layer_norm},
    {"aten::group_norm", group_norm},
    {"aten::native_group_norm", native_group_norm},
    {"aten::dropout", same_as_input},
    {"aten::native_dropout", native_dropout},
    {"aten::prelu", same_as_input},
    {"aten::abs", absolute},
    {"aten::relu", relu},
    {"aten::relu6", relu},
    {"aten::hardswish", same_as_input},
    {"aten::log_sigmoid", same_as_input},
    {"aten::flip", flip},
    {"aten::isnan", truth_of_each},
    {"aten::isinf", truth_of_each},
    {"aten::isfinite", truth_of_each},
    {"aten::logical_not", truth_of_each},
    {"aten::logical_and", truth_of_both},
    {"aten::logical_or", truth_of_both},
    {"aten::logical_xor", truth_of_both},
    {"aten::l1_loss", difference_loss},
    {"aten::huber_loss", difference_loss},
    {"aten::where", where},
    {"aten::floor_divide", floor_divide},
    {"aten::nonzero", nonzero},
    {"aten::masked_select", masked_select},
    {"aten::binary_cross_entropy_with_logits", binary_cross_entropy_with_logits},
    {"aten::std", variance<1>},
    {"aten::var", variance<1>},
    {"aten::std_mean", variance<2>},
    {"aten::var_mean", variance<2>},
    {"aten::logsumexp", logsumexp},
    {"aten::bincount", bincount},
    {"aten::rand", random_numbers},
    {"aten::randn", random_numbers},
    {"aten::index_select", index_select},
    {"aten::embedding", embedding},
    {"aten::multinomial", multinomial},
    {"aten::scaled_dot_product_attention", scaled_dot_product_attention},
    {"aten::reflection_pad1d", reflection_pad<1>},
    {"aten::reflection_pad2d", reflection_pad<2>},
    {"aten::reflection_pad3d", reflection_pad<3>},
    {"aten::grid_sampler", grid_sampler},
    {"aten::grid_sampler_2d", grid_sampler},
    {"aten::grid_sampler_3d", grid_sampler},
    {"aten::im2col", im2col},
};

}  // namespace

ShapeRule find_shape_rule(std::string_view op_name) {
  const auto found = kRules.find(op_name);
  return found == kRules.end() ? nullptr : found->second;
}

bool is_reshape(std::string_view full_name) {
  return full_name == "aten::reshape" || full_name == "aten::view" || full_name == "aten::_unsafe_view";
}

namespace {

/// The elements of a shape, but for unknown factors, which are `unknown`; false where they are too many for a
/// number.
bool count_elements(const std::vector<int64_t>& shape, int64_t unknown, int64_t& count) {
  count = 1;
  return std::ranges::all_of(
      shape, [&](int64_t size) { return size == unknown || !__builtin_mul_overflow(count, size, &count); });
}

}  // namespace

Shape reshaped(const Shape& from, const std::vector<int64_t>& to) {
  int64_t given = 1, wanted = 1;
  const bool dynamic = std::ranges::count(from, kDynamic) > 0;
  const bool countable = count_elements(from, kDynamic, given) && count_elements(to, -1, wanted);
  const auto rests = std::ranges::count(to, -1);
  bool fits = countable && rests <= 1 && std::ranges::all_of(to, [](int64_t size) { return size >= -1; });
  if (rests == 1) {
    fits = fits && wanted != 0 && (dynamic || given % wanted == 0);
  } else {
    fits = fits && (given == wanted || (dynamic && given != 0 && wanted % given == 0));
  }
  if (!fits) {
    throw UsageError(
        fmt::format("expected as many elements as {} has, got the shape {}", to_string(from), to));
  }
  Shape result = to;
  std::ranges::replace(result, -1, dynamic ? kDynamic : given / std::max<int64_t>(wanted, 1));
  return result;
}

}  // namespace belfry::internal
