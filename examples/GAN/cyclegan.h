#pragma once

// The model of cyclegan.cpp: two generators, from A to B and back, whose cycles reproduce their input.

#include "examples/GAN/gan.h"

namespace gan::cyclegan {

inline Tensor INReLU(const Tensor& x, const std::string& name) {
  return relu(InstanceNorm("inorm", x), name);
}
inline Tensor INLReLU(const Tensor& x, const std::string& name) {
  return leaky_relu(InstanceNorm("inorm", x), 0.2, name);
}

struct Model : GANModelDesc {
  /// `nf`: channels.
  explicit Model(int64_t shape = 256, int64_t nf = 64) : shape(shape), nf(nf) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"inputA", {kDynamic, shape, shape, 3}, kFloat32},
            {"inputB", {kDynamic, shape, shape, 3}, kFloat32}};
  }

  static LayerCall mirror(int64_t n) {
    return [n](const Tensor& x) {
      return pad(x, {{0, 0}, {0, 0}, {n, n}, {n, n}}, {.mode = PadMode::kSymmetric});
    };
  }

  static Tensor build_res_block(const Tensor& x, const std::string& name, int64_t chan) {
    VariableScope scope(name);
    ArgScope conv(Conv2DOptions{.filters = chan, .kernel = 3, .padding = "valid"});
    return (x | mirror(1) | Conv2D("conv0") | mirror(1) | Conv2D("conv1", {.activation = Activation()}) |
            InstanceNorm("inorm")) +
           x;
  }

  Tensor generator(const Tensor& img) const {
    ArgScope defaults(Conv2DOptions{.activation = INReLU}, Conv2DTransposeOptions{.activation = INReLU});
    Tensor l = img | mirror(3) | Conv2D("conv0", {.filters = nf, .kernel = 7, .padding = "valid"}) |
               Conv2D("conv1", {.filters = nf * 2, .kernel = 3, .strides = 2}) |
               Conv2D("conv2", {.filters = nf * 4, .kernel = 3, .strides = 2});
    for (int k = 0; k < 9; ++k) l = build_res_block(l, fmt::format("res{}", k), nf * 4);
    return l | Conv2DTranspose("deconv0", {.filters = nf * 2, .kernel = 3, .strides = 2}) |
           Conv2DTranspose("deconv1", {.filters = nf, .kernel = 3, .strides = 2}) | mirror(3) |
           Conv2D("convlast",
                  {.filters = 3, .kernel = 7, .padding = "valid", .activation = tanh, .use_bias = true});
  }

  Tensor discriminator(const Tensor& img) const {
    ArgScope conv(Conv2DOptions{.kernel = 4, .strides = 2, .activation = INLReLU});
    return img | Conv2D("conv0", {.filters = nf, .activation = lrelu}) |
           Conv2D("conv1", {.filters = nf * 2}) | Conv2D("conv2", {.filters = nf * 4}) |
           Conv2D("conv3", {.filters = nf * 8, .strides = 1}) |
           Conv2D("conv4", {.filters = 1, .strides = 1, .activation = Activation(), .use_bias = true});
  }

  static void viz3(const std::string& name, const std::vector<Tensor>& images) {
    NameScope scope(name);
    image_summary(name, to_pixels(transpose(concat(images, 3), {0, 2, 3, 1}), "viz"), {{}, 50});
  }

  Tensor build_graph(const TowerInputs& in) override {
    const Tensor A = transpose(in["inputA"] / 128.0 - 1.0, {0, 3, 1, 2});
    const Tensor B = transpose(in["inputB"] / 128.0 - 1.0, {0, 3, 1, 2});

    Tensor AB, BA, ABA, BAB, A_dis_real, A_dis_fake, B_dis_real, B_dis_fake;
    {
      const Initializer init = random_normal_initializer(0, 0.02);  // as in the authors' code
      const std::string nchw = "channels_first";
      ArgScope defaults(
          Conv2DOptions{.data_format = nchw, .use_bias = false, .kernel_initializer = init},
          Conv2DTransposeOptions{.data_format = nchw, .use_bias = false, .kernel_initializer = init},
          InstanceNormOptions{.data_format = nchw});
      in_scope("gen", [&] {
        AB = in_scope("B", [&] { return generator(A); });
        in_scope("A", [&] { BA = generator(B), ABA = generator(AB); });
        BAB = in_scope("B", [&] { return generator(BA); });
      });
      viz3("A_recon", {A, AB, ABA});
      viz3("B_recon", {B, BA, BAB});
      in_scope("discrim", [&] {
        in_scope("A", [&] { A_dis_real = discriminator(A), A_dis_fake = discriminator(BA); });
        in_scope("B", [&] { B_dis_real = discriminator(B), B_dis_fake = discriminator(AB); });
      });
    }

    NameScope scope("losses");
    struct Losses {
      Tensor recon, g, d;
    };
    auto losses = [](const std::string& name, const Tensor& x, const Tensor& recon, const Tensor& real,
                     const Tensor& fake) {
      NameScope scope(name);
      const Tensor recon_loss = mean(abs(x - recon), "recon_loss");
      const Tensor d_real = mean(square(real - 1), "d_real"), d_fake = mean(square(fake), "d_fake");
      const Tensor d = identity((d_real + d_fake) * 0.5, "d_loss"), g = mean(square(fake - 1), "g_loss");
      add_moving_summary({g, d});
      return Losses{recon_loss, g, d};
    };
    const Losses a = losses("LossA", A, ABA, A_dis_real, A_dis_fake);
    const Losses b = losses("LossB", B, BAB, B_dis_real, B_dis_fake);
    const double lambda = 10.0;
    g_loss = add(a.g + b.g, (a.recon + b.recon) * lambda, "G_loss_total");
    d_loss = add(a.d, b.d, "D_loss_total");
    add_moving_summary({a.recon, b.recon, g_loss, d_loss});
    collect_variables();
    return {};
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable lr =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(2e-4), .trainable = false});
    return std::make_unique<Adam>(AdamOptions{.learning_rate = lr, .beta1 = 0.5, .epsilon = 1e-3});
  }

  int64_t shape, nf;
};

}  // namespace gan::cyclegan
