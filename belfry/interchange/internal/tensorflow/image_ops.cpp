#include <algorithm>
#include <limits>

#include "belfry/interchange/internal/tensorflow/graph_def_builder.h"

// TensorFlow's kernels for the CPU know NHWC alone.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

TfName as_nhwc(TfCall& call, const char* argument) {
  const TfName x = call.value(argument);
  return call.is_nchw() ? call.out.transpose(x, call.dtype(), {0, 2, 3, 1}) : x;
}
TfName from_nhwc(TfCall& call, const TfName& y) {
  return call.is_nchw() ? call.out.transpose(y, call.dtype(), {0, 3, 1, 2}) : y;
}
/// Numbers for height and width as an attribute of NHWC tensors.
Ints around(const Ints& two) {
  return {1, two[0], two[1], 1};
}

/// Whether TensorFlow has an operator of the dtype: of integers it has few.
void check(const TfCall& call, const std::string& what, bool has_int32 = false) {
  const DType dtype = call.dtype();
  if (!c10::isFloatingType(dtype) && !(has_int32 && dtype == kInt32))
    call.unsupported(what + " of " + to_string(dtype));
}

TfName convolve(TfCall& call, const std::string& op, const TfName& filter) {
  check(call, "a convolution", /*has_int32=*/op == "Conv2D");
  Ints strides = around(call.integers("strides"));
  return call.out.add(op, {as_nhwc(call, "input"), filter}, call.dtype(),
                      {{"strides", strides},
                       {"padding", call.text("padding")},
                       {"dilations", around(call.integers("dilations"))}});
}

TfName add_bias(TfCall& call, const TfName& y) {
  return call.tensor("bias").defined() ? call.apply("BiasAdd", {y, call.value("bias")}) : y;
}

TfNames depthwise_conv2d(TfCall& call) {
  const Ints strides = call.integers("strides");
  const Shape& filter = call.shape("filter");
  if (call.integers("dilations") == Ints{1, 1} && strides[0] == strides[1])
    return {from_nhwc(call, convolve(call, "DepthwiseConv2dNative", call.value("filter")))};
  // That operator has one stride and no dilation on the CPU: as groups of one channel.
  if (std::count(filter.begin(), filter.end(), kDynamic)) call.unsupported("a filter of dynamic sizes");
  const TfName groups =
      call.out.reshape(call.value("filter"), call.dtype(), {filter[0], filter[1], 1, filter[2] * filter[3]});
  return {from_nhwc(call, convolve(call, "Conv2D", groups))};
}

TfNames conv2d_transpose(TfCall& call) {
  GraphDefBuilder& out = call.out;
  check(call, "a convolution", /*has_int32=*/true);
  const Shape& filter = call.shape("filter");
  const Ints strides = call.integers("strides");
  if (filter[0] == kDynamic || filter[1] == kDynamic || filter[2] == kDynamic)
    call.unsupported("a filter of dynamic sizes");
  const bool same = call.text("padding") == "SAME";
  const auto added = [&](size_t i) { return same ? 0 : std::max<int64_t>(filter[i] - strides[i], 0); };
  const TfName x = as_nhwc(call, "input");
  TfName sizes = out.sizes(x, call.dtype(), 0, 3);
  sizes = out.add("Mul", {sizes, out.constant(Ints{1, strides[0], strides[1]})}, kInt32);
  sizes = out.add("AddV2", {sizes, out.constant(Ints{0, added(0), added(1)})}, kInt32);
  sizes = out.concat({sizes, out.constant(Ints{filter[2]})}, kInt32, 0);
  const TfName y = out.add("Conv2DBackpropInput", {sizes, call.value("filter"), x}, call.dtype(),
                           {{"strides", around(strides)}, {"padding", call.text("padding")}});
  return {from_nhwc(call, add_bias(call, y))};
}

void add_pool(TfOps& ops, const std::string& ours, const std::string& tf) {
  ops[ours] = [tf](TfCall& call) -> TfNames {
    if (tf == "AvgPool") check(call, "a pool");
    return {from_nhwc(call, call.out.add(tf, {as_nhwc(call, "input")}, call.dtype(),
                                         {{"ksize", around(call.integers("kernel"))},
                                          {"strides", around(call.integers("strides"))},
                                          {"padding", call.text("padding")}}))};
  };
}

TfNames resize(TfCall& call, const TfName& size) {
  GraphDefBuilder& out = call.out;
  const std::string method = call.text("method");
  const bool corners = call.flag("align_corners"), nearest = method == "nearest";
  TfName y = out.add(
      nearest                ? "ResizeNearestNeighbor"
      : method == "bilinear" ? "ResizeBilinear"
                             : "ResizeBicubic",
      {as_nhwc(call, "input"), size}, call.dtype(),
      {{"align_corners", corners}, {"half_pixel_centers", !corners && call.flag("half_pixel_centers")}});
  if (!nearest) {  // gives float32 whatever it takes
    if (!c10::isFloatingType(call.dtype())) {
      y = out.add("AddV2", {y, out.constant(0.5, kFloat32)}, kFloat32);
      y = out.add("Floor", {y}, kFloat32);
      y = out.add("ClipByValue", {y, out.constant(0, kFloat32), out.constant(255, kFloat32)}, kFloat32);
    }
    y = out.cast(y, kFloat32, call.dtype());
  }
  return {from_nhwc(call, y)};
}

