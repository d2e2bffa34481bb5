#include <algorithm>
#include <limits>

#include "belfry/export/internal/onnx_importer.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"

// ONNX's images are NCHW, its filters [out, in, height, width].

namespace belfry::internal {
namespace {

using Tensors = std::vector<Tensor>;
using Ints = std::vector<int64_t>;

void check_image(const OnnxImport& node) {
  if (node.input().rank() != 4) throw ImportFailure{"expected images of 4 dimensions"};
}

Size2D pair(const OnnxImport& node, const std::string& name) {
  const Ints two = node.integers(name, {1, 1});
  if (two.size() != 2) throw ImportFailure{"expected two numbers for " + name};
  check_lengths(name, two, 1);
  return {two[0], two[1]};
}

/// Zeros, or `value`s, around an image before a window without padding; empty where `same`: TensorFlow's.
struct Padding {
  bool same = false;
  Ints pads = {0, 0, 0, 0};  ///< top, left, bottom, right

  bool none() const { return pads == Ints{0, 0, 0, 0}; }
  std::string word() const { return same ? "SAME" : "VALID"; }
  Tensor around(const Tensor& x, double value) const {
    if (none()) return x;
    return pad(x, {{0, 0}, {0, 0}, {pads[0], pads[2]}, {pads[1], pads[3]}}, {.value = value});
  }
};

Padding padding_of(const OnnxImport& node) {
  const std::string mode = node.text("auto_pad", "NOTSET");
  Padding padding;
  if (mode == "SAME_UPPER") {
    padding.same = true;
  } else if (mode == "NOTSET") {
    padding.pads = node.integers("pads", {0, 0, 0, 0});
    if (padding.pads.size() != 4) throw ImportFailure{"expected four pads"};
    check_lengths("pads", padding.pads, 0);
  } else if (mode != "VALID") {
    throw ImportFailure{"pads in the mode " + mode};
  }
  return padding;
}

Tensors convolve(const OnnxImport& node) {
  check_image(node);
  const Padding padding = padding_of(node);
  const Tensor filter = transpose(node.input(1), {2, 3, 1, 0});
  const Tensor bias = node.has(2) ? node.input(2) : Tensor();
  return {conv2d(padding.around(node.input(), 0), filter, bias,
                 {.strides = pair(node, "strides"),
                  .padding = padding.word(),
                  .dilations = pair(node, "dilations"),
                  .groups = node.integer("group", 1),
                  .data_format = "NCHW"})};
}

Tensors convolve_transposed(const OnnxImport& node) {
  check_image(node);
  const Padding padding = padding_of(node);
  if (padding.same || node.has_attribute("output_shape")) throw ImportFailure{"expected pads in numbers"};
  const Ints& pads = padding.pads;
  const Ints cropped{pads[2] - pads[0], pads[3] - pads[1]};
  if (cropped[0] < 0 || cropped[1] < 0) throw ImportFailure{"crops more before than after"};
  const Ints dilations = node.integers("dilations", {1, 1}), strides = node.integers("strides", {1, 1});
  check_lengths("dilations", dilations, 1);
  check_lengths("strides", strides, 1);
  Tensor y = call("aten::convolution", {node.input(0), node.input(1), node.has(2) ? node.input(2) : Tensor()},
                  {{"stride", strides},
                   {"padding", Ints{pads[0], pads[1]}},
                   {"dilation", dilations},
                   {"transposed", true},
                   {"output_padding", node.integers("output_padding", {0, 0})},
                   {"groups", node.integer("group", 1)}});
  for (int64_t i = 0; i < 2; ++i) {
    const int64_t crop = cropped[static_cast<size_t>(i)];
    if (crop > 0) y = call("aten::slice.Tensor", {y}, {{"dim", 2 + i}, {"end", -crop}});
  }
  return {y};
}

PoolAttributes pool_attributes(const OnnxImport& node, const Padding& padding) {
  check_image(node);
  if (node.integer("ceil_mode", 0) != 0 || node.integers("dilations", {1, 1}) != Ints{1, 1})
    throw ImportFailure{"has a ceil_mode or dilations"};
  return {.pool = pair(node, "kernel_shape"),
          .strides = pair(node, "strides"),
          .padding = padding.word(),
          .data_format = "NCHW"};
}

Tensors max_pool(const OnnxImport& node) {
  const Padding padding = padding_of(node);
  const PoolAttributes attributes = pool_attributes(node, padding);
  return {max_pool2d(padding.around(node.input(), -std::numeric_limits<double>::infinity()), attributes)};
}

/// Padding that is not counted: the mean with zeros, by the part of each window that lies inside.
Tensors avg_pool(const OnnxImport& node) {
  const Padding padding = padding_of(node);
  const PoolAttributes attributes = pool_attributes(node, padding);
  const Tensor mean = avg_pool2d(padding.around(node.input(), 0), attributes);
  if (padding.none() || node.integer("count_include_pad", 0) != 0) return {mean};
  return {divide(mean, avg_pool2d(padding.around(ones_like(node.input()), 0), attributes))};
}

Tensors resize_as_onnx(const OnnxImport& node) {
  check_image(node);
  const auto sizes = node.has(3) ? known_sizes(node.input(3)) : std::nullopt;
  if (!sizes || sizes->size() != 4 || (*sizes)[2] == kDynamic || (*sizes)[3] == kDynamic)
    throw ImportFailure{"expected sizes, with a static height and width"};
  const std::string mode = node.text("mode", "nearest");
  const std::string places = node.text("coordinate_transformation_mode", "half_pixel");
  const bool nearest = mode == "nearest";
  if ((!nearest && mode != "linear") || (places != "half_pixel" && (nearest || places != "align_corners")) ||
      (nearest && node.text("nearest_mode", "round_prefer_floor") != "round_prefer_ceil"))
    throw ImportFailure{"resizes in the mode " + mode + ", " + places};
  return {resize(node.input(), {(*sizes)[2], (*sizes)[3]},
                 {.method = nearest ? ResizeMethod::kNearest : ResizeMethod::kBilinear,
                  .align_corners = places == "align_corners",
                  .data_format = "NCHW"})};
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
  return {batch_norm(node.input(0), node.input(3), node.input(4), node.input(1), node.input(2),
                     {.epsilon = node.number("epsilon", 1e-5), .data_format = "NCHW"})};
}

Tensors layer_norm_as_onnx(const OnnxImport& node) {
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
    check_image(node);
    return {mean(node.input(), {2, 3}, {.keep_dims = true})};
  };
  builds["SpaceToDepth"] = [](const OnnxImport& node) -> Tensors {
    return {space_to_depth(node.input(), node.integer("blocksize", 0), "NCHW")};
  };
  builds["DepthToSpace"] = [](const OnnxImport& node) -> Tensors {
    if (const std::string mode = node.text("mode", "DCR"); mode != "DCR")
      throw ImportFailure{"has its channels in the order " + mode};
    return {depth_to_space(node.input(), node.integer("blocksize", 0), "NCHW")};
  };
  builds["LRN"] = lrn;
  builds["Resize"] = resize_as_onnx;
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
