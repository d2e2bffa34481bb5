#include <gtest/gtest.h>

#include "belfry/belfry.h"
#include "tests/support/real_data.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

/// The net of tensorpack's examples/basics/mnist-convnet.py.
struct ConvNet : ModelDesc {
  std::vector<TensorSpec> inputs() const override {
    return {{"image", {kDynamic, 28, 28, 1}, kFloat32}, {"label", {kDynamic}, kInt64}};
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
    not_in_top_k(logits, label, 1, "wrong");
    return mean(sparse_softmax_cross_entropy(logits, label), "cost");
  }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<Adam>(AdamOptions{.learning_rate = 1e-3});
  }
};

TEST(MnistTest, NineThousandDigitsTeachToReadTheOtherThousand) {
  const std::string folder = test::mnist_folder();
  if (folder.empty()) GTEST_SKIP() << test::kNoMnist;
  const Mnist all(Split::kTest, folder);
  const DataFromTensors train = all.slice(0, 9000), test = all.slice(9000, 10000);
  const test::TempDir log_dir;
  ConvNet net;
  SimpleTrainer trainer;
  trainer.graph().set_seed(1);
  launch_train_with_config(
      {.model = net,
       .data = QueueInput(BatchData(ShuffleData(train, {.seed = 1}), 64)),
       .max_epoch = 3,
       .callbacks = callbacks(ModelSaver(),
                              InferenceRunner(BatchData(test, 64, {.remainder = true}),
                                              {ClassificationError("wrong", "val-error")}),
                              MinSaver("val-error")),
       .log_dir = log_dir.path()},
      trainer);
  const double error = trainer.monitors().get_latest("val-error")->value;
  EXPECT_LE(error, 0.025);

  // A clean graph of the best checkpoint says the same of the same images.
  const OfflinePredictor predictor({.model = net,
                                    .session_init = SmartInit(log_dir / "min-val-error"),
                                    .inputs = {"image"},
                                    .outputs = {"prob"}});
  const at::Tensor predicted = predictor(test.tensors()[0])[0].argmax(1);
  EXPECT_LE(predicted.ne(test.tensors()[1]).to(at::kFloat).mean().item<double>(), error + 1e-9);
}

}  // namespace
}  // namespace belfry
