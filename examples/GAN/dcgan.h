#pragma once

// The model of dcgan.cpp, which wgan.h and improved_wgan.h change.

#include "examples/GAN/gan.h"

namespace gan::dcgan {

struct Model : GANModelDesc {
  Model(int64_t shape, int64_t batch, int64_t z_dim) : shape(shape), batch(batch), zdim(z_dim) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, shape, shape, 3}, kFloat32}};
  }

  /// Images of 64 x 64 in [-1, 1], made of z.
  Tensor generator(const Tensor& z) const {
    const int64_t nf = 64;
    const Tensor l = FullyConnected("fc0", z, {.units = nf * 8 * 4 * 4});
    ArgScope deconv(Conv2DTransposeOptions{.kernel = 4, .strides = 2, .activation = Activation(BNReLU)});
    return tanh(BNReLU(reshape(l, {-1, 4, 4, nf * 8})) | Conv2DTranspose("deconv1", {.filters = nf * 4}) |
                    Conv2DTranspose("deconv2", {.filters = nf * 2}) |
                    Conv2DTranspose("deconv3", {.filters = nf}) |
                    Conv2DTranspose("deconv4", {.filters = 3, .activation = Activation()}),
                "gen");
  }

  /// Logits [N, 1].
  virtual Tensor discriminator(const Tensor& imgs) const {
    const int64_t nf = 64;
    ArgScope conv(Conv2DOptions{.kernel = 4, .strides = 2});
    return imgs | Conv2D("conv0", {.filters = nf, .activation = lrelu}) |
           Conv2D("conv1", {.filters = nf * 2}) | BatchNorm("bn1") | lrelu |
           Conv2D("conv2", {.filters = nf * 4}) | BatchNorm("bn2") | lrelu |
           Conv2D("conv3", {.filters = nf * 8}) | BatchNorm("bn3") | lrelu |
           FullyConnected("fct", {.units = 1});
  }

  Tensor build_graph(const TowerInputs& in) override {
    const Tensor image_pos = in["input"] / 128.0 - 1;
    const Tensor z_train = random_uniform({batch, zdim}, -1, 1, {}, "z_train");
    const Tensor z = placeholder_with_default(z_train, {kDynamic, zdim}, "z");

    const Initializer init = truncated_normal_initializer(0, 0.02);
    ArgScope defaults(Conv2DOptions{.kernel_initializer = init},
                      Conv2DTransposeOptions{.kernel_initializer = init},
                      FullyConnectedOptions{.kernel_initializer = init});
    const Tensor image_gen = in_scope("gen", [&] { return generator(z); });
    image_summary("generated-samples", image_gen, {{}, 30});
    auto [vecpos, vecneg] = in_scope("discrim", [&] {
      const Tensor pos = discriminator(image_pos);
      return std::pair(pos, discriminator(image_gen));
    });

    build_losses(vecpos, vecneg);
    collect_variables();
    return {};
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable lr =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(2e-4), .trainable = false});
    return std::make_unique<Adam>(AdamOptions{.learning_rate = lr, .beta1 = 0.5, .epsilon = 1e-3});
  }

  int64_t shape, batch, zdim;
};

}  // namespace gan::dcgan
