// A generative adversarial network on 8x8 digits, as an example of a trainer of one's own: two costs, two
// optimizers, two runs for each step. Nothing in the library knows of GANs.
//
//   gan_trainer                   reads .data/digits, which scripts/setup --digits makes
//
// After 60 epochs (about half a minute) the generated digits that it draws can be recognised, mostly. Ctrl-C
// (or SIGTERM, or SIGUSR1) saves and ends with exit status 0; an error is exit status 1.

#include <fmt/format.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/rand.h>

#include <CLI/CLI.hpp>

#include "belfry/belfry.h"
#include "draw_images.h"

using namespace belfry;

namespace {

constexpr int64_t kNoise = 32;

Tensor generator(const Tensor& noise) {
  const Tensor pixels = noise | FullyConnected("fc0", {.units = 256, .activation = relu}) |
                        FullyConnected("fc1", {.units = 256, .activation = relu}) |
                        FullyConnected("fc2", {.units = 64, .activation = sigmoid});
  return reshape(pixels, {-1, 8, 8, 1});
}

Tensor discriminator(const Tensor& image) {
  auto leaky = [](const Tensor& x) { return leaky_relu(x); };
  return (image * 2 - 1) | FullyConnected("fc0", {.units = 256, .activation = leaky}) |
         Dropout("drop0", {.rate = 0.3}) | FullyConnected("fc1", {.units = 128, .activation = leaky}) |
         FullyConnected("fc2", {.units = 1});
}

/// The tower function. It names its two costs; the trainer finds them by these names.
Tensor build_gan(const TowerInputs& in) {
  const Tensor real = in["image"], noise = in["noise"];
  Tensor fake, real_logits, fake_logits;
  {
    VariableScope scope("gen");
    fake = generator(noise);
  }
  {
    VariableScope scope("discrim");
    real_logits = discriminator(real);
  }
  {
    VariableScope scope("discrim", {.reuse = Reuse::kReuse});
    fake_logits = discriminator(fake);
  }
  identity(fake, "fake");
  auto cost = [](const Tensor& logits, double target) {
    return mean(sigmoid_cross_entropy(logits, ones_like(logits) * target));
  };
  const Tensor d_cost = identity(cost(real_logits, 0.9) + cost(fake_logits, 0), "d_cost");
  const Tensor g_cost = identity(cost(fake_logits, 1), "g_cost");
  add_moving_summary({d_cost, g_cost});
  return {};
}

class GanTrainer : public TowerTrainer {
 public:
  GanTrainer(TowerFunc model, Shared<InputSource> input) {
    set_tower_func(std::move(model));
    set_input(std::move(input));
    build_training_tower();
    GraphScope as_default(graph());
    Adam g_optimizer({.learning_rate = 5e-4, .beta1 = 0.5}),
        d_optimizer({.learning_rate = 5e-4, .beta1 = 0.5});
    train_generator_ = g_optimizer.minimize(graph().tensor("g_cost"), variables_under("gen/"),
                                            {.global_step = {}, .name = "g"});
    train_discriminator_ = d_optimizer.minimize(graph().tensor("d_cost"), variables_under("discrim/"),
                                                {.global_step = {}, .name = "d"});
  }

 private:
  void run_step() override {
    const std::vector<at::Tensor> batch = next_batch();
    run({train_generator_}, batch);
    run_hooked({train_discriminator_}, batch);
  }

  static std::vector<Variable> variables_under(const std::string& scope) {
    std::vector<Variable> variables = trainable_variables();
    std::erase_if(variables, [&](const Variable& v) { return !v.name().starts_with(scope); });
    return variables;
  }

  Tensor train_generator_, train_discriminator_;
};

/// Draws what the generator makes of the same noise now and then.
class DrawSamples : public Callback {
 public:
  std::string name() const override { return "DrawSamples"; }
  void setup_graph() override { predictor_ = trainer().get_predictor({"noise"}, {"fake"}); }
  void trigger() override { draw_images((*predictor_)(noise_)[0], std::vector<std::string>(10)); }

 private:
  std::shared_ptr<Predictor> predictor_;
  at::Tensor noise_ = at::rand({10, kNoise}) * 2 - 1;
};

}  // namespace

int main(int argc, char** argv) try {
  std::string folder = ".data/digits", log_dir = "train_log/gan";
  int64_t epochs = 60;
  CLI::App app("Trains a generative adversarial network that draws digits.");
  app.add_option("--data", folder, "folder of digits.csv.gz")->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const Digits digits(Split::kTrain, folder);
  auto add_noise = [](Datapoint point) {
    return Datapoint{point[0], at::rand({point[0].size(0), kNoise}) * 2 - 1};
  };
  const MapData data(BatchData(ShuffleData(digits), 64), add_noise);
  TowerFunc model(build_gan, {{"image", {kDynamic, 8, 8, 1}}, {"noise", {kDynamic, kNoise}}});

  GanTrainer trainer(std::move(model), QueueInput(data));
  TrainOptions options{.callbacks = default_callbacks(),
                       .monitors = default_monitors(),
                       .session_init = {},
                       .loop = {.steps_per_epoch = 2 * *data.size(), .max_epoch = epochs},
                       .log_dir = log_dir};
  options.callbacks.push_back(std::make_shared<ModelSaver>());
  options.callbacks.push_back(
      std::make_shared<PeriodicTrigger>(DrawSamples(), PeriodicTriggerOptions{.every_k_epochs = 20}));
  StopOnSignal stop_on_signal(trainer);
  trainer.train(options);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
