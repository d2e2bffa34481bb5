#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "belfry/checkpoint/element_type.h"
#include "belfry/data/imgaug/imgaug.h"
#include "belfry/formats/npz.h"
#include "tests/support/close.h"
#include "tests/support/python.h"
#include "tests/support/temp_dir.h"

// Every augmentor draws transforms for images of a known size; the real tensorpack applies what their
// descriptions say, and must get the same pixels and points.

namespace belfry::imgaug {
namespace {

constexpr int64_t kHeight = 97, kWidth = 131;

/// How far a result may be from tensorpack's: values by at most `error`, and only a `share` of them at all.
struct Allowed {
  double error = 0, share = 0;
};

constexpr Allowed kExact;
/// tensorpack computes in float64 where we use float32: at the edge of two bytes truncation may decide
/// otherwise.
constexpr Allowed kTruncation{.error = 1, .share = 1e-3};
/// float32 in another order of operations, on values up to 255.
constexpr Allowed kRounding{.error = 2e-4, .share = 1};
/// Places up to 131 in float32, times the difference of neighbouring pixels.
constexpr Allowed kPlaces{.error = 5e-3, .share = 1};
/// numpy adds up float32 images in float32; we in float64.
constexpr Allowed kFloatMean{.error = 5e-3, .share = 1};

struct Case {
  std::string name;
  std::string image;
  AnyAugmentor augmentor;
  Allowed allowed = kExact;
};

ImageSpec spec_named(const std::string& image) {
  const std::map<std::string, int64_t> channels = {{"photo", 3}, {"float", 3}, {"unit", 3},  {"gray", 1},
                                                   {"mask", 1},  {"flow", 2},  {"bands", 5}, {"rgba", 4}};
  const bool is_float = image == "float" || image == "unit" || image == "flow";
  return {kHeight, kWidth, channels.at(image), is_float ? at::kFloat : at::kByte};
}

LightingOptions imagenet_colours() {
  return {.eigval = {0.2175 * 255, 0.0188 * 255, 0.0045 * 255},
          .eigvec = {{{-0.5675, 0.7192, 0.4009}, {-0.5808, -0.0045, -0.8140}, {-0.5836, -0.6948, 0.4203}}}};
}

std::vector<Case> size_cases() {
  using enum Interpolation;
  std::vector<Case> cases = {
      {"CenterCrop", "photo", CenterCrop({50, 61})},
      {"RandomCrop", "float", RandomCrop(64)},
      {"RandomCropRandomShape", "photo", RandomCropRandomShape({.wmin = 20, .hmin = 30})},
      {"GoogleNet", "photo", GoogleNetRandomCropAndResize({.interp = kCubic})},
      {"GoogleNet fallback", "photo",
       GoogleNetRandomCropAndResize({.crop_area_fraction = {2, 3}, .target_shape = 40})},
      {"Cutout", "photo", RandomCutout({.h_low = 10, .h_high = 20, .w_low = 30, .w_high = 30, .fill = 3})},
      {"Flip", "photo", Flip({.horiz = true, .prob = 1})},
      {"Flip vertically", "float", Flip({.vert = true, .prob = 1})},
      {"Flip not", "photo", Flip({.horiz = true, .prob = 0})},
      {"Transpose", "photo", Transpose(1)},
      {"Transpose gray", "gray", Transpose(1)},
      {"Transpose mask", "mask", Transpose(1)},
      {"ResizeShortestEdge", "photo", ResizeShortestEdge(64)},
      {"RandomResize", "photo", RandomResize({.xrange = {0.7, 1.3}, .yrange = {0.7, 1.3}})},
      {"RandomResize in pixels", "photo",
       RandomResize({.xrange = {60, 70}, .in_pixels = true, .aspect_ratio_thres = 0})},
      {"CenterPaste", "photo", CenterPaste({150, 160}, std::make_shared<ConstantBackgroundFiller>(7))},
      {"RandomPaste", "float", RandomPaste({150, 160}, std::make_shared<ConstantBackgroundFiller>(7))},
      {"List", "photo", AugmentorList({Resize({60, 90}), Flip({.horiz = true, .prob = 1}), RandomCrop(40)})},
  };
  for (const Interpolation interp : {kNearest, kLinear, kCubic, kArea, kLanczos4}) {
    for (const char* image : {"photo", "float", "gray", "mask"}) {
      cases.push_back(
          {fmt::format("Resize {} {}", image, static_cast<int>(interp)), image, Resize({50, 170}, interp)});
    }
  }
  return cases;
}

std::vector<Case> geometry_cases() {
  using enum Interpolation;
  using enum Border;
  return {
      {"Shift", "photo", Shift({.horiz_frac = 0.3, .vert_frac = 0.2})},
      {"Shift border", "photo", Shift({.horiz_frac = 0.9, .border = kConstant, .border_value = {5, 6, 7}})},
      {"Rotation", "photo", Rotation(40)},
      {"Rotation cubic", "float", Rotation(40, {.interp = kCubic, .border = kReflect101})},
      {"Rotation in steps", "photo", Rotation(180, {.center_range = {0.5, 0.5}, .step_deg = 90})},
      {"RotationAndCropValid", "photo", RotationAndCropValid(30)},
      {"RotationAndCropValid far", "photo", RotationAndCropValid(180)},
      {"Affine", "photo",
       Affine({.scale = Range{0.8, 1.2}, .translate_frac_x = 0.1, .rotate_max_deg = 20, .shear = 15})},
      {"Affine gray", "gray", Affine({.translate_frac_y = 0.2, .rotate_max_deg = 20, .border = kWrap})},
      {"GaussianDeform", "photo", GaussianDeform({{0.2, 0.3}, {0.7, 0.8}, {0.5, 0.1}}, {kHeight, kWidth}),
       kPlaces},
  };
}

/// Images of two, four and five channels.
std::vector<Case> channel_cases() {
  using enum Interpolation;
  std::vector<Case> cases;
  for (const char* image : {"flow", "rgba", "bands"}) {
    const auto add = [&](const char* name, AnyAugmentor augmentor) {
      cases.push_back({fmt::format("{} of {}", name, image), image, std::move(augmentor)});
    };
    add("CenterCrop", CenterCrop({50, 61}));
    add("Flip", Flip({.horiz = true, .prob = 1}));
    add("Flip vertically", Flip({.vert = true, .prob = 1}));
    add("RandomPaste", RandomPaste({150, 160}, std::make_shared<ConstantBackgroundFiller>(7)));
    add("Cutout", RandomCutout({.h_low = 10, .h_high = 20, .w_low = 30, .w_high = 30, .fill = 3}));
    add("Resize nearest", Resize({50, 170}, kNearest));
    add("Resize", Resize({50, 170}, kLinear));
    add("Affine", Affine({.rotate_max_deg = 20, .border = Border::kConstant, .border_value = {5, 6, 7}}));
    add("Rotation", Rotation(40, {.border = Border::kReplicate}));
    add("Brightness", Brightness(60));
    add("BrightnessScale", BrightnessScale({0.6, 1.4}));
    add("Clip", Clip({30, 200}));
    add("GaussianBlur", GaussianBlur({.size_low = 1, .size_high = 4}));
    add("ToFloat32", ToFloat32());
  }
  for (const char* image : {"flow", "rgba"}) {  // not of five, says OpenCV
    cases.push_back({fmt::format("Transpose of {}", image), image, Transpose(1)});
    cases.push_back({fmt::format("Resize area of {}", image), image, Resize({50, 70}, kArea)});
  }
  return cases;
}

std::vector<Case> byte_colour_cases() {
  return {
      {"Brightness", "photo", Brightness(60)},
      {"BrightnessScale", "photo", BrightnessScale({0.6, 1.4})},
      {"BrightnessScale gray", "gray", BrightnessScale({0.6, 1.4})},
      {"Contrast", "photo", Contrast({0.6, 1.4}), kTruncation},
      {"Contrast bgr", "photo", Contrast({0.6, 1.4}, {.rgb = false}), kTruncation},
      {"Contrast rgb", "photo", Contrast({0.6, 1.4}, {.rgb = true}), kTruncation},
      {"Contrast mask", "mask", Contrast({0.6, 1.4}), kTruncation},
      {"Saturation", "photo", Saturation(), kTruncation},
      {"Saturation bgr", "photo", Saturation(0.9, {.rgb = false}), kTruncation},
      {"Lighting", "photo", Lighting(0.3, imagenet_colours())},
      {"Hue", "photo", Hue()},
      {"Hue bgr", "photo", Hue({.range = {-90, 0}, .rgb = false})},
      {"Gamma darker", "photo", Gamma({-0.5, -0.2})},
      {"Gamma brighter", "gray", Gamma({0.2, 0.5})},
      {"Clip", "photo", Clip({30, 200})},
      {"GaussianBlur", "photo", GaussianBlur({.size_low = 1, .size_high = 4})},
      {"GaussianBlur of two sizes", "photo",
       GaussianBlur({.size_low = 1, .size_high = 9, .sigma_range = {0.5, 3}, .symmetric = false})},
      {"JpegNoise", "photo", JpegNoise()},
      {"JpegNoise of floats", "float", JpegNoise()},
      {"MeanVarianceNormalize", "photo", MeanVarianceNormalize(), kRounding},
      {"MeanVarianceNormalize each", "photo", MeanVarianceNormalize(false), kRounding},
      {"MinMaxNormalize", "photo", MinMaxNormalize(), kRounding},
      {"MinMaxNormalize each", "photo", MinMaxNormalize({.min = -1, .max = 1, .all_channel = false}),
       kRounding},
      {"Grayscale", "photo", Grayscale()},
      {"Grayscale shape", "photo", Grayscale({.rgb = true, .keepshape = true})},
      {"Grayscale flat", "photo", Grayscale({.keepdims = false})},
      {"ColorSpace gray", "photo", ColorSpace(7)},
      {"ColorSpace flat", "photo", ColorSpace(7, /*keepdims=*/false)},
      {"ColorSpace Lab", "photo", ColorSpace(44)},
      {"ColorSpace to RGB", "gray", ColorSpace(8)},
      {"ToFloat32", "photo", ToFloat32()},
      {"ToUint8", "photo", ToUint8()},
  };
}

std::vector<Case> float_colour_cases() {
  return {
      {"float Brightness", "float", Brightness(60)},
      {"float Brightness unclipped", "float", Brightness(60, false)},
      {"float BrightnessScale", "float", BrightnessScale({0.6, 1.4}, false)},
      {"float Contrast", "float", Contrast({0.6, 1.4}), kFloatMean},
      {"float Contrast bgr", "float", Contrast({0.6, 1.4}, {.rgb = false, .clip = false}), kFloatMean},
      {"float Saturation", "float", Saturation(), kRounding},
      {"float Saturation bgr", "float", Saturation(0.9, {.rgb = false, .clip = false}), kRounding},
      {"float Lighting", "float", Lighting(0.3, imagenet_colours())},
      {"float Hue", "unit", Hue(), kRounding},
      {"float Gamma", "float", Gamma()},
      {"float Clip", "float", Clip({30, 200})},
      {"float GaussianBlur", "float", GaussianBlur({.size_low = 2, .size_high = 3})},
      {"float MeanVarianceNormalize", "float", MeanVarianceNormalize(), kFloatMean},
      {"float MinMaxNormalize", "float", MinMaxNormalize(), kRounding},
      {"float Grayscale", "float", Grayscale()},
      {"float ToUint8", "float", ToUint8()},
  };
}

// The training pipeline of tensorpack's ImageNet examples.
std::vector<Case> pipeline_cases() {
  const RandomOrderAug colours({BrightnessScale({0.6, 1.4}), Contrast({0.6, 1.4}, {.rgb = false}),
                                Saturation(0.4, {.rgb = false}), Lighting(0.1, imagenet_colours())});
  const GoogleNetRandomCropAndResize crop({.interp = Interpolation::kCubic});
  const Flip flip({.horiz = true});
  return {{"ImageNet", "photo", AugmentorList({crop, ToFloat32(), colours, ToUint8(), flip}), kTruncation},
          {"ImageNet in bytes", "photo", AugmentorList({crop, colours, flip}), {.error = 2, .share = 1e-3}},
          {"ImageNet evaluation", "photo",
           AugmentorList({ResizeShortestEdge(80, Interpolation::kCubic), CenterCrop({70, 70})})}};
}

class Arrays {
 public:
  explicit Arrays(const std::string& path) : reader_(path) {
    for (const ArrayInfo& info : reader_.entries()) infos_.emplace(info.name, info);
  }
  bool has(const std::string& name) const { return infos_.count(name) > 0; }
  at::Tensor operator[](const std::string& name) const {
    const ArrayInfo& info = infos_.at(name);
    at::Tensor value = at::empty(info.shape, to_dtype(info.dtype));
    reader_.read(name, {static_cast<std::byte*>(value.data_ptr()), value.nbytes()});
    return value;
  }

