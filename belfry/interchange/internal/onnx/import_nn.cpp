#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "belfry/interchange/internal/onnx/importer.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/detection.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"

// ONNX's images are NCHW, its filters [out, in, height, width]; an image [N, C, width] gets a height of 1.
// What padding means in numbers is computed here, by the run where the graph does not know the sizes, and put
// around the image where the operator has no argument for it.

namespace belfry::internal {
namespace {

using Tensors = std::vector<Tensor>;
using Ints = std::vector<int64_t>;

// Windows over images. Images [N, C, width] get a height of 1 for their operator.

size_t image_dimensions(const OnnxImport& node) {
  const int64_t rank = node.input().rank();
  if (rank != 3 && rank != 4)
    throw ImportFailure{fmt::format("expected images of 3 or 4 dimensions, got {}", rank)};
  return static_cast<size_t>(rank - 2);
}

Tensor with_height(const Tensor& x, const OnnxImport& node) {
  return image_dimensions(node) == 1 ? expand_dims(x, 2) : x;
}
Tensor without_height(const Tensor& y, const OnnxImport& node) {
  return image_dimensions(node) == 1 ? squeeze(y, {2}) : y;
}

/// An attribute with a number, `otherwise` where it is not given, for each dimension of an image.
Ints numbers(const OnnxImport& node, const std::string& name, int64_t otherwise) {
  const size_t count = image_dimensions(node);
  Ints values = node.integers(name, Ints(count, otherwise));
  if (values.size() != count)
    throw ImportFailure{fmt::format("expected {} numbers for {}, got {}", count, name, values.size())};
  check_lengths(name, values, otherwise);
  values.insert(values.begin(), 2 - count, otherwise);
  return values;
}

Size2D pair(const Ints& two) {
  return {two[0], two[1]};
}

struct Windows {
  Ints kernel, strides, dilations;

  /// How much of a dimension a window spans.
  int64_t extent(size_t i) const { return (kernel[i] - 1) * dilations[i] + 1; }
};

Windows pool_windows(const OnnxImport& node) {
  if (!node.has_attribute("kernel_shape")) throw ImportFailure{"expected a kernel_shape"};
  return {numbers(node, "kernel_shape", 1), numbers(node, "strides", 1), numbers(node, "dilations", 1)};
}

/// `filter`: of two dimensions of an image.
Windows filter_windows(const OnnxImport& node, const Tensor& filter) {
  Windows windows{{filter.dim(2), filter.dim(3)}, numbers(node, "strides", 1), numbers(node, "dilations", 1)};
  if (node.has_attribute("kernel_shape") && numbers(node, "kernel_shape", 1) != windows.kernel)
    throw ImportFailure{"has a kernel_shape that its filter has not"};
  return windows;
}

/// What is put around an image: before and after its height and width, or as many as a run says.
struct Border {
  Ints before = {0, 0}, after = {0, 0};
  Tensor run_time = {};  ///< instead, as ONNX has pads

  bool none() const { return !run_time.defined() && before == Ints{0, 0} && after == Ints{0, 0}; }
  Tensor around(const Tensor& x, double value) const {
    if (run_time.defined()) return pad_at_run_time(x, run_time, value);
    if (none()) return x;
    return pad(x, {{0, 0}, {0, 0}, {before[0], after[0]}, {before[1], after[1]}}, {.value = value});
  }
};

/// For height and width: numbers where they are known, tensors [1] where not.
Border run_time_border(const std::array<Tensor, 2>& before, const std::array<Tensor, 2>& after) {
  const Tensor none = constant(Ints{0, 0});
  return {.run_time = concat({none, before[0], before[1], none, after[0], after[1]}, 0)};
}

/// What lies around an image before windows that have no padding themselves, or, where `same`, have
/// TensorFlow's.
struct Padding {
  bool same = false;
  Border declared;
  Border overflow;  ///< beyond it, for the last window of a ceil_mode

