#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "belfry/interchange/internal/onnx/ops.h"

// Belfry's images are TensorFlow's: NHWC or NCHW, padding "SAME" or "VALID". ONNX has NCHW.

namespace belfry::internal {
namespace {

using Ints = std::vector<int64_t>;

/// Filters [height, width, in, out] as ONNX has them, [out, in, height, width].
const Ints kFilterOrder = {3, 2, 0, 1};

bool is_nhwc(const OnnxCall& call) {
  return call.text("data_format") == "NHWC";
}
OnnxName as_nchw(OnnxCall& call) {
  const OnnxName x = call.value("input");
  return is_nhwc(call) ? call.out.transpose(x, {0, 3, 1, 2}) : x;
}
OnnxName from_nchw(OnnxCall& call, const OnnxName& y) {
  return is_nhwc(call) ? call.out.transpose(y, {0, 2, 3, 1}) : y;
}
/// Height and width of the input; kDynamic where only a run knows.
Ints image_size(const OnnxCall& call) {
  const Shape& shape = call.shape("input");
  return is_nhwc(call) ? Ints{shape[1], shape[2]} : Ints{shape[2], shape[3]};
}

/// One dimension of windows over an image.
struct Windows {
  int64_t size, kernel, stride, dilation;
  int64_t extent() const { return (kernel - 1) * dilation + 1; }
  /// With stride 1 the padding is the same for any size, and for a window of one element there is none.
  bool known() const { return size != kDynamic || stride == 1 || extent() == 1; }
  /// Runtimes pad by a negative number where strides are longer than windows, of sizes that are known too,
  /// and refuse dilations.
  bool auto_pads() const { return dilation == 1 && stride <= kernel; }
};

/// "SAME" padding of a size that only a run knows, as int64 [1] before and after.
std::pair<OnnxName, OnnxName> run_time_padding(OnnxBuilder& out, const OnnxName& size,
                                               const Windows& windows) {
  const auto number = [&](int64_t value) { return out.constant(Ints{value}); };
  // (outputs - 1) * stride = size - 1 - (size - 1) % stride
  const OnnxName last = out.add("Sub", {size, number(1)});
  const OnnxName beyond = out.add("Mod", {last, number(windows.stride)});
  const OnnxName total = out.add("Max", {out.add("Sub", {number(windows.extent() - 1), beyond}), number(0)});
  const OnnxName before = out.add("Div", {total, number(2)});
  return {before, out.add("Sub", {total, before})};
}

/// Pads `x`, NCHW, by hand with `value`, "" for zeros, for windows that "auto_pad" has no word for.
OnnxName pad_at_run_time(OnnxBuilder& out, const OnnxName& x, const std::array<Windows, 2>& windows,
                         const OnnxName& value = "") {
  const auto rows = run_time_padding(out, out.sizes(x, 2, 3), windows[0]);
  const auto columns = run_time_padding(out, out.sizes(x, 3, 4), windows[1]);
  const OnnxName none = out.constant(Ints{0, 0});
  const OnnxName pads = out.add(
      "Concat", {none, rows.first, columns.first, none, rows.second, columns.second}, {{"axis", int64_t{0}}});
  return out.add("Pad", value.empty() ? OnnxNames{x, pads} : OnnxNames{x, pads, value});
}

std::array<Windows, 2> windows_of(const OnnxCall& call, const Ints& kernel, const Ints& strides,
                                  const Ints& dilations) {
  const Ints size = image_size(call);
  return {Windows{size[0], kernel[0], strides[0], dilations[0]},
          Windows{size[1], kernel[1], strides[1], dilations[1]}};
}

/// The input, NCHW, and in `attributes` its padding: in numbers, which every runtime reads, where they are
/// known.
OnnxName padded_input(OnnxCall& call, const Ints& kernel, const Ints& strides, const Ints& dilations,
                      OnnxAttributes& attributes) {
  const OnnxName x = as_nchw(call);
  if (call.text("padding") != "SAME") return x;
  const std::array<Windows, 2> windows = windows_of(call, kernel, strides, dilations);
  if (!windows[0].known() || !windows[1].known()) {
    if (!windows[0].auto_pads() || !windows[1].auto_pads()) return pad_at_run_time(call.out, x, windows);
    attributes.push_back({"auto_pad", "SAME_UPPER"});
    return x;
  }
  Ints pads(4);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t known = windows[i].size == kDynamic ? 1 : windows[i].size;
    const int64_t beyond = (known - 1) % windows[i].stride;
    const int64_t total = std::max<int64_t>(windows[i].extent() - 1 - beyond, 0);
    pads[i] = total / 2;
    pads[i + 2] = total - total / 2;
  }
  attributes.push_back({"pads", pads});
  return x;
}

/// ONNX has convolutions and means of windows of floating point alone.
void check_floating(const OnnxCall& call, const std::string& what) {
  if (!c10::isFloatingType(call.result().dtype))
    call.unsupported(what + " of " + to_string(call.result().dtype));
}

OnnxName convolve(OnnxCall& call, const OnnxName& filter, const Ints& kernel, int64_t groups,
                  const OnnxName& bias) {
  OnnxBuilder& out = call.out;
  check_floating(call, "a convolution");
  OnnxAttributes attributes{{"kernel_shape", kernel},
                            {"strides", call.integers("strides")},
                            {"dilations", call.integers("dilations")},
                            {"group", groups}};
  const OnnxName x =
      padded_input(call, kernel, call.integers("strides"), call.integers("dilations"), attributes);
  OnnxNames inputs{x, out.transpose(filter, kFilterOrder)};
  if (!bias.empty()) inputs.push_back(bias);
  return from_nchw(call, out.add("Conv", inputs, attributes));
}

Ints static_filter(const OnnxCall& call) {
  const Shape& shape = call.shape("filter");
  if (std::count(shape.begin(), shape.end(), kDynamic)) call.unsupported("a filter of dynamic sizes");
  return shape;
}

OnnxNames conv2d(OnnxCall& call) {
  const Ints filter = static_filter(call);
  return {convolve(call, call.value("filter"), {filter[0], filter[1]}, call.integer("groups"),
                   call.value("bias"))};
}

OnnxNames depthwise_conv2d(OnnxCall& call) {
  const Ints filter = static_filter(call);
  const OnnxName grouped =
      call.out.reshape(call.value("filter"), {filter[0], filter[1], 1, filter[2] * filter[3]});
  return {convolve(call, grouped, {filter[0], filter[1]}, /*groups=*/filter[2], "")};
}

OnnxNames conv2d_transpose(OnnxCall& call) {
  check_floating(call, "a convolution");
  const Ints filter = static_filter(call), strides = call.integers("strides");
  Ints before, after, added;
  for (size_t i = 0; i < 2; ++i) {
    const bool same = call.text("padding") == "SAME";
    const int64_t surplus = same ? std::max<int64_t>(filter[i] - strides[i], 0) : 0;
    before.push_back(surplus / 2);
    after.push_back(surplus - surplus / 2);
    added.push_back(std::max<int64_t>(strides[i] - filter[i], 0));
  }
  OnnxNames inputs{as_nchw(call), call.out.transpose(call.value("filter"), kFilterOrder)};
  if (call.tensor("bias").defined()) inputs.push_back(call.value("bias"));
  return {from_nchw(call, call.out.add("ConvTranspose", inputs,
                                       {{"kernel_shape", Ints{filter[0], filter[1]}},
                                        {"strides", strides},
                                        {"pads", Ints{before[0], before[1], after[0], after[1]}},
                                        {"output_padding", added}}))};
}

/// True for pools whose padding only a run knows, and "auto_pad" has no word for.
bool pads_by_hand(const OnnxCall& call) {
  const auto windows = windows_of(call, call.integers("kernel"), call.integers("strides"), {1, 1});
  return call.text("padding") == "SAME" && (!windows[0].known() || !windows[1].known()) &&
         (!windows[0].auto_pads() || !windows[1].auto_pads());
}
/// The same with padding that never wins, or is not counted.
OnnxName pool_by_hand(OnnxCall& call, const std::string& op) {
  OnnxBuilder& out = call.out;
  const Ints kernel = call.integers("kernel"), strides = call.integers("strides");
  const auto windows = windows_of(call, kernel, strides, {1, 1});
  const OnnxAttributes attributes{{"kernel_shape", kernel}, {"strides", strides}};
  const DType dtype = call.result().dtype;
  const OnnxName x = as_nchw(call);
  if (op == "MaxPool") {
    const OnnxName least = out.constant(-std::numeric_limits<double>::infinity(), dtype);
    return from_nchw(call, out.add(op, {pad_at_run_time(out, x, windows, least)}, attributes));
  }
  const OnnxName ones = out.add("Expand", {out.constant(1, dtype), out.add("Shape", {x})});
  const OnnxName mean = out.add(op, {pad_at_run_time(out, x, windows)}, attributes);
  const OnnxName part = out.add(op, {pad_at_run_time(out, ones, windows)}, attributes);
  return from_nchw(call, out.add("Div", {mean, part}));
}

OnnxName pool(OnnxCall& call, const std::string& op, OnnxAttributes attributes) {
  if (pads_by_hand(call)) return pool_by_hand(call, op);
  const Ints kernel = call.integers("kernel"), strides = call.integers("strides");
  attributes.push_back({"kernel_shape", kernel});
  attributes.push_back({"strides", strides});
  const OnnxName x = padded_input(call, kernel, strides, {1, 1}, attributes);
  return from_nchw(call, call.out.add(op, {x}, attributes));
}

/// How ONNX says what a resize samples.
OnnxAttributes sampling_of(const OnnxCall& call) {
  const std::string method = call.text("method");
  const bool corners = call.flag("align_corners"), middles = call.flag("half_pixel_centers");
  OnnxAttributes attributes{{"mode", method == "nearest"    ? "nearest"
                                     : method == "bilinear" ? "linear"
                                                            : "cubic"},
                            {"coordinate_transformation_mode", corners   ? "align_corners"
                                                               : middles ? "half_pixel"
                                                                         : "asymmetric"}};
  if (method == "nearest")
    attributes.push_back({"nearest_mode", corners || middles ? "round_prefer_ceil" : "floor"});
  if (method == "bicubic") {
    const bool keys = middles && !corners;
    attributes.push_back({"cubic_coeff_a", keys ? -0.5F : -0.75F});
    attributes.push_back({"exclude_outside", int64_t{keys}});
  }
  return attributes;
}

OnnxNames resize(OnnxCall& call, const OnnxName& size) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.result().dtype;
  // Runtimes cut off the fractions of integers.
  const bool rounds = call.text("method") != "nearest" && !c10::isFloatingType(dtype);
  const OnnxName x = rounds ? out.cast(as_nchw(call), dtype, kFloat32) : as_nchw(call);
  const auto followed_by_size = [&](const OnnxName& sizes) {
    return out.add("Concat", {sizes, size}, {{"axis", int64_t{0}}});
  };
  OnnxName y;
  if (call.text("method") == "bicubic") {
    // As one image of all channels: ONNX Runtime moves transpositions over the operator, and has it not for
    // channels that are last.
    const OnnxName planes =
        out.add("Concat", {out.constant(Ints{1, -1}), out.sizes(x, 2, 4)}, {{"axis", int64_t{0}}});
    const OnnxName one = out.add("Reshape", {x, planes});
    y = out.add("Resize", {one, "", "", followed_by_size(out.sizes(one, 0, 2))}, sampling_of(call));
    y = out.add("Reshape", {y, followed_by_size(out.sizes(x, 0, 2))});
  } else {
    y = out.add("Resize", {x, "", "", followed_by_size(out.sizes(x, 0, 2))}, sampling_of(call));
  }
  if (rounds) {
    y = out.add("Floor", {out.add("Add", {y, out.constant(0.5, kFloat32)})});
    y = out.add("Clip", {y, out.constant(0, kFloat32), out.constant(255, kFloat32)});
    y = out.cast(y, kFloat32, dtype);
  }
  return {from_nchw(call, y)};
}