/// The boxes of each class moved to a place of its own, so that those of two classes never overlap.
TfName boxes_apart(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const DType dtype = call.dtype("boxes");
  const TfName boxes = call.value("boxes");
  if (!call.tensor("classes").defined()) return boxes;
  const TfName zero = out.reshape(out.constant(0, dtype), dtype, {1});  // where there are no boxes
  const TfName all = out.concat({out.reshape(boxes, dtype, {-1}), zero}, dtype, 0);
  const TfName extent = out.add(
      "Sub", {reduce(out, "Max", all, dtype, {0}, false), reduce(out, "Min", all, dtype, {0}, false)}, dtype);
  const TfName distance = out.add("AddV2", {extent, out.constant(1, dtype)}, dtype);
  const TfName label = out.reshape(call.value("classes", dtype), dtype, {-1, 1});
  return out.add("AddV2", {boxes, out.add("Mul", {label, distance}, dtype)}, dtype);
}

/// A threshold that drops nothing stands for none.
double score_threshold(const TfCall& call) {
  return call.has("score_threshold") ? call.number("score_threshold")
                                     : -std::numeric_limits<double>::infinity();
}

TfNames non_max_suppression(TfCall& call) {
  GraphDefBuilder& out = call.out;
  if (call.dtype("boxes") != kFloat32 || call.dtype("scores") != kFloat32)
    call.unsupported("boxes or scores of another dtype than float32");
  const TfName kept = out.add(
      "NonMaxSuppressionV3",
      {boxes_apart(call), call.value("scores"),
       out.constant(c10::Scalar(call.integer("max_output_size")), kInt32),
       out.constant(call.number("iou_threshold"), kFloat32), out.constant(score_threshold(call), kFloat32)},
      kFloat32, {{"T_threshold", tf_dtype(kFloat32)}});
  return {out.cast(kept, kInt32, kInt64)};
}

TfNames combined_non_max_suppression(TfCall& call) {
  GraphDefBuilder& out = call.out;
  if (call.dtype("boxes") != kFloat32 || call.dtype("scores") != kFloat32)
    call.unsupported("boxes or scores of another dtype than float32");
  return out.add_multi(
      "CombinedNonMaxSuppression",
      {call.value("boxes"), call.value("scores"),
       out.constant(c10::Scalar(call.integer("max_output_size_per_class")), kInt32),
       out.constant(c10::Scalar(call.integer("max_total_size")), kInt32),
       out.constant(call.number("iou_threshold"), kFloat32), out.constant(score_threshold(call), kFloat32)},
      4, {{"pad_per_class", call.flag("pad_per_class")}, {"clip_boxes", call.flag("clip_boxes")}});
}

TfNames crop_and_resize(TfCall& call) {
  GraphDefBuilder& out = call.out;
  const TfName y = out.add("CropAndResize",
                           {call.value("image"), call.value("boxes", kFloat32),
                            call.value("box_indices", kInt32), out.constant(call.integers("size"))},
                           call.dtype("image"),
                           {{"method", call.text("method")},
                            {"extrapolation_value", static_cast<float>(call.number("extrapolation_value"))}});
  return {out.cast(y, kFloat32, call.dtype())};
}

void add_block_op(TfOps& ops, const std::string& ours, const std::string& tf) {
  ops[ours] = [tf](TfCall& call) -> TfNames {
    if (call.integer("block") == 1) return {call.value("x")};  // which TensorFlow refuses
    return {from_nhwc(
        call, call.out.add(tf, {as_nhwc(call, "x")}, call.dtype(), {{"block_size", call.integer("block")}}))};
  };
}

}  // namespace

void add_image_ops(TfOps& ops) {
  ops["belfry::conv2d"] = [](TfCall& call) -> TfNames {
    return {from_nhwc(call, add_bias(call, convolve(call, "Conv2D", call.value("filter"))))};
  };
  ops["belfry::depthwise_conv2d"] = depthwise_conv2d;
  ops["belfry::conv2d_transpose"] = conv2d_transpose;
  add_pool(ops, "belfry::max_pool2d", "MaxPool");
  add_pool(ops, "belfry::avg_pool2d", "AvgPool");
  ops["belfry::resize"] = [](TfCall& call) { return resize(call, call.out.constant(call.integers("size"))); };
  ops["belfry::resize.tensor"] = [](TfCall& call) { return resize(call, call.value("size", kInt32)); };
  ops["belfry::non_max_suppression"] = non_max_suppression;
  ops["belfry::combined_non_max_suppression"] = combined_non_max_suppression;
  ops["belfry::crop_and_resize"] = crop_and_resize;
  add_block_op(ops, "belfry::space_to_depth", "SpaceToDepth");
  add_block_op(ops, "belfry::depth_to_space", "DepthToSpace");
}

}  // namespace belfry::internal
