#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <torch/library.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "belfry/graph/shape_inference.h"

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

std::vector<int64_t> to_vector(const Tensor& shape) {
  const Tensor sizes = shape.to(at::kCPU, at::kLong).contiguous();
  return {sizes.data_ptr<int64_t>(), sizes.data_ptr<int64_t>() + sizes.numel()};
}

void check_shape_tensor(const Tensor& shape, IntArrayRef static_shape) {
  TORCH_CHECK(shape.dim() == 1 && at::isIntegralType(shape.scalar_type(), /*includeBool=*/false),
              "expected a shape that is a list of integers, got ", shape.scalar_type(), " ", shape.sizes());
  TORCH_CHECK(static_shape.empty() || static_cast<int64_t>(static_shape.size()) == shape.size(0),
              "expected a static shape of ", shape.size(0), " sizes, got ", static_shape);
}

Tensor reshape(const Tensor& x, const Tensor& shape, IntArrayRef static_shape) {
  check_shape_tensor(shape, static_shape);
  const Tensor result = x.reshape(to_vector(shape));
  for (size_t i = 0; i < static_shape.size(); ++i) {
    TORCH_CHECK(static_shape[i] < 0 || static_shape[i] == result.size(static_cast<int64_t>(i)),
                "expected a result of the static shape ", static_shape, ", got ", result.sizes());
  }
  return result;
}

Tensor reshape_meta(const Tensor& x, const Tensor& shape, IntArrayRef static_shape) {
  check_shape_tensor(shape, static_shape);
  std::vector<int64_t> sizes = static_shape.vec();
  if (sizes.empty()) sizes.assign(static_cast<size_t>(shape.size(0)), -1);
  for (int64_t& size : sizes) size = size < 0 ? unknown_size() : size;
  return at::empty(sizes, x.options());
}

std::vector<Tensor> split(const Tensor& x, int64_t count, int64_t axis) {
  TORCH_CHECK(count > 0 && x.size(axis) % count == 0, "expected a size that ", count, " parts divide, got ",
              x.size(axis));
  return x.split(x.size(axis) / count, axis);
}

Tensor slice(const Tensor& x, IntArrayRef begin, IntArrayRef size) {
  TORCH_CHECK(static_cast<int64_t>(begin.size()) == x.dim() && begin.size() == size.size(), "expected ",
              x.dim(), " begins and sizes, got ", begin.size(), " and ", size.size());
  Tensor result = x;
  for (int64_t axis = 0; axis < x.dim(); ++axis) {
    const int64_t length = size[axis] == -1 ? x.size(axis) - begin[axis] : size[axis];
    TORCH_CHECK(begin[axis] >= 0 && length >= 0 && begin[axis] + length <= x.size(axis),
                "expected a slice inside of ", x.sizes(), ", got begin ", begin, " and size ", size);
    if (length != x.size(axis)) result = result.narrow(axis, begin[axis], length);
  }
  return result;
}

std::vector<int64_t> gathered_sizes(const Tensor& x, const Tensor& indices, int64_t axis) {
  TORCH_CHECK(at::isIntegralType(indices.scalar_type(), /*includeBool=*/false),
              "expected integer indices, got ", indices.scalar_type());
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
    const int64_t most = mode == "reflect" ? x.size(i / 2) - 1 : x.size(i / 2);
    TORCH_CHECK(paddings[i] >= 0 && (mode == "constant" || paddings[i] <= most), "expected paddings from 0",
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

Tensor pad_meta(const Tensor& x, IntArrayRef paddings, std::string_view mode, double) {
  check_pad(x, paddings, mode);
  std::vector<int64_t> sizes = x.sizes().vec();
  for (size_t i = 0; i < sizes.size(); ++i) sizes[i] += paddings[2 * i] + paddings[2 * i + 1];
  return at::empty(sizes, x.options());
}

Tensor one_hot(const Tensor& indices, int64_t depth, at::ScalarType dtype) {
  TORCH_CHECK(at::isIntegralType(indices.scalar_type(), /*includeBool=*/false),
              "expected integer indices, got ", indices.scalar_type());
  TORCH_CHECK(depth > 0, "expected a positive depth, got ", depth);
  return indices.unsqueeze(-1).eq(at::arange(depth, indices.options())).to(dtype);
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
  m.def("reshape(Tensor x, Tensor shape, *, int[] static_shape=[]) -> Tensor", reshape);
  m.def("split(Tensor x, *, int count, int axis) -> Tensor[]", split);
  m.def("slice(Tensor x, *, int[] begin, int[] size) -> Tensor", slice);
  m.def("gather(Tensor x, Tensor indices, *, int axis=0) -> Tensor", gather);
  m.def("boolean_mask(Tensor x, Tensor mask) -> Tensor", boolean_mask);
  m.def("pad(Tensor x, *, int[] paddings, str mode='constant', float value=0) -> Tensor", pad);
  m.def("one_hot(Tensor indices, *, int depth, ScalarType dtype) -> Tensor", one_hot);
  m.def("range(Tensor limit) -> Tensor", range);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("shape", shape_meta);
  m.impl("size", size_meta);
  m.impl("reshape", reshape_meta);
  m.impl("gather", gather_meta);
  m.impl("boolean_mask", boolean_mask_meta);
  m.impl("pad", pad_meta);
  m.impl("range", range_meta);
}

}  // namespace belfry
