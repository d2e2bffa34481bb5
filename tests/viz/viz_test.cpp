#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "belfry/base/error.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/data/codecs/jpeg.h"
#include "belfry/data/viz/colormap.h"
#include "belfry/data/viz/draw.h"
#include "belfry/data/viz/dump_images.h"
#include "belfry/data/viz/stack_patches.h"
#include "belfry/dataflow/raw.h"
#include "tests/formats/arrays.h"
#include "tests/support/close.h"
#include "tests/support/message_of.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"
#include "tests/viz/colormap_baseline.h"

namespace belfry::viz {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

/// Pictures, and what tensorpack draws of them: viz_values.py.
class VizTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!test::python_available()) return;
    test::TempDir dir;
    test::run_python("tests/viz/viz_values.py", {dir / "values.npz"});
    all = load_checkpoint(dir / "values.npz");
  }
  void SetUp() override {
    if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  }
  static at::Tensor get(const std::string& name) { return all.at(name); }

  static inline std::map<std::string, at::Tensor> all;
};

TEST_F(VizTest, StacksAsTensorpackDoes) {
  EXPECT_TRUE(at::equal(stack_patches(get("gray"), 2, 3), get("stack_gray")));
  EXPECT_TRUE(at::equal(stack_patches(get("color"), 3, 2, {.border = 4, .bgcolor = {10, 20, 30}}),
                        get("stack_color")));
  EXPECT_TRUE(at::equal(stack_patches(get("gray"), 1, 5, {.border = 0, .bgcolor = {10, 20, 30}}),
                        get("stack_gray_on_color")));
  EXPECT_TRUE(
      at::equal(stack_patches(get("float"), 2, 3, {.border = 1, .bgcolor = {7}}), get("stack_float")));
  EXPECT_TRUE(at::equal(
      stack_patches({get("gray")[0], get("color")[0], get("small")}, 2, 2, {.pad = true, .bgcolor = {99}}),
      get("stack_pad")));
}

TEST_F(VizTest, MakesAsManyGridsAsAreNeeded) {
  const std::vector<at::Tensor> grids = gen_stack_patches(get("color"), {.max_width = 130, .max_height = 70});
  ASSERT_EQ(grids.size(), 2u);
  EXPECT_TRUE(at::equal(grids[0], get("grid0")));
  EXPECT_TRUE(at::equal(grids[1], get("grid1")));
}

TEST_F(VizTest, DrawsAsTensorpackDoes) {
  const at::Tensor canvas = get("canvas"), before = canvas.clone();
  const DrawBoxesOptions options{.labels = {"cat", "a long label gjy", "all", "right"},
                                 .color = {200, 30, 90}};
  EXPECT_TRUE(at::equal(draw_boxes(canvas, get("boxes"), options), get("boxes_drawn")));
  EXPECT_TRUE(at::equal(draw_boxes(canvas.select(2, 0), get("boxes")), get("boxes_plain")));
  EXPECT_TRUE(
      at::equal(draw_text(canvas, {100, 3}, "Belfry 0.1", {0, 90, 200}, {.font_scale = 0.6}), get("text")));
  EXPECT_TRUE(at::equal(canvas, before));
}

TEST_F(VizTest, HasTensorpacksPalette) {
  std::vector<at::Tensor> rows;
  for (const auto& color : palette_rgb()) rows.push_back(at::tensor(at::ArrayRef<float>(color)));
  EXPECT_TRUE(test::close(at::stack(rows), get("palette"), test::kSameFormula));
}

TEST(StackPatches, RefusesWhatIsNoGrid) {
  const at::Tensor five = at::zeros({5, 4, 4, 3});
  const auto error = [](auto call) { return message_of<UsageError>(call); };
  EXPECT_THAT(error([&] { stack_patches(five, 2, 2); }),
              HasSubstr("expected rows and columns for 5 images, got 2 x 2"));
  EXPECT_THAT(error([&] { stack_patches(at::zeros({5, 4, 4, 2}), 2, 3); }), HasSubstr("got Float [4, 4, 2]"));
  EXPECT_THAT(
      error([&] {
        stack_patches({at::zeros({4, 4}), at::zeros({5, 4})}, 1, 2);
      }),
      HasSubstr("expected images of one shape, or the option pad, got Byte [4, 4, 1] and Byte [5, 4, 1]"));
  EXPECT_THAT(error([&] { stack_patches(std::vector<at::Tensor>{}, 1, 2); }),
              HasSubstr("at least one image"));
  EXPECT_THROW(stack_patches(five, 2, 3, {.border = -1}), UsageError);
  EXPECT_THROW(stack_patches(five, 2, 3, {.bgcolor = {1, 2}}), UsageError);
  EXPECT_THROW(stack_patches(at::zeros({4, 4}), 2, 3), UsageError);
  EXPECT_THROW(gen_stack_patches(five, {.max_width = 3}), UsageError);
}

