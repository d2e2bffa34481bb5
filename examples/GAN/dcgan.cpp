// DCGAN, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
// after tensorpack's examples/GAN/DCGAN.py.
//
//   example_dcgan --data img_align_celeba --crop-size 140     aligned and cropped CelebA, a folder of jpg
//   files example_dcgan --load CHECKPOINT --sample                  draws 100 faces
//
// tensorpack shows faces after 200 epochs of 300 steps of 128 images, and reports no number. Ctrl-C (or
// SIGTERM, or SIGUSR1) saves and ends with exit status 0; an error is exit status 1.
//
// Other than there: one device; drawn images go to a file of --log-dir, rather than to a window.

#include "examples/GAN/dcgan.h"

#include "examples/GAN/dcgan_main.h"

using namespace gan;

int main(int argc, char** argv) try {
  const dcgan::Arguments args = dcgan::get_args(argc, argv, {.log_dir = "train_log/dcgan", .steps = 300});
  dcgan::Model model(args.final_size, args.batch, args.z_dim);
  if (args.sample) {
    dcgan::sample(model, args);
    return 0;
  }
  GANTrainer trainer(QueueInput(dcgan::get_data(args)), model);
  return dcgan::train(trainer, args, callbacks(ModelSaver()));
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
