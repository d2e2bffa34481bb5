// A convolutional net that reads handwritten digits: trains with evaluation after each epoch, then predicts
// with a clean graph of the same model.
//
//   digits                        8x8 digits of scikit-learn (scripts/setup --digits): about 1 % error
//   digits --data mnist:DIR       MNIST: about 0.6 % error
//   digits --data cifar10:DIR     CIFAR-10: about 25 % error, as this net is made for digits
//
// Ctrl-C (or SIGTERM, or SIGUSR1) saves and ends with exit status 0; the same command goes on from there.
// When training is complete it only predicts. An error is exit status 1. Everything is written under
// train_log/; `tensorboard --logdir train_log` shows it.

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "belfry/belfry.h"
#include "draw_images.h"

using namespace belfry;

namespace {

struct Net : ModelDesc {
  explicit Net(Shape image_shape) : image_shape(std::move(image_shape)) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"image", {kDynamic, image_shape[0], image_shape[1], image_shape[2]}, kFloat32},
            {"label", {kDynamic}, kInt64}};
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [image, label] = in.get<2>();
    ArgScope defaults(Conv2DOptions{.filters = 32, .kernel = 3, .activation = relu},
                      MaxPoolingOptions{.pool = 2});
    const Tensor logits = (image * 2 - 1) | Conv2D("conv0") | MaxPooling("pool0") | Conv2D("conv1") |
                          Conv2D("conv2") | MaxPooling("pool1") | Conv2D("conv3") |
                          FullyConnected("fc0", {.units = 512, .activation = relu}) |
                          Dropout("dropout", {.rate = 0.5}) | FullyConnected("fc1", {.units = 10});
    softmax(logits, -1, "prob");
    if (!label) return {};

    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label), "cross_entropy_loss");
    const Tensor wrong = not_in_top_k(logits, label, 1, "wrong");
    const Tensor decay = regularize_cost("fc.*/W", l2_regularizer(1e-5), "regularize_loss");
    const Tensor total = identity(cost + decay, "total_cost");
    add_moving_summary({cost, decay, total, mean(wrong, "train_error")});
    add_param_summary({{".*/W", {"histogram", "rms"}}});
    return total;
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(1e-3), .trainable = false});
    scalar_summary("lr", rate);
    return std::make_unique<Adam>(AdamOptions{.learning_rate = rate});
  }

  Shape image_shape;
};

struct Data {
  AnyDataFlow train, test;
  Shape image_shape;
};

/// `source`: "digits:FOLDER", "mnist:FOLDER" or "cifar10:FOLDER".
Data open_data(const std::string& source) {
  const std::string kind = source.substr(0, source.find(':'));
  const std::string folder = source.substr(std::min(source.size(), kind.size() + 1));
  auto to_unit = [](at::Tensor image) { return image.to(at::kFloat) / 255; };
  if (kind == "digits") return {Digits(Split::kTrain, folder), Digits(Split::kTest, folder), {8, 8, 1}};
  if (kind == "mnist") return {Mnist(Split::kTrain, folder), Mnist(Split::kTest, folder), {28, 28, 1}};
  if (kind == "cifar10")
    return {MapDataComponent(Cifar10(Split::kTrain, folder), to_unit),
            MapDataComponent(Cifar10(Split::kTest, folder), to_unit),
            {32, 32, 3}};
  throw UsageError("[digits] expected --data digits:PATH, mnist:DIR or cifar10:DIR, got " + source);
}

/// Classifies the test set with a graph made for inference only, and shows the first few images.
void predict(Net& net, const Data& data, const std::string& checkpoint) {
  const OfflinePredictor predictor(
      {.model = net, .session_init = SmartInit(checkpoint), .inputs = {"image"}, .outputs = {"prob"}});
  int64_t right = 0, count = 0;
  for (Datapoint& batch : BatchData(data.test, 256, {.remainder = true}).iterator()) {
    const at::Tensor predicted = predictor(batch[0])[0].argmax(1);
    if (count == 0) {
      std::vector<std::string> captions;
      for (int64_t i = 0; i < std::min<int64_t>(10, predicted.size(0)); ++i)
        captions.push_back(fmt::format("{}{}", predicted[i].item<int64_t>(),
                                       predicted[i].equal(batch[1][i]) ? "" : " wrong"));
      draw_images(batch[0], captions);
    }
    right += predicted.eq(batch[1]).sum().item<int64_t>();
    count += predicted.size(0);
  }
  fmt::print("Test accuracy of {}: {:.2f} % ({} of {} images)\n", checkpoint,
             100.0 * static_cast<double>(right) / static_cast<double>(count), right, count);
}

}  // namespace

int main(int argc, char** argv) try {
  std::string source = "digits:.data/digits", log_dir;
  int64_t epochs = 40, batch = 64;
  std::optional<int64_t> steps_per_epoch;
  bool only_predict = false;
  CLI::App app("Trains a net that reads digits, then predicts with it.");
  app.add_option("--data", source, "digits:PATH, mnist:DIR or cifar10:DIR")->capture_default_str();
  app.add_option("--log-dir", log_dir, "where to write; default: train_log/ and the kind of data");
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--steps-per-epoch", steps_per_epoch, "default: one pass over the data");
  app.add_flag("--predict", only_predict, "do not train");
  CLI11_PARSE(app, argc, argv);

  if (log_dir.empty()) log_dir = "train_log/" + source.substr(0, source.find(':'));
  log_to_file(log_dir + "/log.log");
  const Data data = open_data(source);
  Net net(data.image_shape);

  if (!only_predict) {
    ScheduledHyperParamSetter::Schedule schedule = {{1, 1e-3}};
    if (epochs >= 4) schedule = {{1, 1e-3}, {epochs / 2, 3e-4}, {epochs * 3 / 4, 1e-4}};
    SimpleTrainer trainer;
    StopOnSignal stop_on_signal(trainer);
    launch_train_with_config(
        AutoResumeTrainConfig({
            .model = net,
            .data = QueueInput(BatchData(ShuffleData(data.train), batch)),
            .steps_per_epoch = steps_per_epoch,
            .max_epoch = epochs,
            .callbacks = callbacks(
                ModelSaver(),
                InferenceRunner(
                    BatchData(data.test, 256, {.remainder = true}),
                    {ScalarStats("cross_entropy_loss", "val"), ClassificationError("wrong", "val-error")}),
                MinSaver("val-error"), ScheduledHyperParamSetter("learning_rate", schedule), StopOnNaN()),
            .extra_callbacks = callbacks(ProgressBar({"total_cost"}), MovingAverageSummary(),
                                         MergeAllSummaries(), RunUpdateOps()),
            .log_dir = log_dir,
        }),
        trainer);
    if (trainer.stop_requested()) return 0;
  }
  predict(net, data, log_dir + "/min-val-error");
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
