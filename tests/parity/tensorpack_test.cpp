#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "belfry/callbacks/model_saver.h"
#include "belfry/callbacks/run_op.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/checkpoint/restore.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/input/queue_input.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/adam.h"
#include "belfry/optim/momentum.h"
#include "belfry/predict/offline_predictor.h"
#include "belfry/train/launch.h"
#include "belfry/train/single_cost_trainer.h"
#include "tests/support/close.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

namespace belfry {
namespace {

constexpr const char* kScript = "tests/parity/tensorpack_net.py";
constexpr test::Tolerance kPredictionTolerance{.relative = 0, .absolute = 1e-5};

/// The net of tensorpack_net.py.
struct Digits : ModelDesc {
  explicit Digits(std::string optimizer_name) : optimizer_name(std::move(optimizer_name)) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"image", {kDynamic, 8, 8, 1}, kFloat32}, {"label", {kDynamic}, kInt32}};
  }
  Tensor build_graph(const TowerInputs& in) override {
    auto [image, label] = in.get<2>();
    Tensor x = Conv2D("conv0", image,
                      {.filters = 8, .kernel = 3, .activation = Activation(BNReLU), .use_bias = false});
    x = MaxPooling("pool0", x, {.pool = 2});
    x = Conv2D("conv1", x, {.filters = 12, .kernel = 3, .strides = 2, .activation = relu});
    x = BatchNorm("bn1", x);
    x = FullyConnected("fc0", x, {.units = 32, .activation = relu});
    const Tensor logits = FullyConnected("fc1", x, {.units = 10});
    softmax(logits, -1, "prob");
    return mean(sparse_softmax_cross_entropy(logits, label), "cost");
  }
  std::unique_ptr<Optimizer> optimizer() override {
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(0.01), .trainable = false});
    if (optimizer_name == "adam") return std::make_unique<Adam>(AdamOptions{.learning_rate = rate});
    return std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate, .momentum = 0.9});
  }

  std::string optimizer_name;
};

class TensorpackInterchange : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
    test::run_python(kScript, {"train", dir.path(), GetParam()});
  }
  at::Tensor predict(const std::string& checkpoint, const at::Tensor& images) {
    OfflinePredictor predictor({.model = model,
                                .session_init = SaverRestore(dir / checkpoint),
                                .inputs = {"image"},
                                .outputs = {"prob"}});
    return predictor(images)[0];
  }
  /// The second epoch, on the batches of the first; saved as belfry/model-40.
  void train_second_epoch() {
    auto batches = load_checkpoint(dir / "batches.npz");
    const DataFromTensors data({batches.at("image"), batches.at("label")});
    TrainConfig config{.model = model,
                       .data = QueueInput(data),
                       .starting_epoch = 2,
                       .steps_per_epoch = 20,
                       .max_epoch = 2,
                       .callbacks = callbacks(ModelSaver()),
                       .extra_callbacks = callbacks(RunUpdateOps()),
                       .monitors = std::vector<std::shared_ptr<Monitor>>{},
                       .session_init = SaverRestore(dir / "first/checkpoint"),
                       .log_dir = dir / "belfry"};
    launch_train_with_config(config, SimpleTrainer());
  }

  test::TempDir dir;
  Digits model{GetParam()};
};

TEST_P(TensorpackInterchange, ANetTrainedThereGoesOnTrainingHereAndThenThereAgain) {
  const auto probe = load_checkpoint(dir / "probe.npz");
  EXPECT_TRUE(
      test::close(predict("first/model-20", probe.at("image")), probe.at("prob"), kPredictionTolerance));

  train_second_epoch();
  save_checkpoint(dir / "belfry_probe.npz", {{"prob", predict("belfry/model-40", probe.at("image"))}});

  const std::string verdict = test::run_python(kScript, {"resume", dir.path(), GetParam()});
  EXPECT_THAT(verdict, testing::HasSubstr("ok, errors: "));
}

INSTANTIATE_TEST_SUITE_P(Parity, TensorpackInterchange, testing::Values("momentum", "adam"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace belfry
