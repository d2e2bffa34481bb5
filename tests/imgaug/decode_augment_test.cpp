#include "belfry/data/images/decode_augment.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/imgaug.h"
#include "tests/imgaug/pictures.h"
#include "tests/support/message_of.h"

namespace belfry::imgaug {
namespace {

using test::load, test::message_of, test::photos, test::random_picture, testing::HasSubstr;

at::Tensor augmented(const std::string& bytes, const ImageAugmentor& augmentor,
                     DecodeAugmentOptions options = {}, uint64_t seed = 1) {
  Rng rng(seed);
  return decode_and_augment(as_byte_span(bytes), augmentor, rng, options);
}

at::Tensor exact(const std::string& bytes, const ImageAugmentor& augmentor, uint64_t seed = 1) {
  return augmented(bytes, augmentor, {.exact = true}, seed);
}

struct Difference {
  double mean = 0, max = 0, mse = 0;
};

Difference difference(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  const at::Tensor d = (a.to(at::kFloat) - b.to(at::kFloat)).abs();
  return {.mean = d.mean().item<double>(),
          .max = d.max().item<double>(),
          .mse = d.square().mean().item<double>()};
}

std::string file_of(const at::Tensor& picture) {
  const at::Tensor bytes = encode_jpeg(picture);
  return {reinterpret_cast<const char*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.numel())};
}

std::string picture_file(int64_t height = 300, int64_t width = 400, int64_t channels = 3) {
  return file_of(random_picture(height, width, channels));
}

// Between the rounding of OpenCV's fixed point and ours.
constexpr double kRounding = 1;

TEST(DecodeAugment, ExactIsToDecodeAndThenToAugment) {
  const std::string file = picture_file();
  const AugmentorList train({GoogleNetRandomCropAndResize({.target_shape = 64}), Flip({.horiz = true})});
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Rng rng(seed);
    const at::Tensor expected = train.augment(decode_image(as_byte_span(file)), rng);
    EXPECT_TRUE(exact(file, train, seed).equal(expected));
  }
}

TEST(DecodeAugment, CropsAloneChangeNoPixel) {
  const std::string file = picture_file();
  const AugmentorList crops({RandomCrop({200, 301}), CenterCrop(99), Flip({.horiz = true}), Brightness(30)});
  for (uint64_t seed = 0; seed < 8; ++seed) {
    EXPECT_TRUE(augmented(file, crops, {}, seed).equal(exact(file, crops, seed)));
  }
}

TEST(DecodeAugment, ResizesFromFullSizeDifferByRounding) {
  const std::string file = picture_file();
  for (Interpolation interp : {Interpolation::kLinear, Interpolation::kCubic, Interpolation::kArea}) {
    const AugmentorList lists[] = {AugmentorList({ResizeShortestEdge(190, interp), CenterCrop(160)}),
                                   AugmentorList({CenterCrop({250, 220}), Resize({181, 217}, interp)}),
                                   AugmentorList({RandomCrop(60), Resize({150, 60}, interp)}),
                                   AugmentorList({Resize({150, 399}, interp), RandomCrop({1, 1})})};
    for (const AugmentorList& list : lists) {
      for (uint64_t seed = 0; seed < 4; ++seed) {
        EXPECT_LE(difference(augmented(file, list, {}, seed), exact(file, list, seed)).max, kRounding)
            << static_cast<int>(interp);
      }
    }
  }
}

TEST(DecodeAugment, WhatIsNotTakenIntoDecodingIsAppliedAfter) {
  const std::string file = picture_file();
  const AugmentorList lists[] = {AugmentorList({Resize(64, Interpolation::kNearest), Flip({.horiz = true})}),
                                 AugmentorList({Flip({.vert = true, .prob = 1}), CenterCrop(50)}),
                                 AugmentorList({Resize({300, 400}), Resize({310, 410}), CenterCrop(200)}),
                                 AugmentorList({})};
  for (const AugmentorList& list : lists) {
    EXPECT_LE(difference(augmented(file, list), exact(file, list)).max, kRounding);
  }
}

