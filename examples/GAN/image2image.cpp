// "Image-to-Image Translation with Conditional Adversarial Networks" (pix2pix), after tensorpack's
// examples/GAN/Image2Image.py.
//
//   example_image2image --data DIR --mode BtoA           DIR holds jpg files of s x 2s: A at the left, B
//   right example_image2image --data DIR --mode BtoA --load CHECKPOINT --sample
//
// tensorpack trains 300 epochs of one pair per step, and reports no number. Images of training are in
// TensorBoard. Ctrl-C (or SIGTERM, or SIGUSR1) saves and ends with exit status 0; an error is exit status 1.
//
// Other than there: images have three channels, and one device trains.

#include "examples/GAN/image2image.h"

#include "examples/GAN/dcgan_main.h"

using namespace gan;

namespace {

/// {image [s, 2s, 3]} to {input, output}.
MapFunction split_input(bool b_to_a) {
  return [b_to_a](const Datapoint& dp) {
    const int64_t s = dp[0].size(0);
    if (dp[0].size(1) != 2 * s) throw DataError("[split_input] expected an image twice as wide as high");
    at::Tensor input = dp[0].narrow(1, 0, s), output = dp[0].narrow(1, s, s);
    if (b_to_a) std::swap(input, output);
    return Datapoint{input.contiguous(), output.contiguous()};
  };
}

AnyDataFlow get_data(const std::string& folder, bool b_to_a, const std::vector<imgaug::AnyAugmentor>& augs,
                     int64_t batch) {
  if (folder == "fake") return fake_pixels(batch, 256, 2);
  const ImageFromFile images(jpg_files(folder), {.channel = 3, .shuffle = true});
  const MapData pairs(images, split_input(b_to_a));
  const MapData augmented(pairs, augment_image_components(imgaug::AugmentorList(augs), {0, 1}));
  return PrefetchData(BatchData(augmented, batch), 100);
}

void sample(const AnyDataFlow& data, const std::string& model_path, const std::string& folder) {
  DatasetPredictor predict({.model = image2image::Model(),
                            .session_init = SmartInit(model_path),
                            .inputs = {"input", "output"},
                            .outputs = {"viz"}},
                           data);
  std::vector<Datapoint> grids;
  predict.for_each([&](const DatasetPredictor::Result& result) {
    grids.push_back({viz::stack_patches(result[0], 3, 2)});
  });
  viz::dump_dataflow_images(DataFromList(grids), folder, {.batched = false});
}

}  // namespace

int main(int argc, char** argv) try {
  std::string mode = "AtoB";
  dcgan::Arguments args = dcgan::get_args(
      argc, argv, {.log_dir = "train_log/image2image", .batch = 1, .epochs = 300}, [&](CLI::App& app) {
        app.add_option("--mode", mode)->check(CLI::IsMember({"AtoB", "BtoA"}))->capture_default_str();
      });
  const bool b_to_a = mode == "BtoA";
  if (args.sample) {
    sample(get_data(args.data, b_to_a, {imgaug::Resize(256)}, 6), args.load, args.log_dir);
    return 0;
  }
  const AnyDataFlow data =
      get_data(args.data, b_to_a, {imgaug::Resize(286), imgaug::RandomCrop(256)}, args.batch);
  if (args.steps == 0) args.steps = data->size().value();
  image2image::Model model;
  GANTrainer trainer(QueueInput(data), model);
  return dcgan::train(trainer, args,
                      callbacks(PeriodicTrigger(ModelSaver(), {.every_k_epochs = 3}),
                                ScheduledHyperParamSetter("learning_rate", {{200, 1e-4}})));
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
