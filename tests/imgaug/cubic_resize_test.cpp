#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "belfry/data/imgaug/transform.h"

namespace belfry::imgaug {
namespace {

at::Tensor resize(const at::Tensor& image, int64_t h, int64_t w) {
  return ResizeTransform(image.size(0), image.size(1), h, w, Interpolation::kCubic).apply_image(image);
}

// One channel is resized by OpenCV, three by our own code.
TEST(CubicResize, ThreeChannelsAreResizedAsOneIs) {
  for (const auto& [h, w] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {2, 3}, {5, 4}, {13, 39}, {90, 70}, {300, 200}}) {
    for (const auto& [new_h, new_w] :
         std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {7, 5}, {32, 64}, {64, 33}, {224, 224}}) {
      SCOPED_TRACE(testing::Message() << h << " x " << w << " to " << new_h << " x " << new_w);
      const at::Tensor image = at::randint(256, {h, w, 3}, at::kByte);
      const at::Tensor resized = resize(image, new_h, new_w);
      for (int64_t c = 0; c < 3; ++c) {
        // What is left over after 8 values is rounded otherwise: at another place in a row of one channel.
        const at::Tensor difference =
            (resized.select(2, c).to(at::kInt) - resize(image.select(2, c), new_h, new_w)).abs();
        EXPECT_LE(difference.max().item<int>(), new_w % 8 == 0 ? 0 : 1);
      }
    }
  }
}

TEST(CubicResize, APartOfAnImageIsResizedAsItsCopy) {
  const at::Tensor part = at::randint(256, {60, 80, 3}, at::kByte).narrow(0, 20, 40).narrow(1, 30, 50);
  EXPECT_TRUE(at::equal(resize(part, 64, 64), resize(part.contiguous(), 64, 64)));
}

}  // namespace
}  // namespace belfry::imgaug