TEST(DecodeAugment, ReducedDecodingMovesNothing) {
  at::Tensor slope = at::empty({330, 410, 3}, at::kByte);
  for (int64_t y = 0; y < 330; ++y) {
    for (int64_t x = 0; x < 410; ++x) {
      for (int64_t c = 0; c < 3; ++c) slope[y][x][c] = (x * 2 + y) / 5;
    }
  }
  const std::string file = file_of(slope);
  for (Interpolation interp : {Interpolation::kLinear, Interpolation::kCubic, Interpolation::kArea}) {
    for (int64_t side : {160, 80, 40}) {
      const AugmentorList list(
          {CenterCrop({321, 399}), Resize(side, interp), CenterCrop({side - 3, side - 10})});
      EXPECT_LE(difference(augmented(file, list), exact(file, list)).max, 2) << side;
    }
  }
}

// Against INTER_AREA, which averages as well: linear and cubic interpolation skip pixels of the whole
// picture.
TEST(DecodeAugment, ReducedDecodingIsCloseOnPhotos) {
  if (photos().empty()) GTEST_SKIP() << test::kNoPhotos;
  for (int64_t side : {170, 80, 40}) {
    double mean = 0, mse = 0, count = 0;
    for (const std::string& path : photos()) {
      const std::string file = load(path);
      const AugmentorList list({ResizeShortestEdge(side, Interpolation::kArea), CenterCrop(side)});
      const Difference d = difference(augmented(file, list), exact(file, list));
      mean += d.mean, mse += d.mse, ++count;
    }
    EXPECT_LT(mean / count, 4) << side;
    EXPECT_GT(10 * std::log10(255 * 255 / (mse / count)), 32) << side;
  }
}

TEST(DecodeAugment, TheSameSeedGivesTheSamePixelsWhateverTheWay) {
  const std::string file = picture_file();
  const AugmentorList list({GoogleNetRandomCropAndResize({.target_shape = 150})});
  for (uint64_t seed = 0; seed < 8; ++seed) {
    EXPECT_LT(difference(augmented(file, list, {}, seed), exact(file, list, seed)).mean, 3);
  }
  EXPECT_GT(difference(augmented(file, list, {}, 1), augmented(file, list, {}, 2)).mean, 10);
}

TEST(DecodeAugment, GrayPicturesHaveOneChannel) {
  const std::string file = picture_file(100, 120, 1);
  const AugmentorList list({Resize({50, 70})});
  DecodeAugmentOptions options{.decode = {.order = PixelOrder::kGray}};
  at::Tensor fast = augmented(file, list, options);
  options.exact = true;
  EXPECT_LE(difference(fast, augmented(file, list, options)).max, kRounding);
  EXPECT_EQ(fast.size(2), 1);
}

TEST(DecodeAugment, ErrorsAreThoseOfTheSlowWay) {
  const std::string file = picture_file(100, 120);
  const AugmentorList crop({CenterCrop(101)});
  EXPECT_EQ(message_of<DataError>([&] { augmented(file, crop); }),
            message_of<DataError>([&] { exact(file, crop); }));
  const TransformPtr other_size = std::make_shared<ResizeTransform>(50, 50, 20, 20);
  EXPECT_THAT(message_of<DataError>([&] { decode_and_transform(as_byte_span(file), other_size); }),
              HasSubstr("expected an image of 50 x 50, got 100 x 120"));
  EXPECT_THAT(message_of<DataError>([&] { augmented("no image", crop, {.decode = {.name = "a.jpg"}}); }),
              HasSubstr("a.jpg: expected a JPEG or PNG"));
  EXPECT_THAT(
      message_of<DataError>([&] { augmented(file, AugmentorList({}), {.decode = {.max_pixels = 11999}}); }),
      HasSubstr("at most 11999 pixels, got 100 x 120"));
}

}  // namespace
}  // namespace belfry::imgaug