  bool none() const { return declared.none() && overflow.none(); }
  std::string word() const { return same ? "SAME" : "VALID"; }
  Tensor around(const Tensor& x, double value) const {
    return overflow.around(declared.around(x, value), value);
  }
};

/// As many outputs as strides fit into the image; `lower`: what cannot be halved goes before it.
Border same_border(const Tensor& image, const Windows& windows, bool lower) {
  Border border;
  std::array<Tensor, 2> before, after;
  bool known = true;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t axis = static_cast<int64_t>(i) + 2, size = image.dim(axis), stride = windows.strides[i];
    if (windows.kernel[i] == kDynamic) throw ImportFailure{"expected a filter of static sizes"};
    const int64_t most = windows.extent(i) - 1;
    if (size == kDynamic && stride != 1 && most > 0) {
      known = false;
      const Tensor beyond = floor_mod(size_along(image, axis) - 1, stride);
      const Tensor total = maximum(most - beyond, 0);
      before[i] = floor_div(lower ? total + 1 : total, 2);
      after[i] = total - before[i];
      continue;
    }
    const int64_t beyond = size == kDynamic ? 0 : (std::max<int64_t>(size, 1) - 1) % stride;
    const int64_t total = std::max<int64_t>(most - beyond, 0);
    border.before[i] = (total + (lower ? 1 : 0)) / 2;
    border.after[i] = total - border.before[i];
    before[i] = constant(Ints{border.before[i]});
    after[i] = constant(Ints{border.after[i]});
  }
  return known ? border : run_time_border(before, after);
}

/// A last window that begins inside of the image or what is before it, but ends beyond what is behind.
Border ceil_overflow(const Tensor& image, const Windows& windows, const Border& declared) {
  Border border;
  std::array<Tensor, 2> none, after;
  bool known = true;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t axis = static_cast<int64_t>(i) + 2, size = image.dim(axis), stride = windows.strides[i];
    const int64_t extent = windows.extent(i), around = declared.before[i] + declared.after[i];
    none[i] = after[i] = constant(Ints{0});
    if (stride == 1) continue;
    if (size == kDynamic) {
      known = false;
      const Tensor real = size_along(image, axis);
      const Tensor steps = floor_div(real + (around - extent + stride - 1), stride) * stride;
      const Tensor outside = cast(greater_equal(steps, real + declared.before[i]), kInt64);
      after[i] = maximum(steps - outside * stride + extent - real - around, 0);
      continue;
    }
    int64_t steps = (size + around - extent + stride - 1) / stride;
    if (steps * stride >= size + declared.before[i]) --steps;
    border.after[i] = std::max<int64_t>(steps * stride + extent - size - around, 0);
    after[i] = constant(Ints{border.after[i]});
  }
  return known ? border : run_time_border(none, after);
}

/// `in_numbers`: not by the word "SAME".
Padding padding_of(const OnnxImport& node, const Tensor& image, const Windows& windows,
                   bool in_numbers = false, bool ceil_mode = false) {
  const std::string mode = node.text("auto_pad", "NOTSET");
  const size_t count = image_dimensions(node);
  const Ints pads = node.integers("pads", Ints(2 * count, 0));
  if (pads.size() != 2 * count)
    throw ImportFailure{fmt::format("expected {} pads, got {}", 2 * count, pads.size())};
  check_lengths("pads", pads, 0);
  Padding padding;
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    padding.same = mode == "SAME_UPPER" && !in_numbers;
    if (!padding.same) padding.declared = same_border(image, windows, mode == "SAME_LOWER");
  } else if (mode != "NOTSET" && mode != "VALID") {
    throw ImportFailure{"pads in the mode " + mode};
  } else {
    for (size_t i = 0; i < count; ++i) {
      padding.declared.before[2 - count + i] = pads[i];
      padding.declared.after[2 - count + i] = pads[count + i];
    }
    if (ceil_mode) padding.overflow = ceil_overflow(image, windows, padding.declared);
  }
  if (mode != "NOTSET" && std::count(pads.begin(), pads.end(), 0) != static_cast<int64_t>(pads.size()))
    throw ImportFailure{"has pads of its own in the mode " + mode};
  return padding;
}

Tensors convolve(const OnnxImport& node) {
  const Tensor image = with_height(node.input(), node);
  if (node.input(1).rank() != node.input().rank())
    throw ImportFailure{
        fmt::format("expected a filter of {} dimensions, got {}", node.input().rank(), node.input(1).rank())};
  const Tensor weights = with_height(node.input(1), node);
  const Windows windows = filter_windows(node, weights);
  const Padding padding = padding_of(node, image, windows);
  const Tensor bias = node.has(2) ? node.input(2) : Tensor();
  const Tensor y = conv2d(padding.around(image, 0), transpose(weights, {2, 3, 1, 0}), bias,
                          {.strides = pair(windows.strides),
                           .padding = padding.word(),
                           .dilations = pair(windows.dilations),
                           .groups = node.integer("group", 1),
                           .data_format = "NCHW"});
  return {without_height(y, node)};
}

