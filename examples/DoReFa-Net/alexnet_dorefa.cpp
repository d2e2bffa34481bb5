// DoReFa-Net's AlexNet on ImageNet, after tensorpack's examples/DoReFa-Net/alexnet-dorefa.py.
//
//   torchrun --nproc-per-node 8 --no-python example_alexnet_dorefa --dorefa 1,2,6 --data DIR --gpu
//   example_alexnet_dorefa --dorefa 1,2,6 --load alexnet-126.npz --data DIR --run a.jpg b.jpg
//
// DIR is that of ILSVRC12, with its "ilsvrc_metadata"; "fake" trains on random numbers. tensorpack reports,
// with 8 GPUs and a total batch of 256, top-1 errors of 40.3 % (W,A,G = 32,32,32), 42.0 % (t,32,32), 44.3 %
// (1,32,32), 51.5 % (1,1,32), 42.0 % (8,8,8), 46.6 % (1,2,32), 46.8 % (1,2,6) and 54.0 % (1,2,4).

#include "examples/DoReFa-Net/alexnet_dorefa.h"

#include <ATen/TensorOperators.h>

#include <CLI/CLI.hpp>

using namespace belfry;

namespace {

constexpr int64_t kTotalBatch = 256;

/// Prints the ten likeliest classes of each picture.
void run_image(AlexNetDoReFa& model, const std::string& load, const std::string& folder,
               const std::vector<std::string>& files) {
  const OfflinePredictor predictor(
      {.model = model, .session_init = SmartInit(load), .inputs = {"input"}, .outputs = {"output"}});
  const std::vector<std::string> words = ILSVRCMeta(folder + "/ilsvrc_metadata").get_synset_words_1000();
  const imgaug::AugmentorList augmentors(fbresnet_augmentor(false));
  AugmentImageComponent images(ImageFromFile(files, {.encoded = true}), augmentors, 0,
                               {.decode_augment = {.decode = {.order = imgaug::PixelOrder::kBgr}}});
  size_t file = 0;
  for (const Datapoint& image : images.start_pass(0)) {
    const auto [probability, label] = predictor({image[0].unsqueeze(0)})[0][0].topk(10);
    fmt::print("{}:\n", files[file++]);
    for (int64_t i = 0; i < 10; ++i) {
      fmt::print("  {:.4f} {}\n", probability[i].item<float>(),
                 words[static_cast<size_t>(label[i].item<int64_t>())]);
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, dorefa, log_dir;
  std::vector<std::string> files;
  int64_t epochs = 90;
  bool eval = false, gpu = false;
  CLI::App app("Trains an AlexNet of low bit width on ImageNet.");
  app.add_option("--dorefa", dorefa, "bits of W,A,G; t,32,32 for Trained Ternary Quantization")->required();
  app.add_option("--data", folder, "ILSVRC12's folder, or \"fake\"")->required();
  app.add_option("--load", load, "weights to begin with, to evaluate or to run");
  app.add_option("--run", files, "pictures to classify instead of training");
  app.add_flag("--eval", eval, "evaluate instead of training");
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_flag("--gpu", gpu, "train on the GPU of each process");
  app.add_option("--log-dir", log_dir, "default: by the options, in train_log");
  CLI11_PARSE(app, argc, argv);
  if (log_dir.empty()) log_dir = fmt::format("train_log/alexnet-dorefa-{}", dorefa);

  AlexNetDoReFa model(DoReFaBits::parse(dorefa));
  auto validation = [&](int64_t batch) {
    return get_imagenet_dataflow(folder, "val", batch, fbresnet_augmentor(false));
  };
  if (!files.empty() || eval) {
    if (eval) eval_classification(model, SmartInit(load), validation(128));
    if (!files.empty()) run_image(model, load, folder, files);
    return 0;
  }
  const int64_t batch = kTotalBatch / process_group().world_size();
  log_info("Batch per process: {}", batch);
  DistributedTrainer trainer({.device = gpu ? c10::kCUDA : c10::kCPU});
  const TrainingEnd end = launch_train_with_config(
      {
          .model = model,
          .dataflow = get_imagenet_dataflow(folder, "train", batch, fbresnet_augmentor(true)),
          .steps_per_epoch = 1280000 / kTotalBatch,
          .max_epoch = epochs,
          .callbacks =
              callbacks(ModelSaver(), ScheduledHyperParamSetter("learning_rate", {{60, 4e-5}, {75, 8e-6}}),
                        imagenet_validation(validation(batch))),
          .session_init = SmartInit(load),
          .log_dir = log_dir,
      },
      trainer);
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
