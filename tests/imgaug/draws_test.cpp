#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/data/imgaug/imgaug.h"
#include "tests/support/message_of.h"

// What augmentors draw: bounds, means and shares of many draws.

namespace belfry::imgaug {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

constexpr int kDraws = 4000;
constexpr ImageSpec kImage = {100, 200};

/// Numbers that an augmentor drew.
struct Numbers {
  std::vector<double> values;

  double min() const { return *std::ranges::min_element(values); }
  double max() const { return *std::ranges::max_element(values); }
  double mean() const { return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size()); }
  double deviation() const {
    double squares = 0;
    for (const double value : values) squares += (value - mean()) * (value - mean());
    return std::sqrt(squares / double(values.size()));
  }
};

/// `number(transform)` of many draws.
Numbers draws(const ImageAugmentor& augmentor, const std::function<double(const Transform&)>& number,
              ImageSpec image = kImage) {
  Rng rng(11);
  Numbers numbers;
  for (int i = 0; i < kDraws; ++i) numbers.values.push_back(number(*augmentor.get_transform(image, rng)));
  return numbers;
}

double share(const ImageAugmentor& augmentor, const std::string& name) {
  return draws(augmentor, [&](const Transform& t) { return t.description().starts_with(name) ? 1 : 0; })
      .mean();
}

/// The first number of the description, e.g. 0.5 of "Contrast(0.5, rgb=none)".
double first_number(const Transform& transform) {
  const std::string text = transform.description();
  return std::stod(text.substr(text.find_first_of("-0123456789")));
}

const CropTransform& crop(const Transform& transform) {
  return dynamic_cast<const CropTransform&>(transform);
}
const WarpAffineTransform& warp(const Transform& transform) {
  return dynamic_cast<const WarpAffineTransform&>(transform);
}
double degrees(const Transform& transform) {
  return std::atan2(warp(transform).matrix[1], warp(transform).matrix[0]) * 180 / M_PI;
}

void expect_uniform(const Numbers& numbers, double low, double high) {
  const double width = high - low;
  EXPECT_GE(numbers.min(), low);
  EXPECT_LE(numbers.max(), high);
  EXPECT_LE(numbers.min(), low + 0.01 * width);
  EXPECT_GE(numbers.max(), high - 0.01 * width);
  EXPECT_NEAR(numbers.mean(), (low + high) / 2, 0.02 * width);
  EXPECT_NEAR(numbers.deviation(), width / std::sqrt(12), 0.02 * width);
}

TEST(Draws, AreUniform) {
  expect_uniform(draws(Brightness(30), first_number), -30, 30);
  expect_uniform(draws(BrightnessScale({0.6, 1.4}), first_number), 0.6, 1.4);
  expect_uniform(draws(Contrast({0.5, 2}), first_number), 0.5, 2);
  expect_uniform(draws(Saturation(0.4), first_number), 0.6, 1.4);
  expect_uniform(draws(Gamma(), first_number), -0.5, 0.5);
  expect_uniform(draws(Hue(), first_number), 0, 180);
  expect_uniform(draws(Rotation(40), degrees), -40, 40);
  expect_uniform(draws(Affine({.shear = 30}), [](const Transform& t) { return warp(t).matrix[1]; }), -0.5,
                 0.5);
  expect_uniform(
      draws(Affine({.scale = Range{0.5, 1.5}}), [](const Transform& t) { return warp(t).matrix[0]; }), 0.5,
      1.5);
}

TEST(Draws, CropsReachAllPlaces) {
  expect_uniform(draws(RandomCrop({40, 60}), [](const Transform& t) { return crop(t).x0; }), 0, 140);
  expect_uniform(draws(RandomCrop({40, 60}), [](const Transform& t) { return crop(t).y0; }), 0, 60);
  const auto last_row = [](const Transform& t) { return crop(t).y0 + crop(t).h; };
  EXPECT_EQ(draws(RandomCropRandomShape({.wmin = 90, .hmin = 90}), last_row).max(), 100);
  const auto height = [](const Transform& t) { return crop(t).h; };
  const Numbers heights =
      draws(RandomCropRandomShape({.wmin = 5, .hmin = 30, .wmax = 50, .hmax = 35}), height);
  EXPECT_EQ(std::set(heights.values.begin(), heights.values.end()),
            (std::set<double>{30, 31, 32, 33, 34, 35}));
  const auto paste_row = [](const Transform& t) { return dynamic_cast<const PasteTransform&>(t).y0; };
  expect_uniform(draws(RandomPaste({300, 300}), paste_row), 0, 200);
}