Tensors convolve_transposed(const OnnxImport& node) {
  const Tensor image = with_height(node.input(), node);
  if (node.input(1).rank() != node.input().rank())
    throw ImportFailure{
        fmt::format("expected a filter of {} dimensions, got {}", node.input().rank(), node.input(1).rank())};
  const Tensor weights = with_height(node.input(1), node);
  const Windows windows = filter_windows(node, weights);
  if (node.text("auto_pad", "NOTSET").starts_with("SAME") || node.has_attribute("output_shape"))
    throw ImportFailure{"expected pads in numbers"};
  const Border border = padding_of(node, image, windows).declared;
  const Ints cropped{border.after[0] - border.before[0], border.after[1] - border.before[1]};
  if (cropped[0] < 0 || cropped[1] < 0) throw ImportFailure{"crops more before than after"};
  Tensor y = call("aten::convolution", {image, weights, node.has(2) ? node.input(2) : Tensor()},
                  {{"stride", windows.strides},
                   {"padding", border.before},
                   {"dilation", windows.dilations},
                   {"transposed", true},
                   {"output_padding", numbers(node, "output_padding", 0)},
                   {"groups", node.integer("group", 1)}});
  for (int64_t i = 0; i < 2; ++i) {
    const int64_t crop = cropped[static_cast<size_t>(i)];
    if (crop > 0) y = call("aten::slice.Tensor", {y}, {{"dim", 2 + i}, {"end", -crop}});
  }
  return {without_height(y, node)};
}

PoolAttributes pool_attributes(const Windows& windows, const Padding& padding) {
  if (windows.dilations != Ints{1, 1}) throw ImportFailure{"has dilations"};
  return {.pool = pair(windows.kernel),
          .strides = pair(windows.strides),
          .padding = padding.word(),
          .data_format = "NCHW"};
}

/// What is larger than no other number.
double lowest(DType dtype) {
  if (c10::isFloatingType(dtype)) return -std::numeric_limits<double>::infinity();
  return dtype == kInt8 ? std::numeric_limits<int8_t>::min() : 0;  // ONNX has these and uint8 alone
}

Tensors max_pool(const OnnxImport& node) {
  const Tensor image = with_height(node.input(), node);
  const Windows windows = pool_windows(node);
  const bool ceil_mode = node.integer("ceil_mode", 0) != 0;
  const Padding padding = padding_of(node, image, windows, /*in_numbers=*/false, ceil_mode);
  node.ignore_attribute("storage_order");  // of the indices, a result that is refused
  const Tensor y =
      max_pool2d(padding.around(image, lowest(image.dtype())), pool_attributes(windows, padding));
  return {without_height(y, node)};
}

/// The mean over whole windows with zeros around the image, by the part of each window that is counted.
Tensors avg_pool(const OnnxImport& node) {
  const Tensor image = with_height(node.input(), node);
  const Windows windows = pool_windows(node);
  const bool all = node.integer("count_include_pad", 0) != 0, ceil_mode = node.integer("ceil_mode", 0) != 0;
  const Padding padding = padding_of(node, image, windows, /*in_numbers=*/all, ceil_mode);
  const PoolAttributes attributes = pool_attributes(windows, padding);
  const Tensor mean = avg_pool2d(padding.around(image, 0), attributes);
  if (padding.none() || (all && padding.overflow.none())) return {without_height(mean, node)};
  const Tensor counted = padding.declared.around(ones_like(image), all ? 1 : 0);
  const Tensor part = avg_pool2d(padding.overflow.around(counted, 0), attributes);
  return {without_height(divide(mean, part), node)};
}

// Resize.

struct Sampling {
  std::string places, rounding;

