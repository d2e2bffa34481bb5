#pragma once

// The model of conditionalgan_mnist.cpp: both players are told the digit.

#include "examples/GAN/gan.h"

namespace gan::conditionalgan_mnist {

struct Model : GANModelDesc {
  explicit Model(int64_t batch = 128) : batch(batch) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, 28, 28}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }

  Tensor generator(const Tensor& z, const Tensor& y) const {
    const Activation bn_relu(BNReLU);
    Tensor l = FullyConnected("fc0", concat({z, y}, 1), {.units = 1024, .activation = bn_relu});
    l = FullyConnected("fc1", concat({l, y}, 1), {.units = 64 * 2 * 7 * 7, .activation = bn_relu});
    l = reshape(l, {-1, 7, 7, 64 * 2});

    const Tensor y4 = reshape(y, {-1, 1, 1, 10});
    ArgScope deconv(Conv2DTransposeOptions{.kernel = 5, .strides = 2});
    l = concat({l, tile(y4, {1, 7, 7, 1})}, 3);
    l = Conv2DTranspose("deconv1", l, {.filters = 64 * 2, .activation = bn_relu});
    l = concat({l, tile(y4, {1, 14, 14, 1})}, 3);
    return tanh(Conv2DTranspose("deconv2", l, {.filters = 1}), "gen");
  }

  /// Logits [N, 1].
  Tensor discriminator(const Tensor& imgs, const Tensor& y) const {
    const Tensor y4 = reshape(y, {-1, 1, 1, 10});
    auto concat_with = [](const Tensor& other) {
      return [other](const Tensor& x) { return concat({x, other}, -1); };
    };
    ArgScope conv(Conv2DOptions{.kernel = 5, .strides = 2});
    return imgs | concat_with(tile(y4, {1, 28, 28, 1})) | Conv2D("conv0", {.filters = 11}) | lrelu |
           concat_with(tile(y4, {1, 14, 14, 1})) | Conv2D("conv1", {.filters = 74}) | BatchNorm("bn1") |
           lrelu | batch_flatten | concat_with(y) | FullyConnected("fc1", {.units = 1024}) |
           BatchNorm("bn2") | lrelu | concat_with(y) | FullyConnected("fct", {.units = 1});
  }

  Tensor build_graph(const TowerInputs& in) override {
    const Tensor image_pos = expand_dims(in["input"] * 2.0 - 1, -1);
    const Tensor y = one_hot(in["label"], 10, kFloat32, "label_onehot");
    const Tensor z_train = random_uniform({batch, 100}, -1, 1, {}, "z_train");
    const Tensor z = placeholder_with_default(z_train, {kDynamic, 100}, "z");

    const Initializer init = truncated_normal_initializer(0, 0.02);
    ArgScope defaults(Conv2DOptions{.kernel_initializer = init},
                      Conv2DTransposeOptions{.kernel_initializer = init},
                      FullyConnectedOptions{.kernel_initializer = init});
    const Tensor image_gen = in_scope("gen", [&] { return generator(z, y); });
    image_summary("gen", image_gen, {{}, 30});
    auto [vecpos, vecneg] = in_scope("discrim", [&] {
      const Tensor pos = discriminator(image_pos, y);
      return std::pair(pos, discriminator(image_gen, y));
    });

    build_losses(vecpos, vecneg);
    collect_variables();
    return {};
  }

  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<Adam>(AdamOptions{.learning_rate = 2e-4, .beta1 = 0.5, .epsilon = 1e-3});
  }

  int64_t batch;
};

}  // namespace gan::conditionalgan_mnist
