// "Dynamic Filter Networks": a net makes the filter that its input is convolved with. Here it learns the
// derivatives of a Gaussian in all directions from images that were filtered with them.
//
//   example_steering_filter --data DIR         DIR holds BSR/BSDS500, Berkeley's segmentation data set
//   example_steering_filter --data fake        noise, which does as well: to learn a filter takes no pictures
//   tensorboard --logdir train_log             filter_export: true filters and learned ones, of 8 angles
//
// tensorpack's examples/DynamicFilterNetwork/steering-filter.py trains 50 epochs, after which the learned
// filters look like the true ones; it reports no number. Other than there: one process for each GPU
// (torchrun) with --gpu, threads in place of processes prepare the images, and a batch is one convolution.

#include "examples/DynamicFilterNetwork/steering_filter.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "belfry/data.h"

using namespace belfry;
using steering_filter::kBatch, steering_filter::kShape;

namespace {

/// Shows learned filters beside the true ones, of 8 angles.
class OnlineTensorboardExport : public Callback {
 public:
  OnlineTensorboardExport() {
    // 32 angles, as the net has a batch of them: 8 different, 4 times repeated.
    theta_ = at::arange(kBatch, at::kFloat).remainder(8) / 8 * 2 * std::numbers::pi;
    for (int64_t i = 0; i < 8; ++i)
      gt_filters_.push_back(steering_filter::get_filter(theta_[i].item<double>()));
  }
  std::string name() const override { return "OnlineTensorboardExport"; }
  void setup_graph() override { pred_ = trainer().get_predictor({"theta"}, {"pred_filter"}); }
  void trigger() override {
    auto n = [](at::Tensor x) {
      x = x - x.min();
      return x / x.max();
    };
    const at::Tensor pred_filters =
        (*pred_)(theta_)[0].to(at::kCPU).narrow(0, 0, 8).flatten(0, 1).squeeze(-1);
    const at::Tensor canvas = at::cat({n(at::cat(gt_filters_, 0)), n(pred_filters)}, 1);
    const at::Tensor halves = at::cat(canvas.chunk(2, 0), 1).unsqueeze(-1) * 255;
    Rng rng(0);
    trainer().monitors().put_image("filter_export", imgaug::Resize(360).augment(halves, rng));
  }

 private:
  at::Tensor theta_;
  std::vector<at::Tensor> gt_filters_;
  std::shared_ptr<Predictor> pred_;
};

AnyDataFlow get_data(const std::string& folder) {
  AnyDataFlow ds = FakeData({{{kShape, kShape}, at::kByte, 0, 256}}, {.size = 200});
  if (folder != "fake") {
    const imgaug::AugmentorList augs({imgaug::Grayscale({.rgb = true}), imgaug::Resize(kShape)});
    const AugmentImageComponent gray(BSDS500("train", folder), augs);
    ds = MapDataComponent(gray, [](const at::Tensor& image) { return image.squeeze(-1); });
  }
  ds = RepeatedData(steering_filter::ThetaImages(ds), 50);  // as if the data set were larger
  const int64_t threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 20);
  return BatchData(MultiThreadRunner(ds, threads), kBatch);
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, log_dir = "train_log/steering_filter";
  int64_t epochs = 50;
  bool gpu = false;
  CLI::App app("Trains a net that makes steering filters.");
  app.add_option("--data", folder, "folder of BSR/BSDS500, or 'fake'")->required();
  app.add_option("--load", load, "model to load");
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_flag("--gpu", gpu, "train on the GPU of each process");
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  DistributedTrainer trainer({.device = gpu ? c10::kCUDA : c10::kCPU});
  StopOnSignal stop_on_signal(trainer);
  const TrainingEnd end =
      launch_train_with_config({.model = steering_filter::Model(),
                                .dataflow = get_data(folder),
                                .max_epoch = epochs,
                                .callbacks = callbacks(ModelSaver(), OnlineTensorboardExport()),
                                .session_init = SmartInit(load),
                                .log_dir = log_dir},
                               trainer);
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
