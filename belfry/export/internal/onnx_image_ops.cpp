#include <algorithm>

#include "belfry/export/internal/onnx_ops.h"

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

/// The padding of windows as attributes: in numbers, which every runtime reads, where the size is known.
void add_padding(OnnxCall& call, const Ints& kernel, const Ints& strides, const Ints& dilations,
                 OnnxAttributes& attributes) {
  if (call.text("padding") != "SAME") return;
  const Ints size = image_size(call);
  Ints before, after;
  for (size_t i = 0; i < 2; ++i) {
    if (size[i] == kDynamic && strides[i] != 1) {
      if (dilations != Ints{1, 1}) call.unsupported("SAME padding of dilated windows over a dynamic size");
      attributes.push_back({"auto_pad", "SAME_UPPER"});
      return;
    }
    // With stride 1 the padding is the same for any size.
    const int64_t known = size[i] == kDynamic ? 1 : size[i];
    const int64_t outputs = (known + strides[i] - 1) / strides[i];
    const int64_t extent = (kernel[i] - 1) * dilations[i] + 1;
    const int64_t total = std::max<int64_t>((outputs - 1) * strides[i] + extent - known, 0);
    before.push_back(total / 2);
    after.push_back(total - total / 2);
  }
  attributes.push_back({"pads", Ints{before[0], before[1], after[0], after[1]}});
}

OnnxName convolve(OnnxCall& call, const OnnxName& filter, const Ints& kernel, int64_t groups,
                  const OnnxName& bias) {
  OnnxBuilder& out = call.out;
  OnnxAttributes attributes{{"kernel_shape", kernel},
                            {"strides", call.integers("strides")},
                            {"dilations", call.integers("dilations")},
                            {"group", groups}};
  add_padding(call, kernel, call.integers("strides"), call.integers("dilations"), attributes);
  OnnxNames inputs{as_nchw(call), out.transpose(filter, kFilterOrder)};
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

OnnxName pool(OnnxCall& call, const std::string& op, OnnxAttributes attributes) {
  const Ints kernel = call.integers("kernel"), strides = call.integers("strides");
  attributes.push_back({"kernel_shape", kernel});
  attributes.push_back({"strides", strides});
  add_padding(call, kernel, strides, {1, 1}, attributes);
  return from_nchw(call, call.out.add(op, {as_nchw(call)}, attributes));
}

OnnxNames resize(OnnxCall& call) {
  OnnxBuilder& out = call.out;
  const bool nearest = call.text("method") == "nearest";
  OnnxAttributes attributes{
      {"mode", nearest ? "nearest" : "linear"},
      {"coordinate_transformation_mode", call.flag("align_corners") ? "align_corners" : "half_pixel"}};
  if (nearest) attributes.push_back({"nearest_mode", "round_prefer_ceil"});
  const OnnxName x = as_nchw(call);
  const OnnxName sizes =
      out.add("Concat", {out.sizes(x, 0, 2), out.constant(call.integers("size"))}, {{"axis", int64_t{0}}});
  return {from_nchw(call, out.add("Resize", {x, "", "", sizes}, attributes))};
}

}  // namespace

void add_image_ops(OnnxOps& ops) {
  ops["belfry::conv2d"] = conv2d;
  ops["belfry::depthwise_conv2d"] = depthwise_conv2d;
  ops["belfry::conv2d_transpose"] = conv2d_transpose;
  ops["belfry::max_pool2d"] = [](OnnxCall& call) -> OnnxNames { return {pool(call, "MaxPool", {})}; };
  ops["belfry::avg_pool2d"] = [](OnnxCall& call) -> OnnxNames {
    return {pool(call, "AveragePool", {{"count_include_pad", int64_t{0}}})};
  };
  ops["belfry::resize"] = resize;
}

}  // namespace belfry::internal