/// The boxes of each class moved to a place of its own, so that those of two classes never overlap.
OnnxName boxes_apart(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const DType dtype = call.dtype("boxes");
  const OnnxName boxes = call.value("boxes");
  if (!call.tensor("classes").defined()) return boxes;
  const OnnxName zero = out.reshape(out.constant(0, dtype), {1, 1});  // where there are no boxes
  const OnnxName all = out.add("Concat", {out.reshape(boxes, {-1, 1}), zero}, {{"axis", int64_t{0}}});
  const OnnxName extent = out.add(
      "Sub", {reduce(out, "ReduceMax", all, {0, 1}, false), reduce(out, "ReduceMin", all, {0, 1}, false)});
  const OnnxName distance = out.add("Add", {extent, out.constant(1, dtype)});
  const OnnxName label = out.unsqueeze(call.value("classes", dtype), {1});
  return out.add("Add", {boxes, out.add("Mul", {label, distance})});
}

OnnxNames non_max_suppression(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  if (call.dtype("boxes") != kFloat32 || call.dtype("scores") != kFloat32)
    call.unsupported("boxes or scores of another dtype than float32");
  OnnxNames inputs{out.unsqueeze(boxes_apart(call), {0}), out.unsqueeze(call.value("scores"), {0, 1}),
                   out.constant(Ints{call.integer("max_output_size")}),
                   out.reshape(out.constant(call.number("iou_threshold"), kFloat32), {1})};
  if (call.has("score_threshold"))
    inputs.push_back(out.reshape(out.constant(call.number("score_threshold"), kFloat32), {1}));
  const OnnxName rows = out.add("NonMaxSuppression", inputs);  // image, class and box of each
  return {out.add("Gather", {rows, out.constant(2, kInt64)}, {{"axis", int64_t{1}}})};
}

