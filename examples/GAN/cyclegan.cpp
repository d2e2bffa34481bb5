// "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", after tensorpack's
// examples/GAN/CycleGAN.py.
//
//   example_cyclegan --data datasets/horse2zebra       DIR holds trainA, trainB, testA and testB: jpg files
//
// tensorpack trains 195 epochs of one image of each kind per step, and reports no number. Images of training
// and of the test set are in TensorBoard. Ctrl-C (or SIGTERM, or SIGUSR1) saves and ends with exit status 0;
// an error is exit status 1.

#include "examples/GAN/cyclegan.h"

#include "examples/GAN/dcgan_main.h"

using namespace gan;

namespace {

AnyDataFlow get_data(const dcgan::Arguments& args, bool is_train) {
  const int64_t shape = args.final_size, batch = is_train ? args.batch : 32;
  if (args.data == "fake") return fake_pixels(batch, shape, 2);
  std::vector<imgaug::AnyAugmentor> augs = {imgaug::Resize(shape)};
  if (is_train) {
    augs = {imgaug::Resize(static_cast<int64_t>(static_cast<double>(shape) * 1.12)),
            imgaug::RandomCrop(shape), imgaug::Flip({.horiz = true})};
  }
  auto images = [&](const std::string& name, uint64_t seed) -> AnyDataFlow {
    const ImageFromFile files(jpg_files(args.data + "/" + name),
                              {.channel = 3, .shuffle = is_train, .seed = seed});
    return AugmentImageComponent(files, imgaug::AugmentorList(augs), 0, {}, {.seed = seed});
  };
  const std::string part = is_train ? "train" : "test";
  return PrefetchData(
      BatchData(JoinData({images(part + "A", 1), images(part + "B", 2)}), batch, {.remainder = !is_train}),
      2);
}

/// Shows what becomes of the test set.
class VisualizeTestSet : public Callback {
 public:
  explicit VisualizeTestSet(AnyDataFlow data) : data_(std::move(data)) {}
  std::string name() const override { return "VisualizeTestSet"; }
  void setup_graph() override {
    pred_ = trainer().get_predictor({"inputA", "inputB"}, {"A_recon/viz", "B_recon/viz"});
  }
  void trigger() override {
    int idx = 0;
    DataIterator pass = data_->start_pass(0);
    while (std::optional<Datapoint> images = pass.next()) {
      const std::vector<at::Tensor> viz = (*pred_)(*images);
      trainer().monitors().put_image(fmt::format("testA-{}", idx), viz[0]);
      trainer().monitors().put_image(fmt::format("testB-{}", idx), viz[1]);
      ++idx;
    }
  }

 private:
  AnyDataFlow data_;
  std::shared_ptr<Predictor> pred_;
};

}  // namespace

int main(int argc, char** argv) try {
  dcgan::Arguments args = dcgan::get_args(
      argc, argv, {.log_dir = "train_log/cyclegan", .final_size = 256, .batch = 1, .epochs = 195});
  const AnyDataFlow data = get_data(args, true);
  if (args.steps == 0) args.steps = data->size().value();
  cyclegan::Model model(args.final_size);
  GANTrainer trainer(QueueInput(data), model);
  return dcgan::train(
      trainer, args,
      callbacks(ModelSaver(),
                ScheduledHyperParamSetter("learning_rate", {{100, 2e-4}, {200, 0}}, {.linear = true}),
                PeriodicTrigger(VisualizeTestSet(get_data(args, false)), {.every_k_epochs = 3})));
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