  /// Where an output lies in the input. In float32, as in ONNX Runtime.
  float place(int64_t output, float scale, int64_t outputs, int64_t inputs) const {
    const auto at = static_cast<float>(output);
    if (places == "asymmetric") return at / scale;
    if (places == "align_corners")
      return outputs == 1 ? 0 : at * static_cast<float>(inputs - 1) / static_cast<float>(outputs - 1);
    if (places == "pytorch_half_pixel" && outputs == 1) return 0;
    if (places == "half_pixel" || places == "pytorch_half_pixel") return (at + 0.5F) / scale - 0.5F;
    throw ImportFailure{"resizes with coordinates " + places};
  }
  int64_t nearest(float place) const {
    const float whole = std::trunc(place);
    if (rounding == "floor") return static_cast<int64_t>(std::floor(place));
    if (rounding == "ceil") return static_cast<int64_t>(std::ceil(place));
    if (rounding == "round_prefer_ceil") return static_cast<int64_t>(std::round(place));
    if (rounding == "round_prefer_floor")
      return static_cast<int64_t>(place == whole + 0.5F ? whole : std::round(place));
    throw ImportFailure{"rounds in the mode " + rounding};
  }
  /// True when `scale` outputs in a row are each input, whatever the number of inputs.
  bool repeats(float scale) const {
    if (scale < 1 || scale != std::round(scale)) return false;
    return places == "asymmetric" ? rounding == "floor"
                                  : places == "half_pixel" && rounding.starts_with("round_prefer");
  }
};

/// The nearest elements along one dimension.
Tensor nearest_along(const Tensor& x, int64_t axis, float scale, int64_t outputs, const Sampling& sampling) {
  const int64_t inputs = x.dim(axis);
  if (outputs == kDynamic && scale == 0) throw ImportFailure{"resizes to a size that only a run knows"};
  if (inputs == kDynamic) {
    if (!sampling.repeats(scale))
      throw ImportFailure{"resizes a dynamic dimension, other than by repeating its elements"};
    const auto times = static_cast<int64_t>(scale);
    return gather(x, floor_div(range(reshape(size_along(x, axis), {}) * times), times), axis);
  }
  if (inputs == 0) throw ImportFailure{"resizes an empty dimension"};
  Ints indices;
  for (int64_t i = 0; i < outputs; ++i) {
    const int64_t index = sampling.nearest(sampling.place(i, scale, outputs, inputs));
    indices.push_back(std::clamp<int64_t>(index, 0, inputs - 1));
  }
  return gather(x, constant(indices), axis);
}

/// The sizes of the result and what they are of the input's, from either of which ONNX has the other.
struct ResizedSizes {
  Shape sizes;
  std::vector<float> scales;
};
ResizedSizes resized_sizes(const OnnxImport& node) {
  const Tensor& x = node.input();
  ResizedSizes result;
  if (node.has(3)) {
    const auto sizes = known_sizes(node.input(3));
    if (!sizes) throw ImportFailure{"expected a known number of sizes"};
    result.sizes = *sizes;
    for (size_t i = 0; i < sizes->size() && i < x.shape().size(); ++i) {
      const int64_t from = x.shape()[i], to = (*sizes)[i];
      const bool known = from != kDynamic && to != kDynamic && from > 0;
      result.scales.push_back(known ? static_cast<float>(to) / static_cast<float>(from) : 0);
    }
  }
  if (node.has(2)) {
    const at::Tensor scales = node.constant(2).to(kFloat32).contiguous();
    if (scales.numel() > 0 && node.has(3)) throw ImportFailure{"has both scales and sizes"};
    for (int64_t i = 0; i < scales.numel(); ++i) {
      const float scale = scales.const_data_ptr<float>()[i];
      if (!(scale > 0)) throw ImportFailure{fmt::format("expected scales above 0, got {}", scale)};
      const int64_t from = i < x.rank() ? x.dim(i) : 0;
      result.scales.push_back(scale);
      result.sizes.push_back(from == kDynamic ? kDynamic
                                              : static_cast<int64_t>(scale * static_cast<float>(from)));
    }
  }
  if (static_cast<int64_t>(result.sizes.size()) != x.rank())
    throw ImportFailure{fmt::format("expected {} scales or sizes, got {}", x.rank(), result.sizes.size())};
  check_lengths("sizes", result.sizes, kDynamic);
  return result;
}

