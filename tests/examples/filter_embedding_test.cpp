#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "belfry/belfry.h"
#include "examples/DynamicFilterNetwork/steering_filter.h"
#include "examples/SimilarityLearning/embedding_data.h"
#include "examples/SimilarityLearning/mnist_embeddings.h"
#include "tests/examples/learns_a_batch.h"
#include "tests/examples/model_parity.h"
#include "tests/support/real_data.h"

namespace belfry {
namespace {

using namespace mnist_embeddings;
using test::expect_falls;

struct FilterEmbeddingParity : test::ModelParity<FilterEmbeddingParity> {
  static constexpr const char* kScript = "tests/examples/filter_embedding_models.py";
};

TEST_F(FilterEmbeddingParity, SteeringFilter) {
  expect_same("steering_filter", steering_filter::Model(), {"theta", "image", "gt_image", "gt_filter"},
              {"pred_filter", "dfn/output", "visualization/filters", "visualization/images", "cost"});
}
TEST_F(FilterEmbeddingParity, DynamicConvFilter) {
  auto build = [](const TowerInputs& in) {
    return steering_filter::DynamicConvFilter(
        "dfn", {in["inputs"], get_variable("filters", {4, 150})},
        {.out_channel = 3, .kernel_shape = 5, .stride = {2, 1}, .padding = "VALID"});
  };
  expect_same("dynamic_conv_filter", TowerFunc(build, {{"inputs", {4, 13, 11, 2}}}), {"inputs"},
              {"dfn/output"});
}
TEST(DynamicConvFilter, NeedsAStaticBatchSize) {
  Graph graph;
  GraphScope as_default(graph);
  const Tensor images = placeholder("images", {kDynamic, 8, 8, 1}),
               filters = placeholder("filters", {kDynamic, 9});
  EXPECT_THROW(
      steering_filter::DynamicConvFilter("dfn", {images, filters}, {.out_channel = 1, .kernel_shape = 3}),
      UsageError);
}
// Of values up to 255, added up in another order.
constexpr test::Tolerance kPixels{.relative = 1e-4, .absolute = 1e-3};

TEST_F(FilterEmbeddingParity, ImagesAreFilteredAsByPairsOfFilters) {
  const auto expected = load_checkpoint(*dir / "filters.npz");
  for (int64_t i = 0; i < expected.at("theta").size(0); ++i) {
    const at::Tensor filter = steering_filter::get_filter(expected.at("theta")[i].item<double>());
    const at::Tensor filtered = steering_filter::filter_image(expected.at("image")[i], filter);
    EXPECT_TRUE(test::close(filter, expected.at("filter")[i].to(at::kFloat), test::kSameNet));
    EXPECT_TRUE(test::close(filtered, expected.at("filtered")[i].to(at::kFloat), kPixels));
  }
}
TEST_F(FilterEmbeddingParity, Siamese) {
  expect_same("siamese", SiameseModel(), {"input", "input_y", "label"},
              {"emb", "cost", "loss/pos-dist", "loss/neg-dist"});
  expect_same("siamese_all_alike", SiameseModel(), {"input", "input_y", "label"},
              {"cost", "loss/pos-dist", "loss/neg-dist"});
}
TEST_F(FilterEmbeddingParity, Cosine) {
  expect_same("cosine", CosineModel(), {"input", "input_y", "label"}, {"emb", "cost"});
}
TEST_F(FilterEmbeddingParity, Triplet) {
  expect_same("triplet", TripletModel(), {"input", "input_p", "input_n"},
              {"emb", "cost", "loss/pos-dist", "loss/neg-dist"});
}
TEST_F(FilterEmbeddingParity, SoftTriplet) {
  expect_same("softtriplet", SoftTripletModel(), {"input", "input_p", "input_n"},
              {"emb", "cost", "loss/pos-dist", "loss/neg-dist"});
}
TEST_F(FilterEmbeddingParity, Center) {
  expect_same("center", CenterModel(), {"input", "label"},
              {"emb", "center_loss", "classification_costs", "cost"});
}

Datapoint first_batch(const AnyDataFlow& data, int64_t size) {
  return *BatchData(data, size).start_pass(0).next();
}

TEST(SteeringFilterTraining, LearnsABatch) {
  at::manual_seed(1);
  const FakeData images({{{64, 64}, at::kByte, 0, 256}}, {.size = 32});
  expect_falls(steering_filter::Model(), "cost", first_batch(steering_filter::ThetaImages(images), 32));
}

/// Digits of 28 x 28 pixels: scikit-learn's, three times as large, within a border.
struct EmbeddingTraining : testing::Test {
  void SetUp() override {
    if (test::digits_folder().empty()) GTEST_SKIP() << test::kNoDigits;
    at::manual_seed(1);
    const std::vector<at::Tensor> data = Digits(Split::kTrain, test::digits_folder()).tensors();
    const at::Tensor large = data[0].squeeze(-1).repeat_interleave(3, 1).repeat_interleave(3, 2);
    images = at::constant_pad_nd(large, {2, 2, 2, 2});
    labels = data[1].to(at::kInt);
  }
  DataFromTensors digits() const { return DataFromTensors({images, labels}); }

