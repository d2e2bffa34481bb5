#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "belfry/belfry.h"

namespace flownet {
using namespace belfry;

// FlowNet 2.0 (Ilg et al., 2017), on images [1, 3, H, W], H and W multiples of 64. The variables are those of
// tf.layers: "conv1/kernel", "conv1/bias".

/// What flows are divided by inside of the nets.
inline constexpr double kDispScale = 20;

inline Tensor lrelu(const Tensor& x) {
  return leaky_relu(x, 0.1);
}

struct ConvOptions {
  int64_t kernel = 3, strides = 2;
  bool activate = true;
};
/// Convolution with as much padding on all sides as keeps the size of an image, as Caffe pads.
inline Tensor conv(const std::string& name, const Tensor& x, int64_t filters, ConvOptions options = {}) {
  VariableScope scope(name);
  const int64_t k = options.kernel, p = k / 2;
  const Variable kernel = get_variable("kernel", {k, k, x.dim(1), filters});
  const Variable bias = get_variable("bias", {filters}, {.initializer = zeros_initializer()});
  const Tensor y = conv2d(pad(x, {{0, 0}, {0, 0}, {p, p}, {p, p}}), kernel, bias,
                          {.strides = options.strides, .padding = "VALID", .data_format = "NCHW"});
  return options.activate ? lrelu(y) : y;
}
inline Tensor predict_flow(const std::string& name, const Tensor& x) {
  return conv(name, x, 2, {.strides = 1, .activate = false});
}

/// Twice as large.
inline Tensor deconv(const std::string& name, const Tensor& x, int64_t filters, bool activate,
                     bool use_bias = true) {
  VariableScope scope(name);
  const Variable kernel = get_variable("kernel", {4, 4, filters, x.dim(1)});
  Tensor bias;
  if (use_bias) bias = get_variable("bias", {filters}, {.initializer = zeros_initializer()});
  const Tensor y =
      conv2d_transpose(x, kernel, bias, {.strides = 2, .padding = "SAME", .data_format = "NCHW"});
  return activate ? lrelu(y) : y;
}

/// How alike each pixel of `a` [N, C, H, W] is to those of `b` up to `max_displacement` away, in steps of
/// `stride`: [N, displacements, H, W], means over the channels.
inline Tensor correlation(const Tensor& a, const Tensor& b, int64_t max_displacement, int64_t stride) {
  const int64_t m = max_displacement, h = a.dim(2), w = a.dim(3);
  const Tensor padded = pad(b, {{0, 0}, {0, 0}, {m, m}, {m, m}});
  std::vector<Tensor> costs;
  for (int64_t y = 0; y <= 2 * m; y += stride) {
    for (int64_t x = 0; x <= 2 * m; x += stride)
      costs.push_back(mean(a * slice(padded, {0, 0, y, x}, {-1, -1, h, w}), 1, {.keep_dims = true}));
  }
  return concat(costs, 1);
}

/// `image` [1, C, H, W] seen through `flow` [1, 2, H, W]: bilinear samples, of the border where the flow
/// points outside.
inline Tensor resample(const Tensor& image, const Tensor& flow) {
  const int64_t c = image.dim(1), h = image.dim(2), w = image.dim(3);
  const Tensor pixels = reshape(transpose(image, {0, 2, 3, 1}), {h * w, c});
  const Tensor xf = reshape(slice(flow, {0, 0, 0, 0}, {-1, 1, -1, -1}), {h, w}) + cast(range(w), kFloat32);
  const Tensor yf =
      reshape(slice(flow, {0, 1, 0, 0}, {-1, 1, -1, -1}), {h, w}) + reshape(cast(range(h), kFloat32), {h, 1});
  const Tensor alpha = reshape(xf - floor(xf), {h * w, 1}), beta = reshape(yf - floor(yf), {h * w, 1});
  auto at = [&](const Tensor& y, const Tensor& x) {
    const Tensor row = clip_by_value(cast(y, kInt64), 0, h - 1),
                 column = clip_by_value(cast(x, kInt64), 0, w - 1);
    return gather(pixels, reshape(row * w + column, {h * w}));
  };
  const Tensor top = (1 - alpha) * at(floor(yf), floor(xf)) + alpha * at(floor(yf), floor(xf) + 1);
  const Tensor bottom = (1 - alpha) * at(floor(yf) + 1, floor(xf)) + alpha * at(floor(yf) + 1, floor(xf) + 1);
  return transpose(reshape((1 - beta) * top + beta * bottom, {1, h, w, c}), {0, 3, 1, 2});
}

/// Four times as large.
inline Tensor enlarge(const Tensor& x, ResizeMethod method) {
  const bool bilinear = method == ResizeMethod::kBilinear;
  return resize(
      x, {x.dim(2) * 4, x.dim(3) * 4},
      {.method = method, .align_corners = bilinear, .half_pixel_centers = false, .data_format = "NCHW"});
}
inline Tensor channel_norm(const Tensor& x) {
  return norm(x, 1, {.keep_dims = true});
}

/// The half that makes a flow of features: from "conv6_1" back to a quarter of the image's size.
struct RefineOptions {
  bool upsample_bias = true;  ///< of "upsampled_flow..."
  bool inter_conv = false;    ///< convolutions "inter_conv5" and so on before each prediction
};
/// `features`: those of conv2, conv3, conv4, conv5 and conv6, in this order.
inline Tensor refine(const std::vector<Tensor>& features, RefineOptions options) {
  Tensor x = features[4];
  Tensor flow = predict_flow("predict_flow6", x);
  for (int level = 5; level >= 2; --level) {
    const int64_t filters = int64_t{16} << level;  // 512, 256, 128, 64
    const Tensor flow_up = deconv(fmt::format("upsampled_flow{}_to_{}", level + 1, level), flow, 2, false,
                                  options.upsample_bias);
    x = concat({features[static_cast<size_t>(level - 2)],
                deconv(fmt::format("deconv{}", level), x, filters, true), flow_up},
               1);
    const Tensor seen = options.inter_conv ? conv(fmt::format("inter_conv{}", level), x, filters,
                                                  {.strides = 1, .activate = false})
                                           : x;
    flow = predict_flow(fmt::format("predict_flow{}", level), seen);
  }
  return flow;
}

/// conv4 to conv6_1 of `conv3`, which the nets have in common.
inline std::vector<Tensor> contract(const Tensor& conv2, const Tensor& conv3) {
  std::vector<Tensor> features = {conv2, conv3};
  Tensor x = conv3;
  for (int level = 4; level <= 6; ++level) {
    const int64_t filters = level == 6 ? 1024 : 512;
    x = conv(fmt::format("conv{}", level), x, filters);
    x = conv(fmt::format("conv{}_1", level), x, filters, {.strides = 1});
    features.push_back(x);
  }
  return features;
}

/// FlowNetSimple, of both images one after the other in the channels.
inline Tensor flownet_s(const Tensor& images) {
  const Tensor conv2 = conv("conv2", conv("conv1", images, 64, {.kernel = 7}), 128, {.kernel = 5});
  const Tensor conv3 = conv("conv3_1", conv("conv3", conv2, 256, {.kernel = 5}), 256, {.strides = 1});
  return refine(contract(conv2, conv3), {.upsample_bias = false});
}

/// FlowNetCorr, of both images [2, 3, H, W].
inline Tensor flownet_c(const Tensor& images) {
  const Tensor conv2 = conv("conv2", conv("conv1", images, 64, {.kernel = 7}), 128, {.kernel = 5});
  const Tensor conv3 = conv("conv3", conv2, 256, {.kernel = 5});
  const Tensor conv2a = split(conv2, 2, 0)[0];
  const std::vector<Tensor> halves = split(conv3, 2, 0);
  const Tensor costs = lrelu(correlation(halves[0], halves[1], 20, 2));
  const Tensor redirected = conv("conv_redir", halves[0], 32, {.kernel = 1, .strides = 1});
  const Tensor conv3_1 = conv("conv3_1", concat({redirected, costs}, 1), 256, {.strides = 1});
  return refine(contract(conv2a, conv3_1), {});
}

/// The net for small displacements.
inline Tensor flownet_sd(const Tensor& images) {
  const Tensor conv0 = conv("conv0", images, 64, {.strides = 1});
  const Tensor conv1 = conv("conv1_1", conv("conv1", conv0, 64), 128, {.strides = 1});
  const Tensor conv2 = conv("conv2_1", conv("conv2", conv1, 128), 128, {.strides = 1});
  const Tensor conv3 = conv("conv3_1", conv("conv3", conv2, 256), 256, {.strides = 1});
  return enlarge(refine(contract(conv2, conv3), {.inter_conv = true}) / kDispScale, ResizeMethod::kNearest);
}

/// Makes one flow of two, with what is known of how good they are.
inline Tensor flownet_fusion(const Tensor& x) {
  const Tensor conv0 = conv("conv0", x, 64, {.strides = 1});
  const Tensor conv1 = conv("conv1_1", conv("conv1", conv0, 64), 128, {.strides = 1});
  const Tensor conv2 = conv("conv2_1", conv("conv2", conv1, 128), 128, {.strides = 1});
  const Tensor flow2 = predict_flow("predict_flow2", conv2);
  const Tensor concat1 =
      concat({conv1, deconv("deconv1", conv2, 32, true), deconv("upsampled_flow2_to_1", flow2, 2, false)}, 1);
  const Tensor flow1 =
      predict_flow("predict_flow1", conv("inter_conv1", concat1, 32, {.strides = 1, .activate = false}));
  const Tensor concat0 = concat(
      {conv0, deconv("deconv0", concat1, 16, true), deconv("upsampled_flow1_to_0", flow1, 2, false)}, 1);
  return predict_flow("predict_flow0", conv("inter_conv0", concat0, 16, {.strides = 1, .activate = false}));
}

/// All of them, each correcting the one before.
inline Tensor flownet2(const Tensor& images) {
  const std::vector<Tensor> both = split(images, 2, 0);
  const Tensor side_by_side = concat(both, 1);
  Tensor flow = enlarge(flownet_c(images) * kDispScale, ResizeMethod::kBilinear);
  for (int i = 1; i <= 2; ++i) {
    const Tensor seen = resample(both[1], flow);
    VariableScope scope(fmt::format("flownet_s{}", i));
    const Tensor next =
        flownet_s(concat({side_by_side, seen, flow / kDispScale, channel_norm(both[0] - seen)}, 1));
    flow = enlarge(next * kDispScale, i == 1 ? ResizeMethod::kBilinear : ResizeMethod::kNearest);
  }
  auto in_scope = [](const std::string& name, Tensor (*net)(const Tensor&), const Tensor& x) {
    VariableScope scope(name);
    return net(x);
  };
  const Tensor small = in_scope("flownet_sd", flownet_sd, side_by_side);
  auto error = [&](const Tensor& f) { return channel_norm(both[0] - resample(both[1], f)); };
  return in_scope(
      "flownet_fusion", flownet_fusion,
      concat({both[0], small, flow, channel_norm(small), channel_norm(flow), error(small), error(flow)}, 1));
}

enum class Net { kFlowNet2, kFlowNet2S, kFlowNet2C };

/// The flow from "left" to "right": "prediction" [1, 2, height, width], and "epe", its mean distance from
/// "gt_flow" where that is given.
struct Model : ModelDescBase {
  Model(Net net, int64_t height, int64_t width) : net(net), height(height), width(width) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"left", {1, 3, height, width}, kFloat32},
            {"right", {1, 3, height, width}, kFloat32},
            {"gt_flow", {1, 2, height, width}, kFloat32}};
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [left, right, gt_flow] = in.get<3>();
    Tensor x = concat({left, right}, 0);
    x = (x - mean(x, {0, 2, 3}, {.keep_dims = true})) / 255.0;
    Tensor prediction;
    if (net == Net::kFlowNet2) {
      prediction = flownet2(x);
    } else {
      const Tensor flow2 = net == Net::kFlowNet2C ? flownet_c(x) : flownet_s(concat(split(x, 2, 0), 1));
      prediction = enlarge(flow2 * kDispScale, ResizeMethod::kBilinear);
    }
    identity(prediction, "prediction");
    if (!gt_flow) return {};
    return mean(norm(prediction - gt_flow, 1), "epe");
  }

  Net net;
  int64_t height, width;
};

}  // namespace flownet
