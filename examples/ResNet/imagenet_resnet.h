#pragma once

#include <map>
#include <string>

#include "examples/ImageNetModels/imagenet_utils.h"
#include "examples/ResNet/resnet_model.h"

/// A ResNet of 18, 34, 50, 101 or 152 layers; `mode` is "resnet", "preact", "se" or "resnext32x4d".
class ImageNetResNet : public ImageNetModel {
 public:
  explicit ImageNetResNet(int depth, const std::string& mode = "resnet")
      : num_blocks_(num_blocks_of(depth)),
        block_(block_of(mode, depth < 50)),
        group_(mode == "preact" ? preact_group : resnet_group) {}

  belfry::Tensor get_logits(const belfry::Tensor& image) override {
    using namespace belfry;
    ArgScope format(Conv2DOptions{.data_format = data_format}, MaxPoolingOptions{.data_format = data_format},
                    GlobalAvgPoolingOptions{.data_format = data_format},
                    BatchNormOptions{.data_format = data_format});
    return resnet_backbone(image, num_blocks_, group_, block_);
  }

 private:
  static std::array<int64_t, 4> num_blocks_of(int depth) {
    static const std::map<int, std::array<int64_t, 4>> known = {{18, {2, 2, 2, 2}},
                                                                {34, {3, 4, 6, 3}},
                                                                {50, {3, 4, 6, 3}},
                                                                {101, {3, 4, 23, 3}},
                                                                {152, {3, 8, 36, 3}}};
    auto found = known.find(depth);
    if (found == known.end())
      throw belfry::UsageError(
          fmt::format("[ImageNetResNet] expected a depth of 18, 34, 50, 101 or 152, got {}", depth));
    return found->second;
  }

  static ResNetBlock block_of(const std::string& mode, bool basic) {
    if (mode == "resnet") return basic ? resnet_basicblock : resnet_bottleneck;
    if (mode == "preact") return basic ? preact_basicblock : preact_bottleneck;
    if (mode == "se" && !basic) return se_bottleneck;
    if (mode == "resnext32x4d" && !basic) return resnext32x4d_bottleneck;
    throw belfry::UsageError(fmt::format(
        "[ImageNetResNet] expected the mode resnet or preact, or from depth 50 on se or resnext32x4d, got {}",
        mode));
  }

  std::array<int64_t, 4> num_blocks_;
  ResNetBlock block_;
  ResNetGroup group_;
};
