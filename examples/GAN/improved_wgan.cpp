// "Improved Training of Wasserstein GANs", after tensorpack's examples/GAN/Improved-WGAN.py. As example_dcgan
// is used:
//
//   example_improved_wgan --data img_align_celeba --crop-size 140
//
// tensorpack trains 200 epochs of 300 steps of 64 images, and reports no number.

#include "examples/GAN/improved_wgan.h"

#include "examples/GAN/dcgan_main.h"

using namespace gan;

int main(int argc, char** argv) try {
  const dcgan::Arguments args = dcgan::get_args(
      argc, argv, {.log_dir = "train_log/improved_wgan", .z_dim = 128, .batch = 64, .steps = 300});
  improved_wgan::Model model(args.final_size, args.batch, args.z_dim);
  if (args.sample) {
    dcgan::sample(model, args);
    return 0;
  }
  SeparateGANTrainer trainer(QueueInput(dcgan::get_data(args)), model, {.g_period = 5});
  return dcgan::train(trainer, args, callbacks(ModelSaver()));
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