  at::Tensor images, labels;
};

TEST_F(EmbeddingTraining, SiameseLearnsABatch) {
  expect_falls(SiameseModel(), "cost", first_batch(MnistPairs(digits()), 64));
}
TEST_F(EmbeddingTraining, CosineLearnsABatch) {
  expect_falls(CosineModel(), "cost", first_batch(MnistPairs(digits()), 64));
}
TEST_F(EmbeddingTraining, TripletLearnsABatch) {
  expect_falls(TripletModel(), "cost", first_batch(MnistTriplets(digits()), 42));
}
TEST_F(EmbeddingTraining, SoftTripletLearnsABatch) {
  expect_falls(SoftTripletModel(), "cost", first_batch(MnistTriplets(digits()), 42));
}
TEST_F(EmbeddingTraining, CenterLearnsABatch) {
  expect_falls(CenterModel(), "cost", first_batch(digits(), 64));
}
TEST(CenterTraining, CentersMoveToWhatIsSeenOfTheirClass) {
  test::TempDir dir;
  at::Tensor emb;
  SimpleTrainer trainer;
  launch_train_with_config(
      {.model = CenterModel(),
       .data = QueueInput(DataFromList({{at::rand({3, 28, 28}), at::tensor({3, 3, 7}, at::kInt)}})),
       .steps_per_epoch = 1,
       .max_epoch = 1,
       .callbacks =
           callbacks(ProcessTensors({"emb"}, [&](const std::vector<at::Tensor>& v) { emb = v[0].clone(); })),
       .monitors = std::vector<std::shared_ptr<Monitor>>{},
       .log_dir = dir.path()},
      trainer);
  // "A Discriminative Feature Learning Approach for Deep Face Recognition", equation 4, from centers of 0.
  at::Tensor expected = at::zeros({10, 2});
  expected[3] = 0.01 * (emb[0] + emb[1]) / (1 + 2);
  expected[7] = 0.01 * emb[2] / (1 + 1);
  const Variable centers = trainer.tower_func()->towers()[0].variable("centers");
  EXPECT_TRUE(test::close(trainer.session().value(centers), expected, test::kSameNet));
}

TEST(MnistPairs, HaveEqualLabelsHalfOfTheTime) {
  const at::Tensor labels = at::arange(200, at::kInt).remainder(10);
  const DataFromTensors digits(
      {labels.view({200, 1, 1}).expand({200, 28, 28}), labels});  // pixels tell labels
  int64_t alike = 0, pairs = 0;
  for (const Datapoint& dp : MnistPairs(digits).iterator()) {
    EXPECT_EQ(at::equal(dp[0], dp[1]), dp[2].item<int>() == 1);
    alike += dp[2].item<int>();
    ++pairs;
  }
  EXPECT_EQ(pairs, 200);
  EXPECT_NEAR(static_cast<double>(alike), 100, 30);
  for (const Datapoint& dp : MnistTriplets(digits).iterator()) {
    EXPECT_TRUE(at::equal(dp[0], dp[1]));
    EXPECT_FALSE(at::equal(dp[0], dp[2]));
  }
}
TEST(MnistPairs, NeedEachOfTheTenDigits) {
  const DataFromTensors digits({at::rand({9, 28, 28}), at::arange(9, at::kInt)});
  EXPECT_THROW(MnistPairs{digits}, DataError);
}

}  // namespace
}  // namespace belfry
