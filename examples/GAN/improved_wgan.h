#pragma once

// The model of improved_wgan.cpp: that of dcgan.h with LayerNorm in the discriminator, and a penalty on the
// gradient of the discriminator in place of clipped weights.

#include "examples/GAN/dcgan.h"

namespace gan::improved_wgan {

struct Model : dcgan::Model {
  using dcgan::Model::Model;

  /// Logits [N].
  Tensor discriminator(const Tensor& imgs) const override {
    const int64_t nf = 64;
    ArgScope conv(Conv2DOptions{.kernel = 4, .strides = 2});
    const Tensor l =
        imgs | Conv2D("conv0", {.filters = nf, .activation = lrelu}) | Conv2D("conv1", {.filters = nf * 2}) |
        LayerNorm("ln1") | lrelu | Conv2D("conv2", {.filters = nf * 4}) | LayerNorm("ln2") | lrelu |
        Conv2D("conv3", {.filters = nf * 8}) | LayerNorm("ln3") | lrelu | FullyConnected("fct", {.units = 1});
    return reshape(l, {-1});
  }

  Tensor build_graph(const TowerInputs& in) override {
    const Tensor image_pos = in["input"] / 128.0 - 1;
    const Tensor z_train = random_normal({batch, zdim}, 0, 1, {}, "z_train");
    const Tensor z = placeholder_with_default(z_train, {kDynamic, zdim}, "z");

    const Initializer init = truncated_normal_initializer(0, 0.02);
    ArgScope defaults(Conv2DOptions{.kernel_initializer = init},
                      Conv2DTransposeOptions{.kernel_initializer = init},
                      FullyConnectedOptions{.kernel_initializer = init});
    const Tensor image_gen = in_scope("gen", [&] { return generator(z); });
    image_summary("generated-samples", image_gen, {{}, 30});

    const Tensor alpha = random_uniform({batch, 1, 1, 1}, 0, 1, {}, "alpha");
    const Tensor interp = image_pos + alpha * (image_gen - image_pos);
    Tensor vecpos, vecneg, vec_interp;
    in_scope("discrim", [&] {
      vecpos = discriminator(image_pos);
      vecneg = discriminator(image_gen);
      vec_interp = discriminator(interp);
    });

    d_loss = mean(vecneg - vecpos, "d_loss");
    g_loss = neg(mean(vecneg), "g_loss");

    const Tensor gradient = gradients(sum(vec_interp), {interp})[0];
    const Tensor slopes = sqrt(sum(square(gradient), {1, 2, 3}));
    const Tensor gradients_rms = sqrt(mean(square(slopes)), "gradient_rms");
    const Tensor gradient_penalty = mean(square(slopes - 1), "gradient_penalty");
    add_moving_summary({d_loss, g_loss, gradient_penalty, gradients_rms});

    d_loss = d_loss + 10 * gradient_penalty;
    collect_variables();
    return {};
  }

  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<Adam>(AdamOptions{.learning_rate = 1e-4, .beta1 = 0.5, .beta2 = 0.9});
  }
};

}  // namespace gan::improved_wgan