Tensors resize_as_onnx(const OnnxImport& node) {
  const Tensor& x = node.input();
  const std::string mode = node.text("mode", "nearest");
  const Sampling sampling{node.text("coordinate_transformation_mode", "half_pixel"),
                          node.text("nearest_mode", "round_prefer_floor")};
  node.ignore_input(1);  // the part of the image that tf_crop_and_resize alone, which is refused, takes
  node.ignore_attribute("extrapolation_value");  // likewise
  const double cubic = node.number("cubic_coeff_a", -0.75);
  const bool excludes = node.integer("exclude_outside", 0) != 0;
  if (excludes && mode != "cubic") throw ImportFailure{"excludes what is outside"};
  const auto resized = resized_sizes(node);
  const auto& sizes = resized.sizes;
  const auto& scales = resized.scales;
  const bool nearest = mode == "nearest";
  // Batches and channels are not resized: of two sizes there that only a run knows, one is the other.
  const auto kept = [&](int64_t axis) {
    const size_t i = static_cast<size_t>(axis);
    if (!node.has(3)) return scales[i] == 1;
    return sizes[i] == x.dim(axis) && (sizes[i] != kDynamic || axis < 2);
  };
  const bool known = x.rank() == 4 && sizes[2] != kDynamic && sizes[3] != kDynamic;
  const bool image = x.rank() == 4 && (known || node.has(3)) && kept(0) && kept(1);
  const auto resized_by = [&](const ResizeAttributes& how) {
    return known ? resize(x, {sizes[2], sizes[3]}, how) : resize(x, slice(node.input(3), {2}, {2}), how);
  };
  const bool corners = sampling.places == "align_corners", by_middles = sampling.places == "half_pixel";
  const bool rounds_as_ours = corners || by_middles
                                  ? sampling.rounding == "round_prefer_ceil"
                                  : sampling.places == "asymmetric" && sampling.rounding == "floor";
  if (image && nearest && rounds_as_ours && node.has(3)) {
    return {resized_by({.method = ResizeMethod::kNearest,
                        .align_corners = corners,
                        .half_pixel_centers = corners || by_middles,
                        .data_format = "NCHW"})};
  }
  if (nearest) {
    Tensor y = x;
    for (int64_t axis = 0; axis < x.rank(); ++axis) {
      const size_t i = static_cast<size_t>(axis);
      if (!kept(axis)) y = nearest_along(y, axis, scales[i], sizes[i], sampling);
    }
    return {y};
  }
  const bool middles_of_many =
      sampling.places == "pytorch_half_pixel" && known && sizes[2] > 1 && sizes[3] > 1;
  const bool middles = by_middles || middles_of_many;
  const bool keys = middles && cubic == -0.5 && excludes;
  const bool older = !middles && cubic == -0.75 && !excludes;
  if ((!corners && !middles && sampling.places != "asymmetric") ||
      (mode != "linear" && !(mode == "cubic" && (keys || older))))
    throw ImportFailure{"resizes in the mode " + mode + ", " + sampling.places};
  if (!image) throw ImportFailure{"expected images with a static height and width to resize to"};
  for (size_t i = 2; i < 4 && !corners && !node.has(3); ++i) {
    if (static_cast<float>(sizes[i]) != scales[i] * static_cast<float>(x.dim(static_cast<int64_t>(i))))
      throw ImportFailure{"resizes by scales to sizes that are not whole"};
  }
  return {resized_by({.method = mode == "cubic" ? ResizeMethod::kBicubic : ResizeMethod::kBilinear,
                      .align_corners = corners,
                      .half_pixel_centers = corners || middles,
                      .data_format = "NCHW"})};
}

/// Of one image and one class, which is what Belfry's is.
Tensors non_max_suppression_as_onnx(const OnnxImport& node) {
  const Tensor &boxes = node.input(0), &scores = node.input(1);
  if (node.integer("center_point_box", 0) != 0) throw ImportFailure{"expected boxes of two corners"};
  if (boxes.rank() != 3 || boxes.dim(0) != 1 || scores.rank() != 3 || scores.dim(0) != 1 ||
      scores.dim(1) != 1)
    throw ImportFailure{"expected the boxes of one image and the scores of one class"};
  const auto scalar = [&](size_t index, double otherwise) {
    return node.has(index) ? node.constant(index).to(kFloat64).item<double>() : otherwise;
  };
  NonMaxSuppressionAttributes attributes{.iou_threshold = scalar(3, 0)};
  if (node.has(4)) attributes.score_threshold = scalar(4, 0);
  const int64_t most = node.has(2) ? node.constant(2).to(kInt64).item<int64_t>() : 0;
  const Tensor kept =
      expand_dims(non_max_suppression(squeeze(boxes, {0}), squeeze(scores, {0, 1}), most, attributes), 1);
  return {concat({zeros_like(kept), zeros_like(kept), kept}, 1)};
}

Tensors gemm(const OnnxImport& node) {
  Tensor a = node.input(0), b = node.input(1);
  if (node.integer("transA", 0) != 0) a = transpose(a, {1, 0});
  if (node.integer("transB", 0) != 0) b = transpose(b, {1, 0});
  const double alpha = node.number("alpha", 1), beta = node.number("beta", 1);
  if (!node.has(2)) return {alpha == 1 ? matmul(a, b) : matmul(a, b) * alpha};
  return {call("aten::addmm", {node.input(2), a, b}, {{"beta", beta}, {"alpha", alpha}})};
}

