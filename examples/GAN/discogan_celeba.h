#pragma once

// The model of discogan_celeba.cpp: as in cyclegan.h, with smaller nets, and features of the discriminators
// that match.

#include "examples/GAN/gan.h"

namespace gan::discogan_celeba {

struct Model : GANModelDesc {
  /// `nf`: channels.
  explicit Model(int64_t shape = 64, int64_t nf = 64) : shape(shape), nf(nf) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"inputA", {kDynamic, shape, shape, 3}, kFloat32},
            {"inputB", {kDynamic, shape, shape, 3}, kFloat32}};
  }

  Tensor generator(const Tensor& img) const {
    ArgScope defaults(Conv2DOptions{.kernel = 4, .strides = 2, .activation = BNLReLU},
                      Conv2DTransposeOptions{.kernel = 4, .strides = 2, .activation = Activation(BNReLU)});
    return img | Conv2D("conv0", {.filters = nf, .activation = lrelu}) |
           Conv2D("conv1", {.filters = nf * 2}) | Conv2D("conv2", {.filters = nf * 4}) |
           Conv2D("conv3", {.filters = nf * 8}) | Conv2DTranspose("deconv0", {.filters = nf * 4}) |
           Conv2DTranspose("deconv1", {.filters = nf * 2}) | Conv2DTranspose("deconv2", {.filters = nf}) |
           Conv2DTranspose("deconv3", {.filters = 3, .activation = Activation()}) | sigmoid;
  }

  struct Judgement {
    Tensor logits;
    std::vector<Tensor> features;
  };
  Judgement discriminator(const Tensor& img) const {
    ArgScope conv(Conv2DOptions{.kernel = 4, .strides = 2, .activation = BNLReLU});
    const Tensor l = Conv2D("conv0", img, {.filters = nf, .activation = lrelu});
    const Tensor relu1 = Conv2D("conv1", l, {.filters = nf * 2});
    const Tensor relu2 = Conv2D("conv2", relu1, {.filters = nf * 4});
    const Tensor relu3 = Conv2D("conv3", relu2, {.filters = nf * 8});
    return {FullyConnected("fc", relu3, {.units = 1}), {relu1, relu2, relu3}};
  }

  static Tensor get_feature_match_loss(const std::vector<Tensor>& real, const std::vector<Tensor>& fake) {
    std::vector<Tensor> losses;
    for (size_t i = 0; i < real.size(); ++i)
      losses.push_back(
          mean(squared_difference(mean(real[i], 0), mean(fake[i], 0)), fmt::format("mse_feat_{}", i)));
    const Tensor total = add_n(losses, "feature_match_loss");
    add_moving_summary({total});
    return total;
  }

  Tensor build_graph(const TowerInputs& in) override {
    const Tensor A = transpose(in["inputA"] / 255.0, {0, 3, 1, 2});
    const Tensor B = transpose(in["inputB"] / 255.0, {0, 3, 1, 2});

    Tensor AB, BA, ABA, BAB;
    Judgement A_real, A_fake, B_real, B_fake;
    {
      // As in the authors' code.
      const Initializer init =
          variance_scaling_initializer({.scale = 0.333, .distribution = Distribution::kUniform});
      const std::string nchw = "channels_first";
      ArgScope defaults(
          Conv2DOptions{.data_format = nchw, .use_bias = false, .kernel_initializer = init},
          Conv2DTransposeOptions{.data_format = nchw, .use_bias = false, .kernel_initializer = init},
          FullyConnectedOptions{.use_bias = false, .kernel_initializer = init},
          BatchNormOptions{.gamma_initializer = random_uniform_initializer(), .data_format = nchw});
      in_scope("gen", [&] {
        AB = in_scope("B", [&] { return generator(A); });
        in_scope("A", [&] { BA = generator(B), ABA = generator(AB); });
        BAB = in_scope("B", [&] { return generator(BA); });
      });
      in_scope("discrim", [&] {
        in_scope("A", [&] { A_real = discriminator(A), A_fake = discriminator(BA); });
        in_scope("B", [&] { B_real = discriminator(B), B_fake = discriminator(AB); });
      });
    }
    image_summary("Arecon", transpose(concat({A, AB, ABA}, 3, "viz_A_recon"), {0, 2, 3, 1}), {{}, 50});
    image_summary("Brecon", transpose(concat({B, BA, BAB}, 3, "viz_B_recon"), {0, 2, 3, 1}), {{}, 50});

    struct Losses {
      Tensor recon, g, d, match;
    };
    auto losses = [this](const std::string& name, const Tensor& x, const Tensor& recon, const Judgement& real,
                         const Judgement& fake) {
      NameScope scope(name);
      const Tensor recon_loss = mean(squared_difference(x, recon), "recon_loss");
      build_losses(real.logits, fake.logits);
      return Losses{recon_loss, g_loss, d_loss, get_feature_match_loss(real.features, fake.features)};
    };
    const Losses a = losses("LossA", A, ABA, A_real, A_fake), b = losses("LossB", B, BAB, B_real, B_fake);

    const Tensor rate = identity(piecewise_constant(get_global_step(), {10000}, {0.01, 0.5}), "rate");
    const Tensor g_total =
        add_n({((a.g + b.g) * 0.1 + (a.match + b.match) * 0.9) * (1 - rate), (a.recon + b.recon) * rate},
              "G_loss_total");
    const Tensor d_total = add_n({a.d, b.d}, "D_loss_total");
    collect_variables();
    const Tensor wd_g = regularize_cost("gen/.*/W", l2_regularizer(1e-5), "G_regularize");
    const Tensor wd_d = regularize_cost("discrim/.*/W", l2_regularizer(1e-5), "D_regularize");
    g_loss = g_total + wd_g;
    d_loss = d_total + wd_d;
    add_moving_summary({a.recon, b.recon, rate, g_total, d_total, wd_g, wd_d});
    return {};
  }

  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<Adam>(AdamOptions{.learning_rate = 2e-4, .beta1 = 0.5, .epsilon = 1e-3});
  }

  int64_t shape, nf;
};

}  // namespace gan::discogan_celeba
