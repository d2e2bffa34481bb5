// "InfoGAN: Interpretable Representation Learning by Information Maximizing GAN" on MNIST, after tensorpack's
// examples/GAN/InfoGAN-mnist.py.
//
//   example_infogan_mnist --data DIR                   DIR holds MNIST's files
//   example_infogan_mnist --load CHECKPOINT --sample   draws what each part of the code changes
//
// tensorpack trains 100 epochs of 500 steps of 128 images, after which ten codes stand for the digits and two
// for their slant and their thickness; it reports no number. Ctrl-C (or SIGTERM, or SIGUSR1) saves and ends
// with exit status 0; an error is exit status 1.

#include "examples/GAN/infogan_mnist.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linspace.h>

#include "examples/GAN/dcgan_main.h"

using namespace gan;

namespace {

AnyDataFlow get_data(const std::string& folder, int64_t batch) {
  if (folder == "fake") return FakeData({{.shape = {batch, 28, 28}}}, {.size = 100, .random = false});
  const ConcatData digits(
      {Mnist(Split::kTrain, folder, {.shuffle = true}), Mnist(Split::kTest, folder, {.shuffle = true})});
  return BatchData(MapData(digits, [](const Datapoint& dp) { return Datapoint{dp[0].squeeze(-1)}; }), batch);
}

/// Three grids: all digits; then, with the same noise, both continuous codes from -2 to 2, as in the paper.
void sample(const std::string& model_path, const std::string& folder) {
  const OfflinePredictor predict({.model = infogan_mnist::Model(),
                                  .session_init = SmartInit(model_path),
                                  .inputs = {"z_code", "z_noise"},
                                  .outputs = {"gen/viz"}});
  const at::Tensor z_cat = at::eye(10).repeat({10, 1}), z_uni = at::linspace(-2, 2, 100).unsqueeze(1);
  const at::Tensor z_noise = at::rand({100, infogan_mnist::kNoiseDim}) * 2 - 1;
  auto grid = [&](const at::Tensor& first, const at::Tensor& second, const at::Tensor& noise) {
    const at::Tensor images = predict({at::cat({z_cat, first, second}, 1), noise})[0];
    return viz::stack_patches(images, 10, 10);
  };
  const std::vector<at::Tensor> grids = {grid(z_uni * 0, z_uni * 0, z_noise),
                                         grid(z_uni, z_uni * 0, z_noise * 0),
                                         grid(z_uni * 0, z_uni, z_noise * 0)};
  const DataFromList canvas({{viz::stack_patches(grids, 1, 3, {.border = 5, .bgcolor = {255, 0, 0}})}});
  viz::dump_dataflow_images(canvas, folder, {.batched = false});
}

}  // namespace

int main(int argc, char** argv) try {
  const dcgan::Arguments args =
      dcgan::get_args(argc, argv, {.log_dir = "train_log/infogan_mnist", .epochs = 100, .steps = 500});
  if (args.sample) {
    sample(args.load, args.log_dir);
    return 0;
  }
  infogan_mnist::Model model(args.batch);
  GANTrainer trainer(QueueInput(get_data(args.data, args.batch)), model);
  return dcgan::train(trainer, args, callbacks(ModelSaver({.keep_checkpoint_every_n_hours = 0.1})));
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
