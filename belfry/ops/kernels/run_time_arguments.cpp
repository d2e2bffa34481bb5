#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <limits>
#include <string_view>
#include <tuple>
#include <vector>

#include "belfry/graph/shape_inference.h"
#include "belfry/ops/internal/known_integers.h"
#include "belfry/ops/internal/run_time_shape.h"

// Operators of array.cpp, order.cpp and math.cpp whose places, sizes and counts are tensors. Each reads the
// numbers and calls the operator that takes them. What the graph knows of them is in the lists `known_...`,
// empty or with kUnknownInteger for the rest: shapes follow from those, so a run that gives others is an
// error.
namespace belfry {
namespace {

using at::IntArrayRef;
using at::Tensor;
using internal::kUnknownInteger;

/// The operator `name` without an overload name, as a function of that type.
template <typename F>
c10::TypedOperatorHandle<F> find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<F>();
}

void check_integers(const Tensor& list, int64_t rank, IntArrayRef known, const char* what) {
  TORCH_CHECK(at::isIntegralType(list.scalar_type(), /*includeBool=*/false) && list.dim() == rank,
              "expected ", what, " as integers of ", rank, " dimensions, got ", list.scalar_type(), " ",
              list.sizes());
  TORCH_CHECK(known.empty() || static_cast<int64_t>(known.size()) == list.numel(), "expected ", list.numel(),
              " known numbers for ", what, ", got ", known.size());
}

/// The numbers of a tensor, row by row.
std::vector<int64_t> read(const Tensor& list, int64_t rank, IntArrayRef known, const char* what) {
  check_integers(list, rank, known, what);
  const Tensor values = list.to(at::kCPU, at::kLong).contiguous();
  const int64_t* data = values.const_data_ptr<int64_t>();
  std::vector<int64_t> numbers(data, data + values.numel());
  for (size_t i = 0; i < known.size(); ++i) {
    TORCH_CHECK_VALUE(known[i] == kUnknownInteger || known[i] == numbers[i], "expected ", known[i],
                      " as number ", i, " of ", what, ", as the graph has it, got ", numbers[i]);
  }
  return numbers;
}

int64_t read(const Tensor& number, const char* what) {
  return read(number, 0, {}, what)[0];
}

int64_t at_or_unknown(IntArrayRef known, size_t i) {
  return known.empty() ? kUnknownInteger : known[i];
}

void check_lists_of(const Tensor& x, const Tensor& begin, const Tensor& size) {
  TORCH_CHECK(begin.size(0) == x.dim() && size.size(0) == x.dim(), "expected ", x.dim(),
              " begins and sizes, got ", begin.size(0), " and ", size.size(0));
}

Tensor slice(const Tensor& x, const Tensor& begin, const Tensor& size, IntArrayRef known_begin,
             IntArrayRef known_size, IntArrayRef known) {
  static const auto op = find<Tensor(const Tensor&, IntArrayRef, IntArrayRef)>("belfry::slice");
  const Tensor result = op.call(x, read(begin, 1, known_begin, "begin"), read(size, 1, known_size, "size"));
  TORCH_CHECK(known.empty() || static_cast<int64_t>(known.size()) == x.dim(), "expected ", x.dim(),
              " known sizes, got ", known.size());
  return internal::check_known_sizes(result, known);
}

Tensor slice_meta(const Tensor& x, const Tensor& begin, const Tensor& size, IntArrayRef known_begin,
                  IntArrayRef known_size, IntArrayRef known) {
  check_integers(begin, 1, known_begin, "begin");
  check_integers(size, 1, known_size, "size");
  check_lists_of(x, begin, size);
  TORCH_CHECK(known.empty() || static_cast<int64_t>(known.size()) == x.dim(), "expected ", x.dim(),
              " known sizes, got ", known.size());
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < static_cast<size_t>(x.dim()); ++i) {
    const int64_t all = x.size(static_cast<int64_t>(i));
    const int64_t from = at_or_unknown(known_begin, i), given = at_or_unknown(known_size, i);
    const bool from_known = from != kUnknownInteger, given_known = given != kUnknownInteger;
    TORCH_CHECK((!from_known || (from >= 0 && from <= all)) &&
                    (!given_known || (given >= -1 && given <= all - (from_known ? from : 0))),
                "expected a slice inside of ", x.sizes(), ", got begin ", from_known ? from : 0, " and size ",
                given_known ? given : -1, " in dimension ", i);
    if (!known.empty() && known[i] >= 0) {
      sizes.push_back(known[i]);
    } else if (given_known && given >= 0) {
      sizes.push_back(given);
    } else {
      sizes.push_back(given_known && from_known ? all - from : unknown_size());
    }
  }
  return at::empty(sizes, x.options());
}