TEST(Draws, RandomResizedCropsHaveTheirAreaAndAspectRatio) {
  const auto part = [](const Transform& t) -> const CropTransform& {
    return crop(*dynamic_cast<const TransformList&>(t).transforms().front());
  };
  const GoogleNetRandomCropAndResize augmentor(
      {.crop_area_fraction = {0.1, 0.4}, .aspect_ratio_range = {0.8, 1.25}});
  const ImageSpec large = {4000, 4000};
  const auto area = [&](const Transform& t) { return double(part(t).h) * double(part(t).w) / 4000 / 4000; };
  const auto ratio = [&](const Transform& t) { return double(part(t).w) / double(part(t).h); };
  expect_uniform(draws(augmentor, area, large), 0.1 - 1e-3, 0.4 + 1e-3);
  const Numbers ratios = draws(augmentor, ratio, large);
  EXPECT_THAT(ratios.min(), AllOf(Ge(0.8 - 1e-3), Le(0.81)));
  EXPECT_THAT(ratios.max(), AllOf(Ge(1.24), Le(1.25 + 1e-3)));
}

TEST(Draws, ProbabilitiesAreKept) {
  EXPECT_NEAR(share(Flip({.horiz = true}), "Flip"), 0.5, 0.03);
  EXPECT_NEAR(share(Flip({.vert = true, .prob = 0.2}), "Flip"), 0.2, 0.03);
  EXPECT_NEAR(share(Transpose(0.9), "Transpose"), 0.9, 0.03);
  EXPECT_NEAR(share(RandomApplyAug(Clip(), 0.7), "Clip"), 0.7, 0.03);
  EXPECT_NEAR(share(RandomChooseAug({Clip(), Gamma(), Hue()}), "Gamma"), 1.0 / 3, 0.03);
  EXPECT_NEAR(share(RandomChooseAug({{Clip(), 0.1}, {Gamma(), 0.6}, {Hue(), 0.3}}), "Gamma"), 0.6, 0.03);
  EXPECT_NEAR(share(RandomOrderAug({Clip(), Gamma(), Hue()}), "TransformList(Hue"), 1.0 / 3, 0.03);
}

TEST(Draws, LightingFollowsThePrincipalComponents) {
  const Lighting lighting(0.5, {.eigval = {10, 0, 0}, .eigvec = {{{0.6, 0, 1}, {0.8, 1, 0}, {0, 0, 0}}}});
  const Numbers red = draws(lighting, first_number);
  EXPECT_NEAR(red.mean(), 0, 0.2);
  EXPECT_NEAR(red.deviation(), 0.5 * 10 * 0.6, 0.15);
}

TEST(Draws, StepsOfRotationAreMultiples) {
  const auto quarter = [](const Transform& t) { return std::abs(std::remainder(degrees(t), 90)); };
  EXPECT_LT(draws(Rotation(180, {.step_deg = 90}), quarter).max(), 1e-6);
  EXPECT_THAT(test::message_of<UsageError>([] { Rotation(180, {.step_deg = 50}); }),
              HasSubstr("that divides it, got 180 and 50"));
}

TEST(Draws, RotationAndCropValidShowsNothingFromOutside) {
  const at::Tensor white = at::full({40, 70}, 255, at::kByte);
  const RotationAndCropValid augmentor(180);
  Rng rng(1);
  for (int i = 0; i < 200; ++i) {
    const at::Tensor inside = augmentor.augment(white, rng);
    // Half a pixel is lost to rounding on each side.
    if (inside.size(0) < 4 || inside.size(1) < 4) continue;
    EXPECT_GT(inside.slice(0, 1, -1).slice(1, 1, -1).min().item<int>(), 250);
  }
}

