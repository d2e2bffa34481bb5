#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "belfry/belfry.h"
#include "belfry/data.h"

// What the models of ImageNet share: data, base class and evaluation. Images are BGR, as those that
// tensorpack's published weights were trained with.

/// Colour jitter along the principal components of ImageNet's pixels.
inline belfry::imgaug::Lighting imagenet_lighting() {
  return {0.1,
          {.eigval = {0.0045 * 255, 0.0188 * 255, 0.2175 * 255},
           .eigvec = {{{0.4203, -0.6948, -0.5836}, {-0.8140, -0.0045, -0.5808}, {0.4009, 0.7192, -0.5675}}}}};
}

/// The augmentation of fb.resnet.torch.
inline std::vector<belfry::imgaug::AnyAugmentor> fbresnet_augmentor(bool is_train) {
  using namespace belfry::imgaug;
  if (!is_train) return {ResizeShortestEdge(256, Interpolation::kCubic), CenterCrop(224)};
  return {GoogleNetRandomCropAndResize({.interp = Interpolation::kCubic}), ToFloat32(),
          RandomOrderAug({BrightnessScale({0.6, 1.4}), Contrast({0.6, 1.4}, {.rgb = false}),
                          Saturation(0.4, {.rgb = false}), imagenet_lighting()}),
          ToUint8(), Flip({.horiz = true})};
}

/// Batches of uint8 images and labels of ILSVRC12 below `folder`; `name` is "train" or "val". Of "fake":
/// the same random batch again and again, to measure a model or to try it.
inline belfry::AnyDataFlow get_imagenet_dataflow(const std::string& folder, const std::string& name,
                                                 int64_t batch_size,
                                                 std::vector<belfry::imgaug::AnyAugmentor> augmentors) {
  using namespace belfry;
  const bool is_train = name == "train";
  if (folder == "fake") {
    return FakeData({{.shape = {batch_size, 224, 224, 3}, .dtype = kUInt8, .low = 0, .high = 255},
                     {.shape = {batch_size}, .dtype = kInt64, .low = 0, .high = 1000}},
                    {.size = is_train ? 1000 : 5, .random = false});
  }
  return ImageBatchData(ILSVRC12(folder, name), batch_size, imgaug::AugmentorList(std::move(augmentors)),
                        {.num_thread = std::max<int64_t>(std::thread::hardware_concurrency(), 1),
                         .as_uint8 = true,
                         .remainder = !is_train,
                         .decode_augment = {.decode = {.order = imgaug::PixelOrder::kBgr}}});
}

/// A classifier of ImageNet: get_logits() is the model, the rest is the same for all.
class ImageNetModel : public belfry::ModelDesc {
 public:
  int64_t image_shape = 224;
  belfry::DType image_dtype = belfry::kUInt8;
  /// Of the images that get_logits() is given.
  std::string data_format = "NHWC";
  bool image_bgr = true;
  double weight_decay = 1e-4;
  /// ".*/W|.*/gamma|.*/beta" to decay normalisation too.
  std::string weight_decay_pattern = ".*/W";
  double loss_scale = 1;
  double label_smoothing = 0;
  /// How many steps accumulate a gradient.
  int64_t accum_grad = 1;

  virtual belfry::Tensor get_logits(const belfry::Tensor& image) = 0;

  std::vector<belfry::TensorSpec> inputs() const override {
    using namespace belfry;
    return {{"input", {kDynamic, image_shape, image_shape, 3}, image_dtype}, {"label", {kDynamic}, kInt64}};
  }

  belfry::Tensor build_graph(const belfry::TowerInputs& in) override {
    using namespace belfry;
    auto [input, label] = in.get<2>();
    Tensor image = image_preprocess(input);
    if (data_format == "NCHW") image = transpose(image, {0, 3, 1, 2});
    const Tensor logits = get_logits(image);
    softmax(logits, -1, "prob");
    if (!label) return {};

    const Tensor loss = compute_loss_and_error(logits, label);
    if (weight_decay <= 0) {
      const Tensor cost = identity(loss, "cost");
      add_moving_summary({cost});
      return cost * loss_scale;
    }
    const Tensor decay =
        regularize_cost(weight_decay_pattern, l2_regularizer(weight_decay), "l2_regularize_loss");
    add_moving_summary({loss, decay});
    const Tensor cost = identity(loss + decay, "cost");
    return loss_scale == 1 ? cost : cost * loss_scale;
  }

  std::unique_ptr<belfry::Optimizer> optimizer() override {
    using namespace belfry;
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(0.1), .trainable = false});
    scalar_summary("learning_rate-summary", rate);
    auto momentum = std::make_unique<Momentum>(
        MomentumOptions{.learning_rate = rate, .momentum = 0.9, .use_nesterov = true});
    if (accum_grad == 1) return momentum;
    return std::make_unique<AccumGradOptimizer>(std::move(momentum), accum_grad);
  }

 private:
  belfry::Tensor image_preprocess(const belfry::Tensor& input) const {
    using namespace belfry;
    NameScope scope("image_preprocess");
    std::vector<float> mean = {0.485f * 255, 0.456f * 255, 0.406f * 255};
    std::vector<float> std = {0.229f * 255, 0.224f * 255, 0.225f * 255};
    if (image_bgr) {
      std::swap(mean[0], mean[2]);
      std::swap(std[0], std[2]);
    }
    return (cast(input, kFloat32) - constant(at::tensor(mean))) / constant(at::tensor(std));
  }

  belfry::Tensor compute_loss_and_error(const belfry::Tensor& logits, const belfry::Tensor& label) const {
    using namespace belfry;
    Tensor losses;
    if (label_smoothing == 0) {
      losses = sparse_softmax_cross_entropy(logits, label);
    } else {
      const int64_t classes = logits.dim(-1);
      const Tensor smooth =
          one_hot(label, classes) * (1 - label_smoothing) + label_smoothing / static_cast<double>(classes);
      losses = softmax_cross_entropy(logits, smooth);
    }
    const Tensor loss = mean(losses, "xentropy-loss");
    add_moving_summary({mean(not_in_top_k(logits, label, 1, "wrong-top1"), "train-error-top1")});
    add_moving_summary({mean(not_in_top_k(logits, label, 5, "wrong-top5"), "train-error-top5")});
    return loss;
  }
};

/// Prints the top-1 and top-5 errors of a model with the weights of `init`.
inline void eval_classification(ImageNetModel& model, const belfry::AnySessionInit& init,
                                const belfry::AnyDataFlow& data) {
  using namespace belfry;
  FeedfreePredictor predict({.model = model, .session_init = init, .outputs = {"wrong-top1", "wrong-top5"}},
                            QueueInput(data, {.infinite = false}));
  RatioCounter top1, top5;
  while (auto wrong = predict()) {
    top1.feed((*wrong)[0].sum().item<int64_t>(), (*wrong)[0].size(0));
    top5.feed((*wrong)[1].sum().item<int64_t>(), (*wrong)[1].size(0));
  }
  fmt::print("Top1 Error: {}\nTop5 Error: {}\n", top1.ratio(), top5.ratio());
}

/// ClassificationErrors of both, over the validation set.
inline belfry::InferenceRunner imagenet_validation(const belfry::AnyDataFlow& data) {
  using namespace belfry;
  return InferenceRunner(data, {ClassificationError("wrong-top1", "val-error-top1"),
                                ClassificationError("wrong-top5", "val-error-top5")});
}