/// The gradient of a slice by what it was cut of.
Tensor slice_backprop(const Tensor& gradient, const Tensor& begin, IntArrayRef input_size) {
  const auto begins = read(begin, 1, {}, "begin");
  TORCH_CHECK(gradient.dim() == static_cast<int64_t>(input_size.size()) && begins.size() == input_size.size(),
              "expected a gradient and begins of ", input_size.size(), " dimensions, got ", gradient.sizes(),
              " and ", begins.size());
  static const auto op = find<Tensor(const Tensor&, IntArrayRef, IntArrayRef)>("belfry::slice");
  const Tensor result = at::zeros(input_size, gradient.options());
  op.call(result, begins, gradient.sizes()).copy_(gradient);
  return result;
}
Tensor slice_backprop_meta(const Tensor& gradient, const Tensor&, IntArrayRef input_size) {
  return at::empty(input_size, gradient.options());
}

Tensor strided_slice(const Tensor& x, const Tensor& begin, const Tensor& end, const Tensor& strides,
                     IntArrayRef known_begin, IntArrayRef known_end, IntArrayRef known_strides) {
  static const auto op =
      find<Tensor(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef)>("belfry::strided_slice");
  return op.call(x, read(begin, 1, known_begin, "begin"), read(end, 1, known_end, "end"),
                 read(strides, 1, known_strides, "strides"));
}

Tensor strided_slice_meta(const Tensor& x, const Tensor& begin, const Tensor& end, const Tensor& strides,
                          IntArrayRef known_begin, IntArrayRef known_end, IntArrayRef known_strides) {
  static const auto op =
      find<Tensor(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef)>("belfry::strided_slice");
  check_integers(begin, 1, known_begin, "begin");
  check_integers(end, 1, known_end, "end");
  check_integers(strides, 1, known_strides, "strides");
  const int64_t count = begin.size(0);
  TORCH_CHECK(count <= x.dim() && count == end.size(0) && count == strides.size(0),
              "expected a begin, end and stride for at most ", x.dim(), " dimensions, got ", count, ", ",
              end.size(0), " and ", strides.size(0));
  std::vector<int64_t> sizes = x.sizes().vec();
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const int64_t from = at_or_unknown(known_begin, i), to = at_or_unknown(known_end, i),
                  step = at_or_unknown(known_strides, i);
    TORCH_CHECK(step != 0, "expected strides other than 0");
    const bool known = from != kUnknownInteger && to != kUnknownInteger && step != kUnknownInteger;
    sizes[i] = known ? op.call(at::empty({sizes[i]}, x.options()), from, to, step).size(0) : unknown_size();
  }
  return at::empty(sizes, x.options());
}

const auto& resize_operator() {
  using Resize = Tensor(const Tensor&, IntArrayRef, std::string_view, bool, std::string_view, bool);
  static const auto op = find<Resize>("belfry::resize");
  return op;
}

/// Beyond it sizes could not be added up.
constexpr int64_t kMostPadding = std::numeric_limits<int64_t>::max() / 4;

/// `paddings` [rank, 2], as TensorFlow's.
Tensor pad(const Tensor& x, const Tensor& paddings, IntArrayRef known_paddings, std::string_view mode,
           double value) {
  static const auto op = find<Tensor(const Tensor&, IntArrayRef, std::string_view, double)>("belfry::pad");
  return op.call(x, read(paddings, 2, known_paddings, "paddings"), mode, value);
}

Tensor pad_meta(const Tensor& x, const Tensor& paddings, IntArrayRef known_paddings, std::string_view mode,
                double) {
  TORCH_CHECK(mode == "constant" || mode == "reflect" || mode == "symmetric",
              "expected the mode \"constant\", \"reflect\" or \"symmetric\", got \"", mode, "\"");
  check_integers(paddings, 2, known_paddings, "paddings");
  TORCH_CHECK(paddings.size(0) == x.dim() && paddings.size(1) == 2, "expected paddings [", x.dim(),
              ", 2], got ", paddings.sizes());
  std::vector<int64_t> sizes = x.sizes().vec();
  for (size_t i = 0; i < sizes.size(); ++i) {
    const int64_t before = at_or_unknown(known_paddings, 2 * i),
                  after = at_or_unknown(known_paddings, 2 * i + 1);
    const int64_t most = mode == "constant" ? kMostPadding : sizes[i] - (mode == "reflect" ? 1 : 0);
    for (const int64_t side : {before, after}) {
      TORCH_CHECK(side == kUnknownInteger || (side >= 0 && side <= most), "expected paddings from 0 to ",
                  most, " in dimension ", i, " of an input ", x.sizes(), ", got ", side);
    }
    const bool known = before != kUnknownInteger && after != kUnknownInteger;
    sizes[i] = known ? sizes[i] + before + after : unknown_size();
  }
  return at::empty(sizes, x.options());
}

Tensor resize(const Tensor& x, const Tensor& size, IntArrayRef known_size, std::string_view method,
              bool align_corners, std::string_view data_format, bool half_pixel_centers) {
  return resize_operator().call(x, read(size, 1, known_size, "the size"), method, align_corners, data_format,
                                half_pixel_centers);
}

