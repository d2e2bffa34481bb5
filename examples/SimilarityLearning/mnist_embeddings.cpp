// Digits in a plane, like ones near to each other: five losses that embed them so.
//
//   example_mnist_embeddings -a siamese --data DIR         DIR holds MNIST's files
//   example_mnist_embeddings -a siamese --data fake        random images, to see it run
//   example_mnist_embeddings -a siamese --data DIR --visualize --load train_log/mnist-embeddings/siamese
//
// Of -a siamese, cosine, triplet, softtriplet, center. After tensorpack's
// examples/SimilarityLearning/mnist-embeddings.py, which trains 20 epochs and shows pictures of the test
// digits where they are embedded (results.jpg there); --visualize writes them as siamese.jpg and so on.
//
// On purpose different: the centers of -a center move, as in their paper; the original builds an operation
// that moves them, but nothing runs it.

#include "examples/SimilarityLearning/mnist_embeddings.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/rand.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>

#include "belfry/data.h"
#include "examples/SimilarityLearning/embedding_data.h"
#include "examples/write_jpeg.h"

using namespace belfry;
using namespace mnist_embeddings;

namespace {

struct Algorithm {
  std::shared_ptr<EmbeddingModel> model;
  std::function<AnyDataFlow(const DataFromTensors& digits)> get_data;
};

Algorithm algorithm(const std::string& name) {
  auto pairs = [](const DataFromTensors& digits) { return BatchData(MnistPairs(digits), 128 / 2); };
  auto triplets = [](const DataFromTensors& digits) { return BatchData(MnistTriplets(digits), 128 / 3); };
  if (name == "siamese") return {std::make_shared<SiameseModel>(), pairs};
  if (name == "cosine") return {std::make_shared<CosineModel>(), pairs};
  if (name == "triplet") return {std::make_shared<TripletModel>(), triplets};
  if (name == "softtriplet") return {std::make_shared<SoftTripletModel>(), triplets};
  return {std::make_shared<CenterModel>(),
          [](const DataFromTensors& digits) { return BatchData(digits, 128); }};
}

/// Images [28, 28] and labels int32.
DataFromTensors digits(Split split, const std::string& folder) {
  if (folder == "fake")
    return DataFromTensors({at::rand({512, 28, 28}), at::arange(512, at::kInt).remainder(10)});
  const std::vector<at::Tensor> mnist = Mnist(split, folder).tensors();
  return DataFromTensors({mnist[0].squeeze(-1), mnist[1].to(at::kInt)}, {.shuffle = split == Split::kTrain});
}

/// Test digits, black on white, each where its embedding is. One that is too near to another is left out.
void visualize(const std::string& folder, const std::string& load, const std::string& name) {
  const OfflinePredictor pred({.model = algorithm(name).model,
                               .session_init = SmartInit(load),
                               .inputs = {"input"},
                               .outputs = {"emb"}});
  constexpr int64_t kNumBatches = 6, kBatchSize = 128, kHeight = 900, kWidth = 1200, kSide = 28, kTitle = 30;
  std::vector<at::Tensor> images, embeddings;
  for (const Datapoint& dp : BatchData(digits(Split::kTest, folder), kBatchSize).iterator()) {
    images.push_back(dp[0]);
    embeddings.push_back(pred(dp[0])[0]);
    if (std::ssize(images) == kNumBatches) break;
  }
  const at::Tensor digit = (1 - at::cat(images)) * 255, embed = at::cat(embeddings);
  const at::Tensor low = embed.amin(0), extent = (embed.amax(0) - low).clamp_min(1e-12);
  const double near = 3e-4 * extent.square().sum().item<double>();

  at::Tensor canvas = at::full({kTitle + kHeight, kWidth}, 255.0);
  std::vector<at::Tensor> shown;
  for (int64_t i = 0; i < embed.size(0); ++i) {
    const bool crowded = std::any_of(shown.begin(), shown.end(), [&](const at::Tensor& other) {
      return (embed[i] - other).square().sum().item<double>() < near;
    });
    if (crowded) continue;
    shown.push_back(embed[i]);
    const at::Tensor unit = (embed[i] - low) / extent;
    const auto x = static_cast<int64_t>(unit[0].item<double>() * (kWidth - kSide));
    const auto y = kTitle + static_cast<int64_t>((1 - unit[1].item<double>()) * (kHeight - kSide));
    const at::Tensor place = canvas.narrow(0, y, kSide).narrow(1, x, kSide);
    place.copy_(at::minimum(place, digit[i]));
  }
  const at::Tensor pixels = canvas.to(at::kByte).unsqueeze(-1);
  const std::string title = fmt::format("Embedding using {}-loss", name);
  write_jpeg(name + ".jpg", viz::draw_text(pixels, {kWidth / 2 - 100, 25}, title, {80, 80, 80}));
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, name, log_dir;
  int64_t epochs = 20;
  bool show = false;
  CLI::App app("Embeds MNIST's digits in a plane.");
  app.add_option("-a,--algorithm", name)
      ->required()
      ->check(CLI::IsMember({"siamese", "cosine", "triplet", "softtriplet", "center"}));
  app.add_option("--data", folder, "folder of MNIST's files, or 'fake'")->required();
  app.add_option("--load", load, "model to load");
  app.add_flag("--visualize", show, "draw the embeddings of test digits instead of training");
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--log-dir", log_dir, "default: train_log/mnist-embeddings/ALGORITHM");
  CLI11_PARSE(app, argc, argv);
  if (show) {
    visualize(folder, load, name);
    return 0;
  }

  if (log_dir.empty()) log_dir = "train_log/mnist-embeddings/" + name;
  std::vector<std::string> extra_display = {"cost"};
  if (name != "cosine" && name != "center")
    extra_display.insert(extra_display.end(), {"loss/pos-dist", "loss/neg-dist"});
  const Algorithm chosen = algorithm(name);
  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  launch_train_with_config(
      {.model = chosen.model,
       .dataflow = chosen.get_data(digits(Split::kTrain, folder)),
       .max_epoch = epochs,
       .callbacks =
           callbacks(ModelSaver(), ScheduledHyperParamSetter("learning_rate", {{10, 1e-5}, {20, 1e-6}})),
       .extra_callbacks =
           callbacks(MovingAverageSummary(), ProgressBar(extra_display), MergeAllSummaries(), RunUpdateOps()),
       .session_init = SmartInit(load),
       .log_dir = log_dir},
      trainer);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