/// Both have the channels of one pixel of a block together ("DCR"), as ours.
void add_block_op(OnnxOps& ops, const std::string& ours, const std::string& onnx) {
  ops[ours] = [onnx](OnnxCall& call) -> OnnxNames {
    const bool nhwc = is_nhwc(call);
    const OnnxName x = call.value("x");
    if (call.integer("block") == 1) return {x};
    const OnnxName y = call.out.add(onnx, {nhwc ? call.out.transpose(x, {0, 3, 1, 2}) : x},
                                    {{"blocksize", call.integer("block")}});
    return {nhwc ? call.out.transpose(y, {0, 2, 3, 1}) : y};
  };
}

}  // namespace

void add_image_ops(OnnxOps& ops) {
  ops["belfry::conv2d"] = conv2d;
  ops["belfry::depthwise_conv2d"] = depthwise_conv2d;
  ops["belfry::conv2d_transpose"] = conv2d_transpose;
  ops["belfry::max_pool2d"] = [](OnnxCall& call) -> OnnxNames {
    const DType dtype = call.result().dtype;
    if (dtype != kInt8 && dtype != kUInt8) check_floating(call, "a pool");
    return {pool(call, "MaxPool", {})};
  };
  ops["belfry::avg_pool2d"] = [](OnnxCall& call) -> OnnxNames {
    check_floating(call, "a pool");
    return {pool(call, "AveragePool", {{"count_include_pad", int64_t{0}}})};
  };
  ops["belfry::resize"] = [](OnnxCall& call) {
    return resize(call, call.out.constant(call.integers("size")));
  };
  ops["belfry::resize.tensor"] = [](OnnxCall& call) { return resize(call, call.value("size", kInt64)); };
  ops["belfry::non_max_suppression"] = non_max_suppression;
  add_block_op(ops, "belfry::space_to_depth", "SpaceToDepth");
  add_block_op(ops, "belfry::depth_to_space", "DepthToSpace");
}

}  // namespace belfry::internal
