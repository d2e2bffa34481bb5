// "BEGAN: Boundary Equilibrium Generative Adversarial Networks", after tensorpack's examples/GAN/BEGAN.py. As
// example_dcgan is used:
//
//   example_began --data img_align_celeba --crop-size 140
//
// tensorpack trains 400 epochs of 500 steps of 32 images, and finds its faces the best of this folder's.
//
// Other than there: the loss of a step takes kt as that step has changed it, where TensorFlow leaves open
// whether it reads it before or after.

#include "examples/GAN/began.h"

#include "examples/GAN/dcgan_main.h"

using namespace gan;

int main(int argc, char** argv) try {
  const dcgan::Arguments args = dcgan::get_args(
      argc, argv, {.log_dir = "train_log/began", .z_dim = 64, .batch = 32, .epochs = 400, .steps = 500});
  began::Model model(args.batch, args.z_dim);
  if (args.sample) {
    dcgan::sample(model, args, "gen/conv4.3/output");
    return 0;
  }
  GANTrainer trainer(QueueInput(dcgan::get_data(args)), model);
  const StatMonitorParamSetter halve_rate("learning_rate", "losses/measure", [](double x) { return x * 0.5; },
                                          {.threshold = 0, .last_k = 10});
  return dcgan::train(trainer, args, callbacks(ModelSaver(), halve_rate));
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
