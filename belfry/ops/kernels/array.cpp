#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/util/irange.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <vector>

#include "belfry/graph/shape_inference.h"
#include "belfry/ops/internal/image.h"
#include "belfry/ops/internal/run_time_shape.h"

// TensorFlow's array operators where ATen has none or other rules. Where one has a second kernel, for
// tensors without data, both share a check, so that a wrong shape is refused where the node is built. A size
// that follows from values is unknown_size() there.
namespace belfry {
namespace {

using at::IntArrayRef;
using at::Tensor;

Tensor shape(const Tensor& x) {
  return at::tensor(x.sizes(), at::kLong);
}
Tensor shape_meta(const Tensor& x) {
  return at::empty({x.dim()}, at::TensorOptions().dtype(at::kLong).device(at::kMeta));
}

Tensor size(const Tensor& x) {
  return at::scalar_tensor(x.numel(), at::kLong);
}
Tensor size_meta(const Tensor&) {
  return at::empty({}, at::TensorOptions().dtype(at::kLong).device(at::kMeta));
}

Tensor reshape(const Tensor& x, const Tensor& shape, IntArrayRef known) {
  return internal::check_known_sizes(x.reshape(internal::run_time_sizes(shape, known)), known);
}
Tensor reshape_meta(const Tensor& x, const Tensor& shape, IntArrayRef known) {
  return at::empty(internal::sizes_to_infer(shape, known), x.options());
}

Tensor fill(const Tensor& shape, const at::Scalar& value, at::ScalarType dtype, IntArrayRef known) {
  const auto options = shape.options().dtype(dtype);
  return internal::check_known_sizes(at::full(internal::run_time_sizes(shape, known), value, options), known);
}
Tensor fill_meta(const Tensor& shape, const at::Scalar&, at::ScalarType dtype, IntArrayRef known) {
  return at::empty(internal::sizes_to_infer(shape, known), shape.options().dtype(dtype));
}

std::vector<Tensor> split(const Tensor& x, int64_t count, int64_t axis) {
  TORCH_CHECK(count > 0 && x.size(axis) % count == 0, "expected a size that ", count, " parts divide, got ",
              x.size(axis));
  return x.split_with_sizes(std::vector<int64_t>(static_cast<size_t>(count), x.size(axis) / count), axis);
}

Tensor slice(const Tensor& x, IntArrayRef begin, IntArrayRef size) {
  TORCH_CHECK(static_cast<int64_t>(begin.size()) == x.dim() && begin.size() == size.size(), "expected ",
              x.dim(), " begins and sizes, got ", begin.size(), " and ", size.size());
  Tensor result = x;
  for (int64_t axis = 0; axis < x.dim(); ++axis) {
    const bool begins_inside = begin[axis] >= 0 && begin[axis] <= x.size(axis);
    const int64_t rest = begins_inside ? x.size(axis) - begin[axis] : 0;
    const int64_t length = size[axis] == -1 ? rest : size[axis];
    TORCH_CHECK(begins_inside && length >= 0 && length <= rest, "expected a slice inside of ", x.sizes(),
                ", got begin ", begin, " and size ", size);
    if (length != x.size(axis)) result = result.narrow(axis, begin[axis], length);
  }
  return result;
}

/// A slice of one dimension, as Python's x[begin:end:stride], in the order of `x`: a view, which a negative
/// stride is still to reverse.
Tensor strided_view(const Tensor& x, int64_t axis, int64_t begin, int64_t end, int64_t stride) {
  TORCH_CHECK(stride != 0, "expected strides other than 0");
  const int64_t size = x.size(axis);
  stride = std::clamp(stride, -size - 1, size + 1);  // beyond which it takes one element, as there
  // Positions that a slice may begin and end at; one that runs backwards ends before the first element.
  const int64_t lowest = stride < 0 ? -1 : 0, highest = stride < 0 ? size - 1 : size;
  begin = std::clamp(begin < 0 ? begin + size : begin, lowest, highest);
  end = std::clamp(end < 0 ? end + size : end, lowest, highest);
  if (stride > 0) return x.slice(axis, begin, std::max(begin, end), stride);
  const int64_t count = begin > end ? (begin - end - stride - 1) / -stride : 0;
  if (count == 0) return x.slice(axis, 0, 0);
  return x.slice(axis, begin + (count - 1) * stride, begin + 1, -stride);
}

/// The dimensions that run backwards.
std::vector<int64_t> reversed_axes(IntArrayRef strides) {
  std::vector<int64_t> axes;
  for (size_t i : c10::irange(strides.size())) {
    if (strides[i] < 0) axes.push_back(static_cast<int64_t>(i));
  }
  return axes;
}

Tensor strided_slice_view(const Tensor& x, IntArrayRef begin, IntArrayRef end, IntArrayRef strides) {
  TORCH_CHECK(static_cast<int64_t>(begin.size()) <= x.dim() && begin.size() == end.size() &&
                  begin.size() == strides.size(),
              "expected a begin, end and stride for at most ", x.dim(), " dimensions, got ", begin.size(),
              ", ", end.size(), " and ", strides.size());
  Tensor result = x;
  for (size_t i : c10::irange(begin.size())) {
    result = strided_view(result, static_cast<int64_t>(i), begin[i], end[i], strides[i]);
  }
  return result;
}

Tensor strided_slice(const Tensor& x, IntArrayRef begin, IntArrayRef end, IntArrayRef strides) {
  const Tensor view = strided_slice_view(x, begin, end, strides);
  const auto axes = reversed_axes(strides);
  return axes.empty() || x.is_meta() ? view : view.flip(axes);  // which has no kernel without data
}

Tensor strided_slice_backprop(const Tensor& gradient, IntArrayRef input_size, IntArrayRef begin,
                              IntArrayRef end, IntArrayRef strides) {
  const Tensor result = at::zeros(input_size, gradient.options());
  strided_slice_view(result, begin, end, strides).copy_(gradient.flip(reversed_axes(strides)));
  return result;
}
Tensor strided_slice_backprop_meta(const Tensor& gradient, IntArrayRef input_size, IntArrayRef, IntArrayRef,
                                   IntArrayRef) {
  return at::empty(input_size, gradient.options());
}

/// For `indices` [..., K]: how many leading dimensions of a tensor of `rank` dimensions they index.
int64_t indexed_dimensions(const Tensor& indices, int64_t rank) {
  TORCH_CHECK(at::isIntegralType(indices.scalar_type(), /*includeBool=*/false) && indices.dim() > 0,
              "expected integer indices [..., K], got ", indices.scalar_type(), " ", indices.sizes());
  const int64_t count = indices.size(-1);
  TORCH_CHECK(count > 0 && count <= rank, "expected indices of 1 to ", rank, " dimensions, got ",
              indices.sizes());
  return count;
}

/// The indices as a list by dimension. ATen itself refuses those beyond the end, but counts negative ones
/// from there.
c10::List<std::optional<Tensor>> index_list(const Tensor& indices) {
  if (indices.numel() > 0) {
    const auto lowest = indices.min().item<int64_t>();
    TORCH_CHECK(lowest >= 0, "expected indices of at least 0, got ", lowest);
  }
  c10::List<std::optional<Tensor>> list;
  for (const Tensor& index : indices.to(at::kLong).unbind(-1)) list.push_back(index);
  return list;
}

/// [..., K] and x to [..., rest of x]
std::vector<int64_t> gathered_nd_sizes(const Tensor& indices, IntArrayRef x) {
  const int64_t count = indexed_dimensions(indices, static_cast<int64_t>(x.size()));
  std::vector<int64_t> sizes(indices.sizes().begin(), indices.sizes().end() - 1);
  sizes.insert(sizes.end(), x.begin() + count, x.end());
  return sizes;
}

Tensor gather_nd(const Tensor& x, const Tensor& indices) {
  indexed_dimensions(indices, x.dim());
  return at::index(x, index_list(indices));
}
Tensor gather_nd_meta(const Tensor& x, const Tensor& indices) {
  return at::empty(gathered_nd_sizes(indices, x.sizes()), x.options());
}

void check_updates(const Tensor& indices, const Tensor& updates, IntArrayRef shape) {
  TORCH_CHECK(updates.sizes() == IntArrayRef(gathered_nd_sizes(indices, shape)),
              "expected updates for indices ", indices.sizes(), " and the shape ", shape, ", got ",
              updates.sizes());
}
Tensor scatter_nd(const Tensor& indices, const Tensor& updates, IntArrayRef shape) {
  check_updates(indices, updates, shape);
  return at::index_put(at::zeros(shape, updates.options()), index_list(indices), updates,
                       /*accumulate=*/true);
}
Tensor scatter_nd_meta(const Tensor& indices, const Tensor& updates, IntArrayRef shape) {
  check_updates(indices, updates, shape);
  return at::empty(shape, updates.options());
}

std::vector<int64_t> gathered_sizes(const Tensor& x, const Tensor& indices, int64_t axis) {
  TORCH_CHECK(at::isIntegralType(indices.scalar_type(), /*includeBool=*/false),
              "expected integer indices, got ", indices.scalar_type());
  TORCH_CHECK(x.dim() > 0, "expected a dimension to gather along, got a scalar");
  std::vector<int64_t> sizes = x.sizes().vec();
  const auto at = sizes.erase(sizes.begin() + at::maybe_wrap_dim(axis, x.dim()));
  sizes.insert(at, indices.sizes().begin(), indices.sizes().end());
  return sizes;
}

Tensor gather(const Tensor& x, const Tensor& indices, int64_t axis) {
  const auto sizes = gathered_sizes(x, indices, axis);
  return x.index_select(axis, indices.reshape(-1).to(at::kLong)).reshape(sizes);
}
Tensor gather_meta(const Tensor& x, const Tensor& indices, int64_t axis) {
  return at::empty(gathered_sizes(x, indices, axis), x.options());
}

void check_mask(const Tensor& x, const Tensor& mask) {
  TORCH_CHECK(mask.scalar_type() == at::kBool && mask.dim() > 0 && mask.dim() <= x.dim() &&
                  mask.sizes() == x.sizes().slice(0, static_cast<size_t>(mask.dim())),
              "expected a bool mask over the leading dimensions of ", x.sizes(), ", got ", mask.scalar_type(),
              " ", mask.sizes());
}

Tensor boolean_mask(const Tensor& x, const Tensor& mask) {
  check_mask(x, mask);
  return at::index(x, {mask});
}
Tensor boolean_mask_meta(const Tensor& x, const Tensor& mask) {
  check_mask(x, mask);
  std::vector<int64_t> sizes = x.sizes().slice(static_cast<size_t>(mask.dim())).vec();
  sizes.insert(sizes.begin(), unknown_size());
  return at::empty(sizes, x.options());
}

/// The indices along a dimension of `size` that mirroring at its ends gives. `border` is 1 when the border
/// itself is repeated.
std::vector<int64_t> mirrored(int64_t size, int64_t before, int64_t after, int64_t border) {
  std::vector<int64_t> indices;
  for (int64_t i = -before; i < size + after; ++i) {
    if (i < 0) {
      indices.push_back(-i - border);
    } else {
      indices.push_back(i < size ? i : 2 * size - 2 - i + border);
    }
  }
  return indices;
}

void check_pad(const Tensor& x, IntArrayRef paddings, std::string_view mode) {
  TORCH_CHECK(mode == "constant" || mode == "reflect" || mode == "symmetric",
              "expected the mode \"constant\", \"reflect\" or \"symmetric\", got \"", mode, "\"");
  TORCH_CHECK(static_cast<int64_t>(paddings.size()) == 2 * x.dim(), "expected ", x.dim(),
              " pairs of paddings, got ", paddings.size() / 2);
  for (int64_t i = 0; i < 2 * x.dim(); ++i) {
    constexpr int64_t kMostPadding = std::numeric_limits<int64_t>::max() / 4;  // sizes can be added up
    const int64_t most = mode == "constant"  ? kMostPadding
                         : mode == "reflect" ? x.size(i / 2) - 1
                                             : x.size(i / 2);
    TORCH_CHECK(paddings[i] >= 0 && paddings[i] <= most, "expected paddings from 0",
                mode == "constant" ? "" : " to what can be mirrored", " for an input ", x.sizes(), ", got ",
                paddings);
  }
}

Tensor pad(const Tensor& x, IntArrayRef paddings, std::string_view mode, double value) {
  check_pad(x, paddings, mode);
  if (mode == "constant") {
    std::vector<int64_t> last_first;
    for (int64_t axis = x.dim() - 1; axis >= 0; --axis) {
      last_first.insert(last_first.end(), {paddings[2 * axis], paddings[2 * axis + 1]});
    }
    return at::constant_pad_nd(x, last_first, value);
  }
  Tensor result = x;
  for (int64_t axis = 0; axis < x.dim(); ++axis) {
    const int64_t before = paddings[2 * axis], after = paddings[2 * axis + 1];
    if (before == 0 && after == 0) continue;
    const auto indices = mirrored(x.size(axis), before, after, mode == "symmetric");
    result = result.index_select(axis, at::tensor(indices, x.options().dtype(at::kLong)));
  }
  return result;
}

/// What was mirrored is added to where it came from.
Tensor mirror_pad_backprop(const Tensor& gradient, IntArrayRef paddings, std::string_view mode) {
  const int64_t border = mode == "symmetric" ? 1 : 0;
  Tensor result = gradient;
  for (int64_t axis = 0; axis < gradient.dim(); ++axis) {
    const int64_t before = paddings[2 * axis], after = paddings[2 * axis + 1];
    if (before == 0 && after == 0) continue;
    const int64_t size = gradient.size(axis) - before - after;
    const Tensor inside = result.narrow(axis, before, size).clone();
    inside.narrow(axis, 1 - border, before).add_(result.narrow(axis, 0, before).flip(axis));
    inside.narrow(axis, size - 1 - after + border, after)
        .add_(result.narrow(axis, before + size, after).flip(axis));
    result = inside;
  }
  return result;
}
Tensor mirror_pad_backprop_meta(const Tensor& gradient, IntArrayRef paddings, std::string_view) {
  std::vector<int64_t> sizes = gradient.sizes().vec();
  for (size_t i = 0; i < sizes.size(); ++i) sizes[i] -= paddings[2 * i] + paddings[2 * i + 1];
  return at::empty(sizes, gradient.options());
}

Tensor pad_meta(const Tensor& x, IntArrayRef paddings, std::string_view mode, double) {
  check_pad(x, paddings, mode);
  std::vector<int64_t> sizes = x.sizes().vec();
  for (size_t i = 0; i < sizes.size(); ++i) sizes[i] += paddings[2 * i] + paddings[2 * i + 1];
  return at::empty(sizes, x.options());
}

Tensor one_hot(const Tensor& indices, int64_t depth, at::ScalarType dtype) {
  TORCH_CHECK(at::isIntegralType(indices.scalar_type(), /*includeBool=*/false),
              "expected integer indices, got ", indices.scalar_type());
  TORCH_CHECK(depth >= 0, "expected a depth of at least 0, got ", depth);
  return indices.unsqueeze(-1).eq(at::arange(depth, indices.options())).to(dtype);
}

Tensor sequence_mask(const Tensor& lengths, int64_t max_length, at::ScalarType dtype) {
  TORCH_CHECK(at::isIntegralType(lengths.scalar_type(), /*includeBool=*/false),
              "expected integer lengths, got ", lengths.scalar_type());
  return at::arange(max_length, lengths.options()).lt(lengths.unsqueeze(-1)).to(dtype);
}

/// As TensorFlow's, which knows no blocks of one pixel.
void check_block(int64_t block) {
  constexpr int64_t kMostRows = 1 << 16;  // the square of a block fits an integer
  TORCH_CHECK(block >= 2 && block <= kMostRows, "expected blocks of 2 to ", kMostRows,
              " rows and columns, got ", block);
}

Tensor space_to_depth(const Tensor& x, int64_t block, std::string_view data_format) {
  const Tensor image = internal::as_nchw(x, data_format);
  check_block(block);
  TORCH_CHECK(image.size(2) % block == 0 && image.size(3) % block == 0,
              "expected a height and width that blocks of ", block, " divide, got ", x.sizes());
  const int64_t height = image.size(2) / block, width = image.size(3) / block;
  // [N, C, rows, row of the block, columns, column of the block]
  const Tensor blocks = image.reshape({x.size(0), image.size(1), height, block, width, block});
  const Tensor y = internal::is_nhwc(data_format) ? blocks.permute({0, 2, 4, 3, 5, 1}).flatten(3)
                                                  : blocks.permute({0, 3, 5, 1, 2, 4}).flatten(1, 3);
  return y.contiguous();
}

Tensor depth_to_space(const Tensor& x, int64_t block, std::string_view data_format) {
  const Tensor image = internal::as_nchw(x, data_format);
  check_block(block);
  TORCH_CHECK(image.size(1) % (block * block) == 0, "expected channels that blocks of ", block, " x ", block,
              " divide, got ", x.sizes());
  const int64_t height = image.size(2), width = image.size(3), channels = image.size(1) / (block * block);
  const Tensor blocks = image.reshape({x.size(0), block, block, channels, height, width});
  return internal::is_nhwc(data_format) ? blocks.permute({0, 4, 1, 5, 2, 3})
                                              .reshape({x.size(0), height * block, width * block, channels})
                                        : blocks.permute({0, 3, 4, 1, 5, 2})
                                              .reshape({x.size(0), channels, height * block, width * block});
}

void check_limit(const Tensor& limit) {
  TORCH_CHECK(limit.dim() == 0 && at::isIntegralType(limit.scalar_type(), /*includeBool=*/false),
              "expected an integer scalar, got ", limit.scalar_type(), " ", limit.sizes());
}
Tensor range(const Tensor& limit) {
  check_limit(limit);
  return at::arange(limit.item<int64_t>(), limit.options().dtype(at::kLong));
}
Tensor range_meta(const Tensor& limit) {
  check_limit(limit);
  return at::empty({unknown_size()}, limit.options().dtype(at::kLong));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("shape(Tensor x) -> Tensor", shape);
  m.def("size(Tensor x) -> Tensor", size);
  m.def("reshape(Tensor x, Tensor shape, *, int[] known=[]) -> Tensor", reshape);
  m.def("split(Tensor x, *, int count, int axis) -> Tensor[]", split);
  m.def("slice(Tensor x, *, int[] begin, int[] size) -> Tensor", slice);
  m.def("strided_slice(Tensor x, *, int[] begin, int[] end, int[] strides) -> Tensor", strided_slice);
  m.def(
      "strided_slice_backprop(Tensor gradient, *, int[] input_size, int[] begin, int[] end, int[] strides) "
      "-> "
      "Tensor",
      strided_slice_backprop);
  m.def("mirror_pad_backprop(Tensor gradient, *, int[] paddings, str mode) -> Tensor", mirror_pad_backprop);
  m.def("gather_nd(Tensor x, Tensor indices) -> Tensor", gather_nd);
  m.def("scatter_nd(Tensor indices, Tensor updates, *, int[] shape) -> Tensor", scatter_nd);
  m.def("sequence_mask(Tensor lengths, *, int max_length, ScalarType dtype) -> Tensor", sequence_mask);
  m.def("fill(Tensor shape, *, Scalar value, ScalarType dtype, int[] known=[]) -> Tensor", fill);
  m.def("gather(Tensor x, Tensor indices, *, int axis=0) -> Tensor", gather);
  m.def("boolean_mask(Tensor x, Tensor mask) -> Tensor", boolean_mask);
  m.def("pad(Tensor x, *, int[] paddings, str mode='constant', float value=0) -> Tensor", pad);
  m.def("one_hot(Tensor indices, *, int depth, ScalarType dtype) -> Tensor", one_hot);
  m.def("space_to_depth(Tensor x, *, int block, str data_format='NHWC') -> Tensor", space_to_depth);
  m.def("depth_to_space(Tensor x, *, int block, str data_format='NHWC') -> Tensor", depth_to_space);
  m.def("range(Tensor limit) -> Tensor", range);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("strided_slice_backprop", strided_slice_backprop_meta);
  m.impl("mirror_pad_backprop", mirror_pad_backprop_meta);
  m.impl("shape", shape_meta);
  m.impl("size", size_meta);
  m.impl("reshape", reshape_meta);
  m.impl("gather", gather_meta);
  m.impl("gather_nd", gather_nd_meta);
  m.impl("scatter_nd", scatter_nd_meta);
  m.impl("fill", fill_meta);
  m.impl("boolean_mask", boolean_mask_meta);
  m.impl("pad", pad_meta);
  m.impl("range", range_meta);
}

}  // namespace belfry
