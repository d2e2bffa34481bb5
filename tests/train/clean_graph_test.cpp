#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "belfry/belfry.h"
#include "tests/support/close.h"
#include "tests/support/temp_dir.h"

namespace belfry::test {
namespace {

/// A small image classifier with layers that behave differently in training.
struct ImageModel : ModelDesc {
  std::vector<TensorSpec> inputs() const override {
    return {{"image", {kDynamic, 8, 8, 3}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }
  Tensor build_graph(const TowerInputs& in) override {
    Tensor x = Conv2D("conv", in["image"], {.filters = 4, .kernel = 3});
    x = relu(BatchNorm("bn", x));
    x = Dropout("drop", FullyConnected("fc", x, {.units = 10}), {.rate = 0.5});
    softmax(x, -1, "prob");
    if (!in.has("label")) return {};
    return mean(sparse_softmax_cross_entropy(x, in["label"]), "cost");
  }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = 0.1});
  }
};

/// A model trained on [N, 8, 8, 3] floats, and inference on [N, 3, 8, 8] bytes in a graph made by hand.
struct CleanGraphTest : testing::Test {
  CleanGraphTest() {
    SimpleTrainer trainer;
    launch_train_with_config(
        {.model = model,
         .dataflow = FakeData({{.shape = {13, 8, 8, 3}}, {.shape = {13}, .dtype = at::kLong, .high = 10}}),
         .steps_per_epoch = 3,
         .max_epoch = 1,
         .callbacks = callbacks(ModelSaver()),
         .monitors = std::vector<std::shared_ptr<Monitor>>(),
         .log_dir = folder.path()},
        trainer);
    expected = OfflinePredictor(
        {.model = model, .session_init = SmartInit(checkpoint), .inputs = {"image"}, .outputs = {"prob"}})(
        images.to(at::kFloat).permute({0, 2, 3, 1}) / 255)[0];

    bytes = placeholder("bytes", {kDynamic, 3, 8, 8}, kUInt8);
    TowerContext tower("", {.is_training = false});
    model.build_graph({{"image", transpose(cast(bytes, kFloat32) / 255.0, {0, 2, 3, 1})}});
  }

  ImageModel model;
  TempDir folder;
  const std::string checkpoint = folder / "model-3";
  const at::Tensor images = at::randint(256, {5, 3, 8, 8}, at::kByte);
  at::Tensor expected;
  Graph graph;
  GraphScope as_default{graph};
  Tensor bytes;
};

TEST_F(CleanGraphTest, GivesTheSameFromOtherInputsByRestoring) {
  Session session(graph);
  Saver().restore(session, checkpoint);
  EXPECT_TRUE(close(session.run("prob", {{bytes, images}}), expected, kSameSums));
}

TEST_F(CleanGraphTest, GivesTheSameFromOtherInputsByASessionInit) {
  Session session(graph);
  SaverRestore(checkpoint).init(session);
  EXPECT_TRUE(close(session.run("prob", {{bytes, images}}), expected, kSameSums));
}

}  // namespace
}  // namespace belfry::test