 private:
  NpzReader reader_;
  std::map<std::string, ArrayInfo> infos_;
};

testing::AssertionResult within(const at::Tensor& actual, const at::Tensor& expected, Allowed allowed) {
  if (actual.scalar_type() != expected.scalar_type()) {
    return testing::AssertionFailure() << "expected " << c10::toString(expected.scalar_type()) << ", got "
                                       << c10::toString(actual.scalar_type());
  }
  const testing::AssertionResult is_close = test::close(actual, expected, {.absolute = allowed.error});
  if (!is_close) return is_close;
  const double share = (actual != expected).to(at::kDouble).mean().item<double>();
  if (share <= allowed.share) return testing::AssertionSuccess();
  return testing::AssertionFailure() << fmt::format("{:.3g} of the values differ, allowed are {:.3g}", share,
                                                    allowed.share);
}

TEST(Tensorpack, GetsTheSamePixelsAndPoints) {
  if (!test::python_available()) GTEST_SKIP() << test::kNoPython;
  std::vector<Case> cases;
  for (const auto& some : {size_cases(), geometry_cases(), channel_cases(), byte_colour_cases(),
                           float_colour_cases(), pipeline_cases()}) {
    cases.insert(cases.end(), some.begin(), some.end());
  }
  // What is drawn three times differs three times.
  std::vector<TransformPtr> transforms;
  for (size_t i = 0, count = cases.size(); i < 3 * count; ++i) {
    if (i >= count) cases.push_back(cases[i - count]);
    cases[i].name += fmt::format(" {}", i);
    Rng rng(7, i);
    transforms.push_back(cases[i].augmentor->get_transform(spec_named(cases[i].image), rng));
  }
  const test::TempDir folder;
  {
    std::ofstream lines(folder / "cases");
    for (size_t i = 0; i < cases.size(); ++i) {
      lines << cases[i].name << '\t' << cases[i].image << '\t' << transforms[i]->description() << '\n';
    }
  }
  test::run_python("tests/imgaug/tensorpack_images.py", {folder / "cases", folder / "arrays.npz"});
  const Arrays arrays(folder / "arrays.npz");
  const at::Tensor points =
      at::tensor({0.0, 0.0, 131.0, 97.0, 12.25, 80.5, -3.0, 200.0}, at::kFloat).reshape({4, 2});
  for (size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    SCOPED_TRACE(c.name + ": " + transforms[i]->description());
    const at::Tensor image = arrays["image/" + c.image];
    const at::Tensor result = transforms[i]->apply_image(image);
    EXPECT_EQ(spec_of(result), transforms[i]->output_spec(spec_of(image)));
    EXPECT_TRUE(within(result, arrays["result/" + c.name], c.allowed));
    if (arrays.has("coords/" + c.name)) {
      EXPECT_TRUE(
          test::close(transforms[i]->apply_coords(points), arrays["coords/" + c.name], test::kSameSums));
    }
  }
}

}  // namespace
}  // namespace belfry::imgaug
