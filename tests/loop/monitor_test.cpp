#include "belfry/loop/monitor.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "belfry/base/error.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

/// What monitors get for an image.
at::Tensor shown(const at::Tensor& image) {
  std::vector<std::string> lines;
  auto monitor = std::make_shared<test::RecordingMonitor>(lines);
  Monitors monitors;
  monitors.add(monitor);
  monitors.put_image("image", image);
  return monitor->images();
}

TEST(Monitors, TakeImagesInAllFormsThatTensorpackTakes) {
  const auto shape_of = [](at::IntArrayRef shape) {
    return shown(at::full(shape, 7, at::kByte)).sizes().vec();
  };
  EXPECT_EQ(shape_of({2, 5, 6, 3}), (Shape{2, 5, 6, 3}));
  EXPECT_EQ(shape_of({5, 6, 3}), (Shape{1, 5, 6, 3}));
  EXPECT_EQ(shape_of({2, 5, 6}), (Shape{2, 5, 6, 1}));
  EXPECT_EQ(shape_of({5, 6}), (Shape{1, 5, 6, 1}));
}

TEST(Monitors, MakePixelsOfNumbers) {
  const at::Tensor bytes = shown(at::tensor({-1.f, 0.f, 7.9f, 255.f, 300.f, NAN}).reshape({2, 3}));
  EXPECT_TRUE(bytes.flatten().equal(at::tensor({0, 0, 7, 255, 255, 0}, at::kByte)));
}

TEST(Monitors, RefuseWhatIsNoImage) {
  EXPECT_THROW(shown(at::full({2, 5, 6, 2}, 7, at::kByte)), UsageError);
  EXPECT_THROW(shown(at::full({5}, 7, at::kByte)), UsageError);
}

}  // namespace
}  // namespace belfry
