#pragma once

// What the programs of this folder share: the command line, data and samples of dcgan.cpp.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "belfry/data.h"
#include "examples/GAN/gan.h"

namespace gan {

/// The .jpg files of a folder, in order.
inline std::vector<std::string> jpg_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".jpg") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// Random pixels, `count` images in each component of a batch.
inline AnyDataFlow fake_pixels(int64_t count, int64_t side, size_t components) {
  const FakeComponent pixels{.shape = {count, side, side, 3}, .low = 0, .high = 256};
  return FakeData(std::vector<FakeComponent>(components, pixels), {.size = 100, .random = false});
}

namespace dcgan {

struct Arguments {
  std::string load, data, log_dir;
  bool sample = false;
  int64_t load_size = 0, crop_size = 0, final_size = 64, z_dim = 100, batch = 128, epochs = 200, steps = 0;
};

/// `args` has the defaults; `add_options` adds what a program has besides. Ends the program where the command
/// line is wrong.
inline Arguments get_args(int argc, char** argv, Arguments args,
                          const std::function<void(CLI::App& app)>& add_options = {}) {
  CLI::App app("Trains a generative adversarial network.");
  app.add_option("--load", args.load, "checkpoint to begin with");
  app.add_flag("--sample", args.sample, "write generated images to LOG_DIR, without training");
  app.add_option("--data", args.data, "folder of the data, or \"fake\"");
  app.add_option("--load-size", args.load_size, "size to load the original images");
  app.add_option("--crop-size", args.crop_size, "crop the original images");
  app.add_option("--final-size", args.final_size, "size of the network's inputs")->capture_default_str();
  app.add_option("--z-dim", args.z_dim, "size of the noise")->capture_default_str();
  app.add_option("--batch", args.batch)->capture_default_str();
  app.add_option("--epochs", args.epochs)->capture_default_str();
  app.add_option("--steps-per-epoch", args.steps,
                 "0: as many as there is data for, where that is the default")
      ->capture_default_str();
  app.add_option("--log-dir", args.log_dir)->capture_default_str();
  if (add_options) add_options(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e));
  }
  return args;
}

inline AnyDataFlow get_data(const Arguments& args) {
  if (args.data == "fake") return fake_pixels(args.batch, args.final_size, 1);
  std::vector<imgaug::AnyAugmentor> augs;
  if (args.load_size) augs.push_back(imgaug::Resize(args.load_size));
  if (args.crop_size) augs.push_back(imgaug::CenterCrop(args.crop_size));
  augs.push_back(imgaug::Resize(args.final_size));
  const ImageFromFile images(jpg_files(args.data), {.channel = 3, .shuffle = true});
  const MapFunction augment = augment_image_component(imgaug::AugmentorList(augs));
  return BatchData(MultiThreadMapData(images, 5, augment), args.batch);
}

/// Writes a grid of 100 generated images to LOG_DIR/001.jpg.
inline void sample(const AnyModel& model, const Arguments& args, const std::string& output_name = "gen/gen") {
  const OfflinePredictor predict(
      {.model = model, .session_init = SmartInit(args.load), .inputs = {"z"}, .outputs = {output_name}});
  const at::Tensor images = (predict({at::rand({100, args.z_dim}) * 2 - 1})[0] + 1) * 128;
  const DataFromList grid({{viz::stack_patches(images.clamp(0, 255), 10, 10)}});
  viz::dump_dataflow_images(grid, args.log_dir, {.batched = false});
}

/// Trains until the last epoch, or a signal. Returns the exit status of the program.
inline int train(TowerTrainer& trainer, const Arguments& args, Callbacks callbacks) {
  StopOnSignal stop_on_signal(trainer);
  const TrainingEnd end =
      trainer.train_with_defaults({.callbacks = std::move(callbacks),
                                   .session_init = SmartInit(args.load),
                                   .loop = {.steps_per_epoch = args.steps, .max_epoch = args.epochs},
                                   .log_dir = args.log_dir});
  return end.reason == EndReason::kNotFinite ? 1 : 0;
}

}  // namespace dcgan
}  // namespace gan
