#pragma once

// The model of enet_pat.cpp: EnhanceNet-PAT, which makes pictures four times as large.

#include <ATen/ops/tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "examples/GAN/gan.h"

namespace enet_pat {

using namespace belfry;

constexpr int64_t kBatchSize = 16, kShapeLR = 32, kNF = 64;
constexpr double kGanFactorParameter = 2;

/// v [N, H, W, C] by the mean of each sample.
inline Tensor normalize(const Tensor& v) {
  return v / mean(v, {1, 2, 3}, {.keep_dims = true});
}

/// The products of the channels of v [N, H, W, C]: [N, C, C].
inline Tensor gram_matrix(const Tensor& v) {
  const Tensor rows = reshape(v, {-1, v.dim(1) * v.dim(2), v.dim(3)});
  return matmul(rows, rows, {.transpose_a = true});
}

/// How different the textures of patches of p x p are, of the first and the second half of a batch.
inline Tensor texture_loss(const Tensor& x, int64_t p = 16) {
  const int64_t h = x.dim(1), w = x.dim(2), c = x.dim(3);
  if (h % p != 0 || w % p != 0)
    throw UsageError(
        fmt::format("[texture_loss] expected sides that are multiples of {}, got {} x {}", p, h, w));
  const Tensor cut = transpose(reshape(normalize(x), {-1, h / p, p, w / p, p, c}), {0, 1, 3, 2, 4, 5});
  const auto patches = split(reshape(cut, {-1, p, p, c}), 2, 0);
  return mean_squared_error(gram_matrix(patches[0]), gram_matrix(patches[1]));
}

/// Makes BGR images "Ilr", of pixels in [0, 255], four times as large: "prediction". With the images in that
/// size, "Ihr", there are the losses of both players.
struct Model : gan::GANModelDesc {
  /// `has_losses`: whether "Ihr" is an input. Its sides must then be multiples of 64.
  explicit Model(int64_t height = kShapeLR, int64_t width = kShapeLR, bool has_losses = true)
      : height(height), width(width), has_losses(has_losses) {}

  std::vector<TensorSpec> inputs() const override {
    const TensorSpec Ilr{"Ilr", {kDynamic, height, width, 3}, kFloat32};
    const TensorSpec Ihr{"Ihr", {kDynamic, height * 4, width * 4, 3}, kFloat32};
    return has_losses ? std::vector{Ilr, Ihr} : std::vector{Ilr};
  }

  static Tensor vgg_mean() { return constant(at::tensor({123.68F, 116.779F, 103.939F})); }

  static Tensor resnet_block(const Tensor& x, const std::string& name) {
    VariableScope scope(name);
    return x +
           (x | Conv2D("conv0", {.filters = kNF}) | Conv2D("conv1", {.filters = kNF, .activation = nullptr}));
  }

  static Tensor upsample(const Tensor& x) {
    return resize(x, {2 * x.dim(1), 2 * x.dim(2)}, {.method = ResizeMethod::kNearest, .align_corners = true});
  }

  static Tensor generator(Tensor x, const Tensor& Ibicubic) {
    ArgScope convolutions(Conv2DOptions{.kernel = 3, .activation = relu});
    x = (x - vgg_mean() / 255.0) | Conv2D("conv1", {.filters = kNF});
    for (int i = 0; i < 10; ++i) x = resnet_block(x, fmt::format("block_{}", i));
    const Tensor Ires = upsample(x) | Conv2D("conv_post_1", {.filters = kNF}) | upsample |
                        Conv2D("conv_post_2", {.filters = kNF}) | Conv2D("conv_post_3", {.filters = kNF}) |
                        Conv2D("conv_post_4", {.filters = 3, .activation = nullptr});
    return add(Ibicubic, Ires, "Iest");  // [0, 1]
  }

  static Tensor discriminator(const Tensor& x) {
    const Activation lrelu = [](const Tensor& y) { return leaky_relu(y, 0.2); };
    ArgScope convolutions(Conv2DOptions{.kernel = 3, .activation = lrelu});
    return (x - vgg_mean() / 255.0) | Conv2D("conv0", {.filters = 32}) |
           Conv2D("conv0b", {.filters = 32, .strides = 2}) | Conv2D("conv1", {.filters = 64}) |
           Conv2D("conv1b", {.filters = 64, .strides = 2}) | Conv2D("conv2", {.filters = 128}) |
           Conv2D("conv2b", {.filters = 128, .strides = 2}) | Conv2D("conv3", {.filters = 256}) |
           Conv2D("conv3b", {.filters = 256, .strides = 2}) | Conv2D("conv4", {.filters = 512}) |
           Conv2D("conv4b", {.filters = 512, .strides = 2}) |
           FullyConnected("fc0", {.units = 1024, .activation = lrelu}) | FullyConnected("fc1", {.units = 1});
  }

