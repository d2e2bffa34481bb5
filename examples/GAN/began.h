#pragma once

// The model of began.cpp: an autoencoder as discriminator, and a balance of both players' losses.

#include "examples/GAN/gan.h"

namespace gan::began {

constexpr double kGamma = 0.5;

struct Model : GANModelDesc {
  /// Images of 64 x 64. `nh`: size of the code, `nf`: channels.
  Model(int64_t batch, int64_t z_dim, int64_t nh = 64, int64_t nf = 64)
      : batch(batch), z_dim(z_dim), nh(nh), nf(nf) {}

  std::vector<TensorSpec> inputs() const override { return {{"input", {kDynamic, 64, 64, 3}, kFloat32}}; }

  Tensor decoder(const Tensor& z) const {
    auto resize_to = [](int64_t side) {
      return [side](const Tensor& x) {
        return resize(x, side, {.method = ResizeMethod::kNearest, .align_corners = true});
      };
    };
    ArgScope conv(Conv2DOptions{.filters = nf, .kernel = 3, .strides = 1, .activation = elu});
    return reshape(FullyConnected("fc", z, {.units = nf * 8 * 8}), {-1, 8, 8, nf}) | Conv2D("conv1.1") |
           Conv2D("conv1.2") | resize_to(16) | Conv2D("conv2.1") | Conv2D("conv2.2") | resize_to(32) |
           Conv2D("conv3.1") | Conv2D("conv3.2") | resize_to(64) | Conv2D("conv4.1") | Conv2D("conv4.2") |
           Conv2D("conv4.3", {.filters = 3, .activation = Activation()});
  }

  Tensor encoder(const Tensor& imgs) const {
    ArgScope conv(Conv2DOptions{.kernel = 3, .strides = 1, .activation = elu}, AvgPoolingOptions{.pool = 2});
    return imgs | Conv2D("conv1.1", {.filters = nf}) | Conv2D("conv1.2", {.filters = nf}) |
           Conv2D("conv1.3", {.filters = nf * 2}) | AvgPooling("pool1") |  // 32
           Conv2D("conv2.1", {.filters = nf * 2}) | Conv2D("conv2.2", {.filters = nf * 3}) |
           AvgPooling("pool2") |  // 16
           Conv2D("conv3.1", {.filters = nf * 3}) | Conv2D("conv3.2", {.filters = nf * 4}) |
           AvgPooling("pool3") |  // 8
           Conv2D("conv4.1", {.filters = nf * 4}) | Conv2D("conv4.2", {.filters = nf * 4}) |
           FullyConnected("fc", {.units = nh});
  }

  Tensor build_graph(const TowerInputs& in) override {
    const Tensor image_pos = in["input"] / 128.0 - 1;
    const Tensor z_train = random_uniform({batch, z_dim}, -1, 1, {}, "z_train");
    const Tensor z = placeholder_with_default(z_train, {kDynamic, z_dim}, "z");

    Tensor image_gen, recon_pos, recon_neg;
    {
      const Initializer init = truncated_normal_initializer(0, 0.02);
      ArgScope defaults(Conv2DOptions{.kernel_initializer = init},
                        FullyConnectedOptions{.kernel_initializer = init});
      image_gen = in_scope("gen", [&] { return decoder(z); });
      VariableScope discrim("discrim", {.reuse = Reuse::kAuto});
      Tensor hidden_pos, hidden_neg;
      in_scope("enc", [&] {
        hidden_pos = encoder(image_pos);
        hidden_neg = encoder(image_gen);
      });
      in_scope("dec", [&] {
        recon_pos = decoder(hidden_pos);
        recon_neg = decoder(hidden_neg);
      });
    }
    {
      NameScope scope("viz");
      image_summary("generated-samples", to_pixels(image_gen, ""), {{}, 30});
      image_summary("reconstruct-real", to_pixels(recon_pos, ""), {{}, 30});
      image_summary("reconstruct-fake", to_pixels(recon_neg, ""), {{}, 30});
    }

    const Variable kt = get_variable("kt", {}, {.initializer = zeros_initializer()});
    NameScope scope("losses");
    const Tensor L_pos = mean(abs(recon_pos - image_pos), "loss_pos");
    const Tensor L_neg = mean(abs(recon_neg - image_gen), "loss_neg");
    const Tensor eq = subtract(kGamma * L_pos, L_neg, "equilibrium");
    const Tensor measure = add(L_pos, abs(eq), "measure");
    const Tensor new_kt = stop_gradient(assign_add(kt, 1e-3 * eq));
    d_loss = subtract(L_pos, new_kt * L_neg, "loss_D");
    g_loss = L_neg;

    add_moving_summary({L_pos, L_neg, eq, measure, d_loss});
    scalar_summary("kt", new_kt);
    collect_variables();
    return {};
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable lr =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(1e-4), .trainable = false});
    return std::make_unique<Adam>(AdamOptions{.learning_rate = lr, .beta1 = 0.5, .beta2 = 0.9});
  }

  int64_t batch, z_dim, nh, nf;
};

}  // namespace gan::began