Tensor resize_meta(const Tensor& x, const Tensor& size, IntArrayRef known_size, std::string_view method,
                   bool align_corners, std::string_view data_format, bool half_pixel_centers) {
  check_integers(size, 1, known_size, "the size");
  TORCH_CHECK(size.size(0) == 2, "expected a height and a width, got ", size.size(0), " numbers");
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t known = at_or_unknown(known_size, i);
    sizes.push_back(known == kUnknownInteger ? 1 + unknown_size() : known);
  }
  return resize_operator().call(x, sizes, method, align_corners, data_format, half_pixel_centers);
}

Tensor one_hot(const Tensor& indices, const Tensor& depth, at::ScalarType dtype) {
  static const auto op = find<Tensor(const Tensor&, int64_t, at::ScalarType)>("belfry::one_hot");
  return op.call(indices, read(depth, "the depth"), dtype);
}

Tensor one_hot_meta(const Tensor& indices, const Tensor& depth, at::ScalarType dtype) {
  TORCH_CHECK(at::isIntegralType(indices.scalar_type(), /*includeBool=*/false),
              "expected integer indices, got ", indices.scalar_type());
  check_integers(depth, 0, {}, "the depth");
  std::vector<int64_t> sizes = indices.sizes().vec();
  sizes.push_back(unknown_size());
  return at::empty(sizes, indices.options().dtype(dtype));
}

std::tuple<Tensor, Tensor> topk(const Tensor& x, const Tensor& k) {
  static const auto op =
      find<std::tuple<Tensor, Tensor>(const Tensor&, int64_t, int64_t, bool, bool)>("belfry::topk");
  return op.call(x, read(k, "k"), -1, true, true);
}

std::tuple<Tensor, Tensor> topk_meta(const Tensor& x, const Tensor& k) {
  check_integers(k, 0, {}, "k");
  TORCH_CHECK(x.dim() > 0 && x.scalar_type() != at::kBool && !x.is_complex(),
              "expected numbers that have an order, of at least one dimension, got ", x.scalar_type(), " ",
              x.sizes());
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = unknown_size();
  return {at::empty(sizes, x.options()), at::empty(sizes, x.options().dtype(at::kLong))};
}

Tensor in_top_k(const Tensor& predictions, const Tensor& labels, const Tensor& k) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&, int64_t)>("belfry::in_top_k");
  return op.call(predictions, labels, read(k, "k"));
}
Tensor not_in_top_k(const Tensor& predictions, const Tensor& labels, const Tensor& k) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&, int64_t)>("belfry::not_in_top_k");
  return op.call(predictions, labels, read(k, "k"));
}

/// Its shape follows from the labels, whatever k is.
template <bool inside>
Tensor in_top_k_meta(const Tensor& predictions, const Tensor& labels, const Tensor& k) {
  static const auto op = find<Tensor(const Tensor&, const Tensor&, int64_t)>(inside ? "belfry::in_top_k"
                                                                                    : "belfry::not_in_top_k");
  check_integers(k, 0, {}, "k");
  return op.call(predictions, labels, 1);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "slice.tensors(Tensor x, Tensor begin, Tensor size, *, int[] known_begin=[], int[] known_size=[], "
      "int[] known=[]) -> Tensor",
      slice);
  m.def("slice_backprop(Tensor gradient, Tensor begin, *, int[] input_size) -> Tensor", slice_backprop);
  m.def(
      "strided_slice.tensors(Tensor x, Tensor begin, Tensor end, Tensor strides, *, int[] known_begin=[], "
      "int[] known_end=[], int[] known_strides=[]) -> Tensor",
      strided_slice);
  m.def(
      "pad.tensor(Tensor x, Tensor paddings, *, int[] known_paddings=[], str mode='constant', float "
      "value=0) -> Tensor",
      pad);
  m.def(
      "resize.tensor(Tensor input, Tensor size, *, int[] known_size=[], str method='bilinear', bool "
      "align_corners=False, str data_format='NHWC', bool half_pixel_centers=True) -> Tensor",
      resize);
  m.def("one_hot.tensor(Tensor indices, Tensor depth, *, ScalarType dtype) -> Tensor", one_hot);
  m.def("topk.tensor(Tensor x, Tensor k) -> (Tensor values, Tensor indices)", topk);
  m.def("in_top_k.tensor(Tensor predictions, Tensor labels, Tensor k) -> Tensor", in_top_k);
  m.def("not_in_top_k.tensor(Tensor predictions, Tensor labels, Tensor k) -> Tensor", not_in_top_k);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("slice.tensors", slice_meta);
  m.impl("slice_backprop", slice_backprop_meta);
  m.impl("strided_slice.tensors", strided_slice_meta);
  m.impl("pad.tensor", pad_meta);
  m.impl("resize.tensor", resize_meta);
  m.impl("one_hot.tensor", one_hot_meta);
  m.impl("topk.tensor", topk_meta);
  m.impl("in_top_k.tensor", in_top_k_meta<true>);
  m.impl("not_in_top_k.tensor", in_top_k_meta<false>);
}

}  // namespace belfry
