// A GAN on MNIST that is told which digit to draw, after tensorpack's examples/GAN/ConditionalGAN-mnist.py.
//
//   example_conditionalgan_mnist --data DIR                   DIR holds MNIST's files
//   example_conditionalgan_mnist --load CHECKPOINT --sample   draws ten digits of each kind
//
// tensorpack trains 100 epochs of 500 steps of 128 images, and reports no number. Ctrl-C (or SIGTERM, or
// SIGUSR1) saves and ends with exit status 0; an error is exit status 1.
//
// Other than there: the discriminator's convolutions have strides of 2. There it says 1, and then
// concatenates 28 x 28 and 14 x 14 maps, which cannot be.

#include "examples/GAN/conditionalgan_mnist.h"

#include <ATen/ops/arange.h>

#include "examples/GAN/dcgan_main.h"

using namespace gan;

namespace {

AnyDataFlow get_data(const std::string& folder, int64_t batch) {
  if (folder == "fake") {
    return FakeData({{.shape = {batch, 28, 28}}, {.shape = {batch}, .dtype = kInt64, .low = 0, .high = 10}},
                    {.size = 100, .random = false});
  }
  const ConcatData digits(
      {Mnist(Split::kTrain, folder, {.shuffle = true}), Mnist(Split::kTest, folder, {.shuffle = true})});
  return BatchData(MapDataComponent(digits, [](const at::Tensor& image) { return image.squeeze(-1); }),
                   batch);
}

void sample(const std::string& model_path, const std::string& folder) {
  const OfflinePredictor predict({.model = conditionalgan_mnist::Model(),
                                  .session_init = SmartInit(model_path),
                                  .inputs = {"label", "z"},
                                  .outputs = {"gen/gen"}});
  const at::Tensor digits = predict({at::arange(100) % 10, at::rand({100, 100}) * 2 - 1})[0] * 255;
  const DataFromList grid({{viz::stack_patches(digits.clamp(0, 255), 10, 10)}});
  viz::dump_dataflow_images(grid, folder, {.batched = false, .resize = imgaug::Size2(800)});
}

}  // namespace

int main(int argc, char** argv) try {
  const dcgan::Arguments args =
      dcgan::get_args(argc, argv, {.log_dir = "train_log/conditionalgan_mnist", .epochs = 100, .steps = 500});
  if (args.sample) {
    sample(args.load, args.log_dir);
    return 0;
  }
  conditionalgan_mnist::Model model(args.batch);
  GANTrainer trainer(QueueInput(get_data(args.data, args.batch)), model);
  return dcgan::train(trainer, args, callbacks(ModelSaver()));
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