TEST(Draws, RandomResizeKeepsItsLimits) {
  const auto ratio = [](const Transform& t) {
    const ImageSpec spec = t.output_spec(kImage);
    return double(spec.w) / double(spec.h);
  };
  const Numbers ratios =
      draws(RandomResize({.xrange = {0.5, 2}, .yrange = {0.5, 2}, .aspect_ratio_thres = 0.3}), ratio);
  EXPECT_GE(ratios.min(), 2 * 0.7 - 1e-4);
  EXPECT_LE(ratios.max(), 2 * 1.3 + 1e-4);
  const auto width = [](const Transform& t) { return t.output_spec(kImage).w; };
  EXPECT_EQ(draws(RandomResize({.xrange = {0.1, 1}, .min_w = 90, .aspect_ratio_thres = 0}), width).min(), 90);
}

TEST(Noise, IsNormalAndFixedByItsTransform) {
  const at::Tensor gray = at::full({200, 200, 3}, 100, at::kFloat);
  Rng rng(2);
  const TransformPtr noise = GaussianNoise({.sigma = 7}).get_transform(spec_of(gray), rng);
  const at::Tensor noisy = noise->apply_image(gray);
  EXPECT_NEAR(noisy.mean().item<double>(), 100, 0.1);
  EXPECT_NEAR(noisy.std().item<double>(), 7, 0.1);
  EXPECT_TRUE(at::equal(noise->apply_image(gray), noisy));
  // Bytes get the same noise, truncated.
  EXPECT_TRUE(at::equal(noise->apply_image(gray.to(at::kByte)), noisy.to(at::kByte)));
}

TEST(Noise, IsClippedWhenAsked) {
  const at::Tensor black = at::full({50, 50, 1}, 0, at::kFloat);
  Rng rng(2);
  EXPECT_EQ(GaussianNoise({.sigma = 9}).augment(black, rng).min().item<double>(), 0);
  EXPECT_LT(GaussianNoise({.sigma = 9, .clip = false}).augment(black, rng).min().item<double>(), -9);
}

TEST(Noise, JpegTakesEachQualityAndKeepsOneChannel) {
  const Numbers qualities = draws(JpegNoise({.quality_low = 98, .quality_high = 101}), first_number);
  EXPECT_EQ(std::set(qualities.values.begin(), qualities.values.end()), (std::set<double>{98, 99, 100}));
  const at::Tensor mask = at::full({20, 30}, 100, at::kFloat);
  Rng rng(2);
  EXPECT_EQ(spec_of(JpegNoise().augment(mask, rng)), spec_of(mask));
  EXPECT_THAT(test::message_of<UsageError>([] { JpegNoise({.quality_low = 0}); }), HasSubstr("got [0, 100)"));
}

TEST(Noise, SaltAndPepperHaveTheirShares) {
  const at::Tensor gray = at::full({200, 200, 3}, 100, at::kByte);
  Rng rng(2);
  const at::Tensor noisy = SaltPepperNoise(0.1, 0.2).augment(gray, rng);
  const auto share_of = [&](int value) { return noisy.eq(value).to(at::kDouble).mean().item<double>(); };
  EXPECT_NEAR(share_of(255), 0.1, 0.005);
  EXPECT_NEAR(share_of(0), 0.2, 0.005);
  EXPECT_NEAR(share_of(100), 0.7, 0.005);
}

TEST(GaussianDeform, SaysWhatItCannotDo) {
  const GaussianDeform deform({{0.5, 0.5}}, {20, 30});
  Rng rng(0);
  EXPECT_THAT(test::message_of<DataError>([&] {
                deform.get_transform({30, 20}, rng);
              }),
              HasSubstr("expected an image of 20 x 30, got 30 x 20"));
  const TransformPtr transform = deform.get_transform({20, 30}, rng);
  EXPECT_THAT(test::message_of<UsageError>([&] {
                transform->apply_coords(at::full({1, 2}, 1.0f));
              }),
              HasSubstr("cannot tell where a point"));
}

TEST(RandomResize, GivesUpOnAnAspectRatioThatItCannotKeep) {
  Rng rng(0);
  std::string log;
  set_log_sink([&](LogLevel, std::string_view line) { log = line; });
  const RandomResize stretch({.xrange = {3, 3}, .yrange = {1, 1}});
  EXPECT_EQ(stretch.get_transform(kImage, rng)->output_spec(kImage), kImage);
  set_log_sink(nullptr);
  EXPECT_THAT(log, HasSubstr("found no size with the aspect ratio of 100 x 200"));
}

}  // namespace
}  // namespace belfry::imgaug
