// What InferenceRunner costs beside the computation: it evaluates MNIST's test set (10,000 digits, batches of
// 128) from a dataflow of samples, against one call of a predictor for each of the same batches made before.
// Both in turn; prints the medians.
//
// usage: evaluation MNIST_FOLDER THREADS

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "belfry/belfry.h"

using namespace belfry;

namespace {

Tensor model(const TowerInputs& in) {
  auto [image, label] = in.get<2>();
  ArgScope defaults(Conv2DOptions{.filters = 32, .kernel = 3, .activation = relu},
                    MaxPoolingOptions{.pool = 2});
  const Tensor logits = (image * 2.0 - 1.0) | Conv2D("conv0") | MaxPooling("pool0") | Conv2D("conv1") |
                        Conv2D("conv2") | MaxPooling("pool1") | Conv2D("conv3") |
                        FullyConnected("fc0", {.units = 512, .activation = relu}) |
                        FullyConnected("fc1", {.units = 10});
  not_in_top_k(logits, label, 1, "wrong");
  return mean(sparse_softmax_cross_entropy(logits, label), "loss");
}

/// Times both at the end of an epoch.
class Measure : public Callback {
 public:
  Measure(std::shared_ptr<InferenceRunner> runner, std::vector<Datapoint> batches)
      : runner_(std::move(runner)), batches_(std::move(batches)) {}
  std::string name() const override { return "Measure"; }
  void trigger() override {
    const auto predictor = trainer().get_predictor({"image", "label"}, {"wrong", "loss"});
    std::vector<double> evaluation, computation;
    for (int round = 0; round < 12; ++round) {
      evaluation.push_back(milliseconds([&] { runner_->trigger(); }));
      computation.push_back(milliseconds([&] {
        for (const Datapoint& batch : batches_) (*predictor)(batch);
      }));
    }
    const double ours = median(evaluation), pure = median(computation);
    fmt::print("InferenceRunner {:.1f} ms, computation alone {:.1f} ms, ratio {:.3f}\n", ours, pure,
               ours / pure);
  }

 private:
  template <typename F>
  static double milliseconds(F&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }
  static double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
  }

  std::shared_ptr<InferenceRunner> runner_;
  std::vector<Datapoint> batches_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: {} MNIST_FOLDER THREADS\n", argv[0]);
    return 2;
  }
  at::set_num_threads(std::stoi(argv[2]));
  const AnyDataFlow data = BatchData(Mnist(Split::kTest, argv[1]), 128, {.remainder = true});
  std::vector<Datapoint> batches;
  for (Datapoint& batch : data->iterator()) batches.push_back(std::move(batch));
  auto runner = std::make_shared<InferenceRunner>(
      data, Inferencers{ScalarStats("loss"), ClassificationError("wrong", "val-error")});
  SimpleTrainer trainer;
  trainer.setup_graph(
      TowerFunc(model, {{"image", {kDynamic, 28, 28, 1}, kFloat32}, {"label", {kDynamic}, kInt64}}),
      QueueInput(data), [] { return std::make_unique<Adam>(AdamOptions{}); });
  trainer.train({.callbacks = callbacks(runner, Measure(runner, std::move(batches))),
                 .loop = {.steps_per_epoch = 1, .max_epoch = 1}});
}