  /// The perceptual losses of two layers of VGG19, and the texture losses of three.
  static std::vector<Tensor> additional_losses(const Tensor& a, const Tensor& b) {
    Tensor conv1_1, conv2_1, conv3_1, pool2, pool5;
    {
      VariableScope scope("VGG19");
      FreezeVariables frozen;
      ArgScope layers(Conv2DOptions{.kernel = 3, .activation = relu}, MaxPoolingOptions{.pool = 2});
      const Tensor x = concat({a, b}, 0) * 255.0 - vgg_mean();
      conv1_1 = Conv2D("conv1_1", x, {.filters = 64});
      conv2_1 = conv1_1 | Conv2D("conv1_2", {.filters = 64}) | MaxPooling("pool1") |
                Conv2D("conv2_1", {.filters = 128});
      pool2 = conv2_1 | Conv2D("conv2_2", {.filters = 128}) | MaxPooling("pool2");
      conv3_1 = Conv2D("conv3_1", pool2, {.filters = 256});
      pool5 = conv3_1 | Conv2D("conv3_2", {.filters = 256}) | Conv2D("conv3_3", {.filters = 256}) |
              Conv2D("conv3_4", {.filters = 256}) | MaxPooling("pool3") |
              Conv2D("conv4_1", {.filters = 512}) | Conv2D("conv4_2", {.filters = 512}) |
              Conv2D("conv4_3", {.filters = 512}) | Conv2D("conv4_4", {.filters = 512}) |
              MaxPooling("pool4") | Conv2D("conv5_1", {.filters = 512}) |
              Conv2D("conv5_2", {.filters = 512}) | Conv2D("conv5_3", {.filters = 512}) |
              Conv2D("conv5_4", {.filters = 512}) | MaxPooling("pool5");
    }
    std::vector<Tensor> losses;
    {
      NameScope scope("perceptual_loss");
      for (const Tensor& layer : {pool2, pool5}) {
        const auto phi = split(normalize(layer), 2, 0);
        losses.push_back(mean_squared_error(phi[0], phi[1]));
      }
    }
    NameScope scope("texture_loss");
    losses.push_back(identity(texture_loss(conv1_1), "normalized_conv1_1"));
    losses.push_back(identity(texture_loss(conv2_1), "normalized_conv2_1"));
    losses.push_back(identity(texture_loss(conv3_1), "normalized_conv3_1"));
    return losses;
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [low, high] = in.get<2>();
    const Tensor Ilr = low / 255.0;
    const Tensor Ibicubic =
        resize(Ilr, {4 * height, 4 * width}, {.method = ResizeMethod::kBicubic, .align_corners = true},
               "bicubic_baseline");  // [0, 1]
    const Tensor fake_hr = gan::in_scope("gen", [&] { return generator(Ilr, Ibicubic); });
    multiply(fake_hr, constant(255.0F), "prediction");
    if (!high) return {};

    const Tensor real_hr = high / 255.0;
    Tensor real_score, fake_score;
    gan::in_scope("discrim", [&] {
      real_score = discriminator(real_hr);
      fake_score = discriminator(fake_hr);
      return 0;
    });
    build_losses(real_score, fake_score);

    const std::vector<Tensor> losses = additional_losses(fake_hr, real_hr);
    std::vector<Tensor> loss;
    {
      NameScope scope("additional_losses");
      auto weigh = [&](double factor, const Tensor& x, const std::string& name) {
        loss.push_back(identity(factor * x, name));
      };
      // see table 2 from appendix
      weigh(kGanFactorParameter, g_loss, "loss_LA");
      weigh(2e-1, losses[0], "loss_LP1");
      weigh(2e-2, losses[1], "loss_LP2");
      weigh(3e-7, losses[2], "loss_LT1");
      weigh(1e-6, losses[3], "loss_LT2");
      weigh(1e-6, losses[4], "loss_LT3");
    }
    g_loss = add_n(loss, "total_g_loss");
    d_loss = identity(d_loss * kGanFactorParameter, "d_loss");
    add_moving_summary({g_loss, d_loss});
    add_moving_summary(loss);

    const Tensor pixels = concat({Ibicubic, fake_hr, real_hr}, 2) * 255.0;
    const Tensor viz = cast(clip_by_value(pixels, 0, 255), kUInt8, "viz");
    image_summary("input_fake_real", reverse(viz, {3}), {{}, 30});
    collect_variables();
    return {};
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable lr =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(1e-4), .trainable = false});
    return std::make_unique<Adam>(AdamOptions{.learning_rate = lr});
  }

  int64_t height, width;
  bool has_losses;
};

}  // namespace enet_pat
