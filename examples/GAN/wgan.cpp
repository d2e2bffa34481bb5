// "Wasserstein GAN", after tensorpack's examples/GAN/WGAN.py. As example_dcgan is used:
//
//   example_wgan --data img_align_celeba --crop-size 140
//
// tensorpack trains 200 epochs of 500 steps of 64 images, and reports no number.

#include "examples/GAN/wgan.h"

#include "examples/GAN/dcgan_main.h"

using namespace gan;

int main(int argc, char** argv) try {
  const dcgan::Arguments args =
      dcgan::get_args(argc, argv, {.log_dir = "train_log/wgan", .batch = 64, .steps = 500});
  wgan::Model model(args.final_size, args.batch, args.z_dim);
  if (args.sample) {
    dcgan::sample(model, args);
    return 0;
  }
  // One update of the discriminator after two of the generator; the paper has another schedule.
  SeparateGANTrainer trainer(QueueInput(dcgan::get_data(args)), model, {.d_period = 3});
  return dcgan::train(trainer, args, callbacks(ModelSaver(), wgan::ClipCallback()));
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
