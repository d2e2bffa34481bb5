#pragma once

// The model of wgan.cpp: that of dcgan.h with the losses of "Wasserstein GAN".

#include "examples/GAN/dcgan.h"

namespace gan::wgan {

struct Model : dcgan::Model {
  using dcgan::Model::Model;

  void build_losses(const Tensor& vecpos, const Tensor& vecneg) override {
    d_loss = mean(vecneg - vecpos, "d_loss");
    g_loss = neg(mean(vecneg), "g_loss");
    add_moving_summary({d_loss, g_loss});
  }

  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<RMSProp>(RMSPropOptions{.learning_rate = 1e-4});
  }
};

/// Keeps the discriminator's variables within [-0.01, 0.01], after each step.
inline PeriodicTrigger ClipCallback() {
  auto clip = [] {
    std::vector<Tensor> ops;
    for (const Variable& v : trainable_variables()) {
      if (!v.name().starts_with("discrim/")) continue;
      log_info("Clip {}", v.name());
      ops.push_back(assign(v, clip_by_value(v, -0.01, 0.01)));
    }
    return group(ops, "clip");
  };
  return PeriodicTrigger(RunOp(clip, {.run_before = false}), {.every_k_steps = 1});
}

}  // namespace gan::wgan