TEST(StackPatches, CutsValuesOff) {
  const at::Tensor grid = stack_patches(at::tensor({-3.0, 2.9, 255.9, 300.0}).view({1, 2, 2}), 1, 1);
  EXPECT_TRUE(at::equal(grid.view({-1}), at::tensor({0, 2, 255, 255}, at::kByte)));
}

TEST(DrawBoxes, RefusesWhatIsNoBox) {
  const at::Tensor image = at::zeros({20, 30, 3}, at::kByte);
  const auto draw = [&](std::vector<float> box) {
    return message_of<DataError>([&] { draw_boxes(image, at::tensor(box).view({1, 4})); });
  };
  EXPECT_EQ(draw({0, 0, 30, 20}), "nothing was thrown");
  EXPECT_THAT(draw({0, 0, 31, 20}), HasSubstr("in an image of 30 x 20, got (0, 0, 31, 20)"));
  EXPECT_THAT(draw({-1, 0, 3, 3}), HasSubstr("got (-1, 0, 3, 3)"));
  EXPECT_THAT(draw({5, 5, 3, 9}), HasSubstr("with an area"));
  EXPECT_THAT(draw({NAN, 5, 3, 9}), HasSubstr("got (nan, 5, 3, 9)"));
  EXPECT_THROW(draw_boxes(image, at::zeros({4})), UsageError);
  EXPECT_THROW(draw_boxes(at::zeros({20, 30, 3}), at::zeros({1, 4})), UsageError);
  EXPECT_THROW(draw_boxes(image, at::zeros({1, 4}), {.labels = {"a", "b"}}), UsageError);
}

TEST(IntensityToRgb, HasMatplotlibsColours) {
  const at::Tensor intensities = at::tensor(test::kIntensities).view({1, -1});
  for (const auto& [name, colors] : test::kColors) {
    const at::Tensor expected = at::tensor(at::ArrayRef<float>(colors)).view({1, -1, 3});
    EXPECT_TRUE(
        test::close(intensity_to_rgb(intensities, name), expected, {.relative = 1e-5, .absolute = 1e-5}))
        << name;
  }
}

TEST(IntensityToRgb, NormalizesAndRefuses) {
  const at::Tensor rgb = intensity_to_rgb(at::tensor({2.0, 4.0, 3.0}).view({1, 3}), "gray", true);
  EXPECT_TRUE(test::close(rgb.select(2, 0).view({3}), at::tensor({0.F, 255.F, 128.F}), test::kSameFormula));
  EXPECT_TRUE(at::equal(intensity_to_rgb(at::full({1, 2}, 7), "gray", true), at::zeros({1, 2, 3})));
  EXPECT_THAT(message_of<UsageError>([] {
                intensity_to_rgb(at::zeros({1, 1}), "viridis");
              }),
              HasSubstr("expected a colour map of cubehelix, gray, hot, jet, got 'viridis'"));
  EXPECT_THROW(intensity_to_rgb(at::zeros({3})), UsageError);
}

TEST(DumpDataflowImages, WritesThePicturesOfBatches) {
  test::TempDir dir;
  DataFromList data(
      {{at::full({2, 8, 8, 3}, 0.5)}, {at::full({2, 8, 8, 3}, 1)}, {at::full({2, 8, 8, 3}, 0)}});
  const std::string folder = dir / "pictures";
  EXPECT_EQ(dump_dataflow_images(data, folder, {.number = 3, .scale = 255, .resize = imgaug::Size2(4, 6)}),
            3);
  std::vector<std::string> names = FileSystem::posix().list(folder);
  EXPECT_THAT(names, ElementsAre("001.jpg", "002.jpg", "003.jpg"));
  const std::string third = test::slurp(folder + "/003.jpg"), first = test::slurp(folder + "/001.jpg");
  const at::Tensor picture = imgaug::decode_jpeg(as_byte_span(third));
  EXPECT_THAT(picture.sizes(), ElementsAre(4, 6, 3));
  EXPECT_EQ(picture.min().item<int>(), 255);
  EXPECT_EQ(imgaug::decode_jpeg(as_byte_span(first))[1][1][0].item<int>(), 128);
  EXPECT_EQ(dump_dataflow_images(data, folder, {}), 6);  // over the old ones
  EXPECT_THROW(dump_dataflow_images(data, folder, {.index = 1}), DataError);
  EXPECT_THROW(dump_dataflow_images(data, folder, {.batched = false}), DataError);
}

}  // namespace
}  // namespace belfry::viz
