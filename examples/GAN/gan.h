#pragma once

// What the examples of this folder share: models of a generator and a discriminator, and the trainers of such
// models.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"

namespace gan {

using namespace belfry;

/// A model of two players. build_graph sets the two losses and the variables that each player trains.
struct GANModelDesc : ModelDescBase {
  virtual std::unique_ptr<Optimizer> optimizer() = 0;

  /// Sets g_vars and d_vars to the trainable variables under the two scopes; there must be some in each.
  void collect_variables(const std::string& g_scope = "gen", const std::string& d_scope = "discrim") {
    auto under = [](const std::string& scope) {
      std::vector<Variable> variables = trainable_variables();
      std::erase_if(variables, [&](const Variable& v) { return !v.name().starts_with(scope + "/"); });
      if (variables.empty())
        throw UsageError(fmt::format("[GANModelDesc] expected variables under '{}'", scope));
      return variables;
    };
    g_vars = under(g_scope);
    d_vars = under(d_scope);
  }

  /// Sets g_loss and d_loss to those of "Generative Adversarial Nets", with -log D(G(z)) for the generator.
  virtual void build_losses(const Tensor& logits_real, const Tensor& logits_fake) {
    NameScope losses("GAN_loss");
    auto cross_entropy = [](const Tensor& logits, double label, const std::string& name) {
      return mean(sigmoid_cross_entropy(logits, ones_like(logits) * label), name);
    };
    auto share = [](const Tensor& condition, const std::string& name) {
      return mean(cast(condition, kFloat32), name);
    };
    const Tensor score_real = sigmoid(logits_real), score_fake = sigmoid(logits_fake);
    histogram_summary("score-real", score_real);
    histogram_summary("score-fake", score_fake);
    Tensor d_accuracy, g_accuracy;
    {
      NameScope scope("discrim");
      const Tensor loss_pos = cross_entropy(logits_real, 1, "loss_real");
      const Tensor loss_neg = cross_entropy(logits_fake, 0, "loss_fake");
      const Tensor pos_acc = share(score_real > 0.5, "accuracy_real");
      const Tensor neg_acc = share(score_fake < 0.5, "accuracy_fake");
      d_accuracy = add(0.5 * pos_acc, 0.5 * neg_acc, "accuracy");
      d_loss = add(0.5 * loss_pos, 0.5 * loss_neg, "loss");
    }
    {
      NameScope scope("gen");
      g_loss = cross_entropy(logits_fake, 1, "loss");
      g_accuracy = share(score_fake > 0.5, "accuracy");
    }
    add_moving_summary({g_loss, d_loss, d_accuracy, g_accuracy});
  }

  Tensor g_loss, d_loss;
  std::vector<Variable> g_vars, d_vars;
};

/// The base of both trainers: the input, and the training tower of `model`, which must outlive the trainer.
class GANTrainerBase : public TowerTrainer {
 protected:
  GANTrainerBase(Shared<InputSource> input, GANModelDesc& model) {
    set_tower_func(AnyModel(model).tower_func());
    set_input(std::move(input));
    build_training_tower();
  }
};

/// Each step is one update of the generator, then one of the discriminator, by the losses of one batch.
class GANTrainer : public GANTrainerBase {
 public:
  GANTrainer(Shared<InputSource> input, GANModelDesc& model) : GANTrainerBase(std::move(input), model) {
    GraphScope as_default(graph());
    const std::unique_ptr<Optimizer> optimizer = model.optimizer();
    NameScope scope("optimize");
    const GradientsAndVariables g_grads = optimizer->compute_gradients(model.g_loss, model.g_vars);
    const GradientsAndVariables d_grads = optimizer->compute_gradients(model.d_loss, model.d_vars);
    std::vector<Tensor> before;
    for (const auto& [gradient, variable] : d_grads) before.push_back(gradient);
    ControlDependencies after_d_grads(before);
    const Tensor g_min = optimizer->apply_gradients(g_grads, {.name = "g_op"});
    ControlDependencies after_g_min({g_min});
    set_train_op(optimizer->apply_gradients(d_grads, {.name = "d_op"}));
  }
};

/// Updates one player every so many runs, by a batch of its own each time. As in the original each run counts
/// as a step of global_step: with d_period = 3 there is one update of the discriminator to two of the
/// generator, with g_period = 5 one of the generator to five of the discriminator. Other than there the
/// moving averages of BatchNorm are left to RunUpdateOps, for runs that write nothing before their gradients
/// are compiled.
class SeparateGANTrainer : public GANTrainerBase {
 public:
  struct Periods {
    int64_t d_period = 1, g_period = 1;  ///< one of them must be 1
  };
  SeparateGANTrainer(Shared<InputSource> input, GANModelDesc& model, Periods periods)
      : GANTrainerBase(std::move(input), model), periods_(periods) {
    if (std::min(periods.d_period, periods.g_period) != 1)
      throw UsageError("[SeparateGANTrainer] expected a period of 1 for one of the players");
    GraphScope as_default(graph());
    const std::unique_ptr<Optimizer> optimizer = model.optimizer();
    NameScope scope("optimize");
    d_min_ = optimizer->minimize(model.d_loss, model.d_vars, {.name = "d_min"});
    g_min_ = optimizer->minimize(model.g_loss, model.g_vars, {.name = "g_min"});
  }

  /// How many runs there were for each player.
  int64_t d_runs() const { return d_runs_; }
  int64_t g_runs() const { return g_runs_; }

 private:
  void run_step() override {
    if (global_step() % periods_.d_period == 0) {
      run_hooked({d_min_}, next_batch());
      ++d_runs_;
    }
    if (global_step() % periods_.g_period == 0) {
      run_hooked({g_min_}, next_batch());
      ++g_runs_;
    }
  }

  Periods periods_;
  Tensor d_min_, g_min_;
  int64_t d_runs_ = 0, g_runs_ = 0;
};

/// What `build` makes under a scope that may be entered again, with the same variables.
template <typename Build>
auto in_scope(const std::string& name, const Build& build) {
  VariableScope scope(name, {.reuse = Reuse::kAuto});
  return build();
}

inline Tensor lrelu(const Tensor& x, const std::string& name) {
  return leaky_relu(x, 0.2, name);
}
inline Tensor BNLReLU(const Tensor& x, const std::string& name) {
  return leaky_relu(BatchNorm("bn", x), 0.2, name);
}

/// Pixels of [-1, 1] as uint8.
inline Tensor to_pixels(const Tensor& x, const std::string& name) {
  return cast(clip_by_value((x + 1.0) * 128.0, 0, 255), kUInt8, name);
}

}  // namespace gan
