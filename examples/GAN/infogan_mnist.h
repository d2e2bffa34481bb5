#pragma once

// The model of infogan_mnist.cpp: the discriminator also tells the code that an image was made of, and both
// players gain from what it can tell.

#include <cmath>
#include <numbers>

#include "examples/GAN/gan.h"

namespace gan::infogan_mnist {

// The latent code is cat(10) x uni(2), beside noise.
constexpr int64_t kNumClass = 10, kNumUniform = 2, kDistParamDim = kNumClass + kNumUniform, kNoiseDim = 62;

struct Model : GANModelDesc {
  explicit Model(int64_t batch = 128) : batch(batch) {}

  std::vector<TensorSpec> inputs() const override { return {{"input", {kDynamic, 28, 28}, kFloat32}}; }

  Tensor generator(const Tensor& z) const {
    const Activation bn_relu(BNReLU);
    ArgScope deconv(Conv2DTransposeOptions{.kernel = 4, .strides = 2});
    const Tensor l = z | FullyConnected("fc0", {.units = 1024, .activation = bn_relu}) |
                     FullyConnected("fc1", {.units = 128 * 7 * 7, .activation = bn_relu});
    return sigmoid(reshape(l, {-1, 7, 7, 128}) |
                       Conv2DTranspose("deconv1", {.filters = 64, .activation = bn_relu}) |
                       Conv2DTranspose("deconv2", {.filters = 1}),
                   "gen");
  }

  /// Logits [N, 1], and the parameters of the code's distribution [N, kDistParamDim].
  std::pair<Tensor, Tensor> discriminator(const Tensor& imgs) const {
    ArgScope conv(Conv2DOptions{.kernel = 4, .strides = 2});
    const Tensor l = imgs | Conv2D("conv0", {.filters = 64}) | lrelu | Conv2D("conv1", {.filters = 128}) |
                     BatchNorm("bn1") | lrelu | FullyConnected("fc1", {.units = 1024}) | BatchNorm("bn2") |
                     lrelu;
    const Tensor logits = FullyConnected("fct", l, {.units = 1});
    const Tensor encoder = l | FullyConnected("fce1", {.units = 128}) | BatchNorm("bne") | lrelu |
                           FullyConnected("fce-out", {.units = kDistParamDim});
    return {logits, encoder};
  }

  /// The "uniform" part of the code is modelled as a Gaussian, but drawn evenly, as in the authors' code.
  Tensor sample_prior() const {
    NameScope scope("sample_prior");
    const Tensor cat = reshape(random_categorical(zeros({batch, kNumClass}), 1), {-1});
    return concat({one_hot(cat, kNumClass), random_uniform({batch, kNumUniform}, -1, 1)}, 1);
  }

  /// An estimate of H(x|s), where x are samples and vec the parameters of their distribution given s.
  static std::vector<Tensor> entropy_from_samples(const Tensor& samples, const Tensor& vec) {
    const std::vector<int64_t> sizes = {kNumClass, kNumUniform};
    const std::vector<Tensor> x = split(samples, sizes, 1), params = split(vec, sizes, 1);
    const Tensor nll_cat = sparse_softmax_cross_entropy(params[0], argmax(x[0], 1));
    const Tensor nll_uni = 0.5 * squared_difference(x[1], params[1]) + 0.5 * std::log(2 * std::numbers::pi);
    return {mean(nll_cat, "nll_cat"), sum(mean(nll_uni, 0), "nll_uniform")};
  }

  Tensor build_graph(const TowerInputs& in) override {
    const Tensor real_sample = expand_dims(in["input"], -1);
    const Tensor zc = placeholder_with_default(sample_prior(), {kDynamic, kDistParamDim}, "z_code");
    const Tensor z_noise =
        placeholder_with_default(random_uniform({batch, kNoiseDim}, -1, 1), {kDynamic, kNoiseDim}, "z_noise");
    const Tensor z = concat({zc, z_noise}, 1, "z");

    Tensor fake_sample, real_pred, fake_pred, dist_param;
    {
      const Initializer init = truncated_normal_initializer(0, 0.02);
      ArgScope defaults(Conv2DOptions{.kernel_initializer = init},
                        Conv2DTransposeOptions{.kernel_initializer = init},
                        FullyConnectedOptions{.kernel_initializer = init});
      in_scope("gen", [&] {
        fake_sample = generator(z);
        image_summary("gen", cast(fake_sample * 255.0, kUInt8, "viz"), {{}, 30});
      });
      in_scope("discrim", [&] {
        real_pred = discriminator(real_sample).first;
        std::tie(fake_pred, dist_param) = discriminator(fake_sample);
      });
    }

    // I(x;s) = H(x) - H(x|s): the prior's entropy, a constant, and a lower bound of the rest.
    Tensor MI;
    {
      NameScope scope("mutual_information");
      const double normal_entropy = 0.5 * (1 + std::log(2 * std::numbers::pi));
      const Tensor entropy =
          constant(std::log(double(kNumClass)) + kNumUniform * normal_entropy, "prior_entropy");
      const std::vector<Tensor> cond_ents = entropy_from_samples(zc, dist_param);
      const Tensor cond_entropy = add_n(cond_ents, "conditional_entropy");
      MI = subtract(entropy, cond_entropy, "mutual_information");
      add_moving_summary({entropy, cond_entropy, MI, cond_ents[0], cond_ents[1]});
    }

    build_losses(real_pred, fake_pred);
    g_loss = subtract(g_loss, MI, "total_g_loss");
    d_loss = subtract(d_loss, MI, "total_d_loss");
    add_moving_summary({g_loss, d_loss});
    collect_variables();
    return {};
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable lr =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(2e-4), .trainable = false});
    // As in the original, where it is meant to let the generator learn faster.
    return apply_grad_processors(
        std::make_unique<Adam>(AdamOptions{.learning_rate = lr, .beta1 = 0.5, .epsilon = 1e-6}),
        ScaleGradient({{"gen/.*", 5}}));
  }

  int64_t batch;
};

}  // namespace gan::infogan_mnist
