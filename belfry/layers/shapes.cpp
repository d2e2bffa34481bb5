#include "belfry/layers/shapes.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/layers/options.h"
#include "belfry/ops/array.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

/// 1 at the top left, else 0.
Tensor first_pixel(const Size2D& size, DType dtype) {
  const at::Tensor matrix = at::zeros({size.height, size.width}, dtype);
  matrix.select(0, 0).select(0, 0).fill_(1);
  return constant(matrix, "unpool_mat");
}

/// `x` with dimensions `first` and `first + 2` merged with those after them, which are `size`.
Tensor merged(const Tensor& x, const Tensor& source, int64_t height_axis, const Size2D& size) {
  Shape known = source.shape();
  std::vector<int64_t> factors(known.size(), 1);
  factors[static_cast<size_t>(height_axis)] = size.height;
  factors[static_cast<size_t>(height_axis) + 1] = size.width;
  for (size_t i = 0; i < known.size(); ++i)
    known[i] = known[i] == kDynamic ? kDynamic : known[i] * factors[i];
  const auto unknown = std::ranges::count(known, kDynamic);
  if (unknown == 0) return reshape(x, known);
  if (unknown == 1) {
    Shape sizes = known;
    std::ranges::replace(sizes, kDynamic, -1);
    return reshape(x, sizes);
  }
  return reshape(x, RunTimeShape(shape(source) * constant(factors), known));
}

}  // namespace

Tensor detail::build_fixed_unpooling(const std::string& who, const Tensor& x,
                                     const FixedUnPoolingOptions& options) {
  const Size2D size = required_option(who, "shape", options.shape);
  const std::string data_format = data_format_for_ops(who, *options.data_format);
  if (x.rank() != 4)
    throw UsageError(fmt::format("[{}] expected images of 4 dimensions, got {}", who, describe(x)));
  if (size.height < 1 || size.width < 1) {
    throw UsageError(
        fmt::format("[{}] expected a positive .shape, got {} x {}", who, size.height, size.width));
  }
  const Tensor matrix = options.unpool_mat ? *options.unpool_mat : first_pixel(size, x.dtype());
  if (matrix.shape() != Shape{size.height, size.width} || matrix.dtype() != x.dtype()) {
    throw UsageError(fmt::format("[{}] expected an .unpool_mat [{}, {}] of {}, got {}", who, size.height,
                                 size.width, to_string(x.dtype()), describe(matrix)));
  }
  const int64_t height = data_format == "NHWC" ? 1 : 2;
  const Tensor pixels = expand_dims(expand_dims(x, height + 1), height + 3);
  Shape places(6, 1);
  places[static_cast<size_t>(height) + 1] = size.height;
  places[static_cast<size_t>(height) + 3] = size.width;
  return merged(pixels * reshape(matrix, places), x, height, size);
}

LayerCall ConcatWith(std::vector<Tensor> tensors, int64_t axis) {
  return [tensors = std::move(tensors), axis](const Tensor& x) {
    std::vector<Tensor> all = {x};
    all.insert(all.end(), tensors.begin(), tensors.end());
    return concat(all, axis);
  };
}

}  // namespace belfry