Tensors batch_norm_as_onnx(const OnnxImport& node) {
  if (node.integer("training_mode", 0) != 0) throw ImportFailure{"is in training mode"};
  node.ignore_attribute("momentum");  // of the training mode
  return {batch_norm(node.input(0), node.input(3), node.input(4), node.input(1), node.input(2),
                     {.epsilon = node.number("epsilon", 1e-5), .data_format = "NCHW"})};
}

Tensors layer_norm_as_onnx(const OnnxImport& node) {
  node.ignore_attribute("stash_type");  // the dtype of the mean on its way; ours is at least as wide
  const int64_t rank = node.input().rank(), axis = node.integer("axis", -1);
  if ((axis < 0 ? axis + rank : axis) != rank - node.input(1).rank())
    throw ImportFailure{"expected a scale of the dimensions that are normalised"};
  return {layer_norm(node.input(), node.input(1), node.has(2) ? node.input(2) : Tensor(),
                     node.number("epsilon", 1e-5))};
}

/// Each channel of each sample is a group of its own.
Tensors instance_norm(const OnnxImport& node) {
  return {group_norm(
      node.input(0), node.input(1), node.input(2),
      {.groups = node.input(1).dim(0), .epsilon = node.number("epsilon", 1e-5), .data_format = "NCHW"})};
}

/// ONNX divides alpha by the number of channels summed over, and has them second.
Tensors lrn(const OnnxImport& node) {
  const int64_t size = node.integer("size", 0), rank = node.input().rank();
  check_lengths("size", {size}, 1);
  if (size % 2 == 0) throw ImportFailure{"expected an odd number of channels to sum over"};
  if (rank < 2) throw ImportFailure{"expected channels in the second dimension"};
  Ints last{0}, second{0, rank - 1};
  for (int64_t axis = 2; axis < rank; ++axis) last.push_back(axis);
  for (int64_t axis = 1; axis < rank - 1; ++axis) second.push_back(axis);
  last.push_back(1);
  const Tensor y = local_response_normalization(
      transpose(node.input(), last), {.depth_radius = size / 2,
                                      .bias = node.number("bias", 1),
                                      .alpha = node.number("alpha", 1e-4) / static_cast<double>(size),
                                      .beta = node.number("beta", 0.75)});
  return {transpose(y, second)};
}

}  // namespace

void add_nn_builds(OnnxBuilds& builds) {
  builds["Conv"] = convolve;
  builds["ConvTranspose"] = convolve_transposed;
  builds["MaxPool"] = max_pool;
  builds["AveragePool"] = avg_pool;
  builds["GlobalAveragePool"] = [](const OnnxImport& node) -> Tensors {
    Ints axes;
    for (int64_t axis = 2; axis < node.input().rank(); ++axis) axes.push_back(axis);
    if (axes.empty()) throw ImportFailure{"expected images"};
    return {mean(node.input(), axes, {.keep_dims = true})};
  };
  builds["SpaceToDepth"] = [](const OnnxImport& node) -> Tensors {
    const int64_t block = node.integer("blocksize", 0);
    return {block == 1 ? node.input() : space_to_depth(node.input(), block, "NCHW")};
  };
  builds["DepthToSpace"] = [](const OnnxImport& node) -> Tensors {
    if (const std::string mode = node.text("mode", "DCR"); mode != "DCR")
      throw ImportFailure{"has its channels in the order " + mode};
    const int64_t block = node.integer("blocksize", 0);
    return {block == 1 ? node.input() : depth_to_space(node.input(), block, "NCHW")};
  };
  builds["LRN"] = lrn;
  builds["Resize"] = resize_as_onnx;
  builds["NonMaxSuppression"] = non_max_suppression_as_onnx;
  builds["MatMul"] = [](const OnnxImport& node) -> Tensors { return {matmul(node.input(0), node.input(1))}; };
  builds["Gemm"] = gemm;
  builds["Einsum"] = [](const OnnxImport& node) -> Tensors {
    return {einsum(node.text("equation", ""), node.inputs())};
  };
  builds["BatchNormalization"] = batch_norm_as_onnx;
  builds["LayerNormalization"] = layer_norm_as_onnx;
  builds["InstanceNormalization"] = instance_norm;
}

}  // namespace belfry::internal
