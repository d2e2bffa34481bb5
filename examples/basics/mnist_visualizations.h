#pragma once

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"

namespace mnist_visualizations {
using namespace belfry;

inline constexpr int64_t kImageSize = 28;

/// Shows all filters [H, W, in, out] as one image: a row for each output, a column for each input.
inline void visualize_conv_weights(const Tensor& filters, const std::string& name) {
  NameScope scope("visualize_w_" + name);
  const Tensor rows = concat(unstack(transpose(filters, {3, 2, 0, 1})), 1);  // [in, out * H, W]
  const Tensor image = concat(unstack(rows), 1);                             // [out * H, in * W]
  image_summary("image", expand_dims(expand_dims(image, 0), -1, "pixels"));
}

/// Shows the channels of `activation` [N, H, W, C], nearly all of them, side by side in a square.
inline void visualize_conv_activations(const Tensor& activation, const std::string& name) {
  NameScope scope("visualize_act_" + name);
  const int64_t channels = activation.dim(-1);
  const auto per_row = static_cast<int64_t>(std::sqrt(static_cast<double>(channels)));
  std::vector<Tensor> columns;
  for (int64_t first = 0; first < channels - per_row; first += per_row) {
    const Tensor some = slice(activation, {0, 0, 0, first}, {-1, -1, -1, per_row});
    columns.push_back(concat(unstack(some, 3), 1));
  }
  image_summary("image", expand_dims(concat(columns, 2), -1, "pixels"));
}

/// The convnet for MNIST, with what its filters and activations look like.
struct Model : ModelDesc {
  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, kImageSize, kImageSize}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [image, label] = in.get<2>();
    image = expand_dims(image * 2 - 1, 3);

    ArgScope defaults(Conv2DOptions{.filters = 32, .kernel = 3, .activation = relu});
    const Tensor c0 = Conv2D("conv0", image);
    const Tensor c1 = c0 | MaxPooling("pool0", {.pool = 2}) | Conv2D("conv1");
    const Tensor c2 = Conv2D("conv2", c1);
    const Tensor c3 = c2 | MaxPooling("pool1", {.pool = 2}) | Conv2D("conv3");
    const Tensor logits = c3 | FullyConnected("fc0", {.units = 512, .activation = relu}) |
                          Dropout("dropout", {.rate = 0.5}) | FullyConnected("fc1", {.units = 10});
    {
      NameScope scope("visualizations");
      const Tensor shown[] = {c0, c1, c2, c3};
      for (int64_t i = 0; i < 4; ++i) {
        const std::string name = fmt::format("conv{}", i);
        visualize_conv_weights(variables_of(shown[i])["W"], name);
        visualize_conv_activations(shown[i], name);
      }
      image_summary("input", (image + 1.0) * 128.0);
    }
    identity(logits, "logits");
    if (!label) return {};

    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label), "cross_entropy_loss");
    mean(cast(in_top_k(logits, label, 1), kFloat32), "accuracy");
    const Tensor squares = regularize_cost("fc.*/W", [](const Tensor& w) { return l2_loss(w); });
    return add_n({identity(squares * 1e-5, "regularize_loss"), cost}, "total_cost");
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Tensor rate =
        exponential_decay(1e-3, get_global_step(),
                          {.decay_steps = 468 * 10, .decay_rate = 0.3, .staircase = true}, "learning_rate");
    scalar_summary("lr", rate);
    return std::make_unique<Adam>(AdamOptions{.learning_rate = rate});
  }
};

}  // namespace mnist_visualizations
