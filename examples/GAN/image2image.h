#pragma once

// The model of image2image.cpp: a U-Net that turns one image into another, and a discriminator of patches of
// pairs.

#include "examples/GAN/gan.h"

namespace gan::image2image {

constexpr double kLambda = 100;

struct Model : GANModelDesc {
  /// `nf`: channels.
  explicit Model(int64_t nf = 64, double dropout_rate = 0.5) : nf(nf), dropout_rate(dropout_rate) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, 256, 256, 3}, kFloat32}, {"output", {kDynamic, 256, 256, 3}, kFloat32}};
  }

  /// BatchNorm takes the statistics of the batch, and elements are dropped, also when this does not train.
  Tensor generator(const Tensor& imgs) const {
    ArgScope always(BatchNormOptions{.training = true},
                    DropoutOptions{.rate = NumberOrTensor(dropout_rate), .training = true},
                    Conv2DOptions{.kernel = 4, .strides = 2, .activation = BNLReLU},
                    Conv2DTransposeOptions{.kernel = 4, .strides = 2, .activation = Activation(BNReLU)});
    const Tensor e1 = Conv2D("conv1", imgs, {.filters = nf, .activation = lrelu});
    const Tensor e2 = Conv2D("conv2", e1, {.filters = nf * 2});
    const Tensor e3 = Conv2D("conv3", e2, {.filters = nf * 4});
    const Tensor e4 = Conv2D("conv4", e3, {.filters = nf * 8});
    const Tensor e5 = Conv2D("conv5", e4, {.filters = nf * 8});
    const Tensor e6 = Conv2D("conv6", e5, {.filters = nf * 8});
    const Tensor e7 = Conv2D("conv7", e6, {.filters = nf * 8});
    const Tensor e8 = Conv2D("conv8", e7, {.filters = nf * 8, .activation = Activation(BNReLU)});  // 1 x 1
    auto dropout = [](const Tensor& x) { return Dropout(x); };
    auto concat_with = [](const Tensor& other) {
      return [other](const Tensor& x) { return concat({x, other}, 3); };
    };
    return e8 | Conv2DTranspose("deconv1", {.filters = nf * 8}) | dropout | concat_with(e7) |
           Conv2DTranspose("deconv2", {.filters = nf * 8}) | dropout | concat_with(e6) |
           Conv2DTranspose("deconv3", {.filters = nf * 8}) | dropout | concat_with(e5) |
           Conv2DTranspose("deconv4", {.filters = nf * 8}) | concat_with(e4) |
           Conv2DTranspose("deconv5", {.filters = nf * 4}) | concat_with(e3) |
           Conv2DTranspose("deconv6", {.filters = nf * 2}) | concat_with(e2) |
           Conv2DTranspose("deconv7", {.filters = nf}) | concat_with(e1) |
           Conv2DTranspose("deconv8", {.filters = 3, .activation = tanh});
  }

  /// Logits of patches.
  Tensor discriminator(const Tensor& inputs, const Tensor& outputs) const {
    ArgScope conv(Conv2DOptions{.kernel = 4, .strides = 2, .activation = BNLReLU});
    return concat({inputs, outputs}, 3) | Conv2D("conv0", {.filters = nf, .activation = lrelu}) |
           Conv2D("conv1", {.filters = nf * 2}) | Conv2D("conv2", {.filters = nf * 4}) |
           Conv2D("conv3", {.filters = nf * 8, .strides = 1, .padding = "valid"}) |
           Conv2D("convlast", {.filters = 1, .strides = 1, .padding = "valid", .activation = Activation()});
  }

  Tensor build_graph(const TowerInputs& in) override {
    const Tensor input = in["input"] / 128.0 - 1, output = in["output"] / 128.0 - 1;
    Tensor fake_output, real_pred, fake_pred;
    {
      const Initializer init = truncated_normal_initializer(0, 0.02);
      ArgScope defaults(Conv2DOptions{.kernel_initializer = init},
                        Conv2DTransposeOptions{.kernel_initializer = init});
      fake_output = in_scope("gen", [&] { return generator(input); });
      in_scope("discrim", [&] {
        real_pred = discriminator(input, output);
        fake_pred = discriminator(input, fake_output);
      });
    }

    build_losses(real_pred, fake_pred);
    const Tensor errL1 = mean(abs(fake_output - output), "L1_loss");
    g_loss = add(g_loss, kLambda * errL1, "total_g_loss");
    add_moving_summary({errL1, g_loss});

    image_summary("input_output_fake", to_pixels(concat({input, output, fake_output}, 2), "viz"), {{}, 30});
    collect_variables();
    return {};
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable lr =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(2e-4), .trainable = false});
    return std::make_unique<Adam>(AdamOptions{.learning_rate = lr, .beta1 = 0.5, .epsilon = 1e-3});
  }

  int64_t nf;
  double dropout_rate;
};

}  // namespace gan::image2image
